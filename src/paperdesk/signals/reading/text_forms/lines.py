"""Forms of one command a line: Autoview's pairs, and `long SYMBOL q=1` below a password."""

import re
from collections.abc import Mapping
from typing import Any, Final

from paperdesk.redaction import names_a_secret
from paperdesk.signals.reading.texts import clean, fold
from paperdesk.signals.reading.words import ACCEPTED, word_of

_MOST_LINES: Final = 101
_PAIR: Final = re.compile(r"([A-Za-z_]{1,24})=(\S*)")
_AUTOVIEW: Final = frozenset(
    {*"abcdelpqsty", "cm", "cmo", "delay", "sl", "tp", "ts", "id", "signalid", "time", "note"}
)
_OWN: Final = frozenset(
    {"q", "qt", "sl", "tp", "slp", "tpp", "p", "id", "signalid", "time", "note"}
)
_SYMBOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9:._/!-]{0,63}")
_CLOSES: Final = {"position": "close", "pos": "close", "all": "close", "1": "close"}

_OF_CANCEL: Final = ("s", "e", "id", "signalid", "time", "note")

Alerts = list[Mapping[str, Any] | str]


def autoview(text: str) -> Alerts | None:
    """Return the alerts of lines such as `e=kraken s=BTCUSD b=long q=1% t=market`, or None."""
    rows = [_pairs(line.split(" #")[0], _AUTOVIEW) for line in _lines(text)]
    if not rows or any(row is None for row in rows):
        return None
    said = [row for row in rows if row and not all(names_a_secret(name) for name in row)]
    if not said or not any({"s", "b", "c"} & row.keys() for row in said):
        return None
    return [_autoview(row) for row in said]


def _autoview(row: dict[str, str]) -> Mapping[str, Any] | str:
    if row.get("d", "0").lower() not in {"0", "false"}:
        return "d: switches the line off in Autoview. Send it without d to have it acted on."
    fields: dict[str, Any] = {name: value for name, value in row.items() if name not in {"c", "p"}}
    if "p" in row:
        fields["limit_price"] = row["p"]
    if "c" in row:
        what = row["c"].lower()
        if what == "order":
            return {**{name: row[name] for name in _OF_CANCEL if name in row}, "action": "cancel"}
        way = what if what in {"long", "short"} else row.get("b", "").lower()
        if what not in {*_CLOSES, "long", "short"}:
            return "c: must be order, position, long or short."
        if way not in {"", "long", "short"}:
            return f"c: closes long or short; {clean(way, 16)} contradicts it."
        fields.pop("b", None)
        fields["action"] = f"exit_{way}" if way else "close"
    return fields


def commands(text: str) -> Alerts | None:
    """Return the alerts of lines such as `long BTCUSD q=0.1 sl=1000`, or None.

    A line of one word above them is the password.
    """
    rows = [line.split() for line in _lines(text)]
    if len(rows) > 1 and len(rows[0]) == 1 and word_of(rows[0][0]) is None:
        rows = rows[1:]
    alerts = [_command(row) for row in rows]
    return (
        None
        if not alerts or any(alert is None for alert in alerts)
        else [alert for alert in alerts if alert is not None]
    )


def _command(row: list[str]) -> Mapping[str, Any] | str | None:
    action, symbol, *others = [*row, ""] if len(row) == 1 else row
    if "=" in action or not _SYMBOL.fullmatch(symbol):
        return None
    pairs = _pairs(" ".join(others), _OWN)
    if pairs is None:
        return None
    if word_of(action) is None:
        if not pairs:
            return None
        return f"{clean(action, 64)}: is no action; send one of {ACCEPTED}."
    if "p" in pairs:
        pairs["limit_price"] = pairs.pop("p")
    return {"action": action, "symbol": symbol, **pairs}


def _pairs(line: str, known: frozenset[str]) -> dict[str, str] | None:
    """Return the pairs of a line by their folded names; None where it has anything else."""
    found: dict[str, str] = {}
    for word in line.split():
        match = _PAIR.fullmatch(word)
        if match is None:
            return None
        name = fold(match[1])
        if name in found or not (name in known or names_a_secret(name)):
            return None
        found[name] = match[2]
    return found


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()[: 10 * _MOST_LINES]]
    return [line for line in lines if line]
