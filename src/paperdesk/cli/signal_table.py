"""Signals as tables: what came, what it was understood to say, and what became of it."""

from typing import Final

import msgspec

from paperdesk.cli.output import clean, instant, say, screen, table

_NOTHING: Final = {b"null", b"[]", b"false", b'""'}
_DEFAULTS: Final = {"order_type": b'"market"', "form": b'"plain"'}
"""What goes without saying."""


class Signal(msgspec.Struct):
    """A signal of the inbox."""

    signal_id: str
    account_id: str
    webhook_id: str | None
    status: str
    processed: bool
    ticker: str | None
    raw: str | None
    understood: dict[str, msgspec.Raw] | None
    order_id: str | None
    outcome: str | None
    error: str | None
    missed: str | None
    attempts: int
    duplicates: int
    received_at: str
    sent_at: str | None = None
    last_seen_at: str | None = None
    processed_at: str | None = None
    replay_of: str | None = None


def show_table(found: list[Signal]) -> None:
    """Print signals as a table."""
    rows = table(
        "Received (UTC)",
        "Ticker",
        "Said",
        "Status",
        ">Again",
        "~Outcome",
        "Id",
        drop=("Received (UTC)", "Again", "Said"),
        apart="Id",
    )
    for one in found:
        rows.add_row(
            instant(one.received_at),
            clean(one.ticker),
            said(one),
            clean(one.status),
            str(one.duplicates),
            " ".join(clean(text) for text in (one.outcome, one.error, one.missed) if text),
            clean(one.signal_id),
        )
    if not any(one.duplicates for one in found):
        rows.leave_out("Again")
    screen().print(rows)


def show_signal(one: Signal) -> None:
    """Print all of a signal."""
    rows = table("Signal", "~Value")
    for label, value in (
        ("Id", one.signal_id),
        ("Account", one.account_id),
        ("Webhook", one.webhook_id),
        ("Status", one.status),
        ("Outcome", one.outcome),
        ("Error", one.error),
        ("Missed", one.missed),
        ("Order", one.order_id),
        ("Sent (UTC)", one.sent_at and instant(one.sent_at)),
        ("Received (UTC)", instant(one.received_at)),
        ("Last delivered (UTC)", one.last_seen_at and instant(one.last_seen_at)),
        ("Processed (UTC)", one.processed_at and instant(one.processed_at)),
        ("Delivered again", str(one.duplicates)),
        ("Tries", str(one.attempts)),
        ("Replay of", one.replay_of),
    ):
        if value:
            rows.add_row(label, clean(value))
    screen().print(rows)
    say("")
    understood = table("Understood", "~Value")
    for name, raw in (one.understood or {}).items():
        if bytes(raw) not in _NOTHING and bytes(raw) != _DEFAULTS.get(name):
            understood.add_row(clean(name.replace("_", " ").capitalize()), plain(raw))
    if understood.row_count:
        screen().print(understood)
        say("")
    if one.raw is not None:
        say("The alert, without its secrets:")
        # Line by line: what came from outside steers no terminal.
        for line in one.raw.splitlines():
            say("  " + "".join(c for c in line.replace("\t", "  ") if c.isprintable()))


def said(one: Signal) -> str:
    """Return what a signal was understood to say, in a few words."""
    told = one.understood or {}
    if "intent" not in told:
        return "not understood"
    words = [plain(told["intent"])]
    words += [
        plain(told[name])
        for name in ("target", "quantity")
        if name in told and bytes(told[name]) not in _NOTHING
    ]
    return " ".join(words)


def plain(raw: msgspec.Raw) -> str:
    """Return a JSON value as people write it, its numbers digit for digit."""
    text = bytes(raw)
    match text[:1]:
        case b'"':
            return clean(msgspec.json.decode(text, type=str).replace("_", " "))
        case b"{":
            members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            given = {n: plain(each) for n, each in members.items() if bytes(each) not in _NOTHING}
            if set(given) == {"amount", "kind"}:
                return f"{given['amount']} {given['kind']}"
            return ", ".join(f"{n.replace('_', ' ')} {value}" for n, value in given.items())
        case b"[":
            return "; ".join(map(plain, msgspec.json.decode(text, type=list[msgspec.Raw])))
        case b"t":
            return "yes"
        case _:
            return clean(text.decode())
