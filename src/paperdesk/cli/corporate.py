"""`paperdesk split`, `dividend`, `rename`, `spinoff` and `actions`: what companies do to shares."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from paperdesk.cli.answers import Acted
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.cli.output import clean, money, quantity, say, screen, show_json, table
from paperdesk.ids import new_id

Ticker = Annotated[str, Parameter(help="The stock, such as AAPL.")]
Ratio = Annotated[str, Parameter(help="New shares for old ones: 3:2, or 1:10.")]
InLieu = Annotated[
    str | None, Parameter(help="What a share is paid after it, for a fraction; else it is kept.")
]

PATH: Final = "/api/corporate-actions"
_COLUMNS: Final = frozenset(
    {
        "key",
        "kind",
        "ticker",
        "new_ticker",
        "numerator",
        "denominator",
        "cost_percent",
        "per_share",
        "quantity",
        "reinvest_at",
        "cash_in_lieu",
        "effective_at",
        "note",
    }
)
_WHOLE: Final = frozenset({"numerator", "denominator"})


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Details(Remote):
    """What may be said about an action, and how to speak with the desk."""

    effective: Annotated[
        str | None, Parameter(help="When it took effect: 2026-11-20T00:00:00Z. Default: now.")
    ] = None
    every_account: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="On every account that it concerns."),
    ] = False
    note: Annotated[str | None, Parameter(help="A remark that is kept with it.")] = None
    key: Annotated[
        str | None,
        Parameter(help="The same key is booked once. Default: a new one."),
    ] = None


_PLAIN: Final = Details()


def split(
    ticker: Ticker, ratio: Ratio, /, *, in_lieu: InLieu = None, details: Details = _PLAIN
) -> None:
    """Book a split, or a reverse split."""
    numerator, denominator = ratio_of(ratio)
    body = {"numerator": numerator, "denominator": denominator, "cash_in_lieu": in_lieu}
    _book("split", ticker, body, details)


def dividend(
    ticker: Ticker,
    per_share: Annotated[str, Parameter(help="US dollars a share.")],
    /,
    *,
    shares: Annotated[
        str | None, Parameter(help="Of how many shares. Default: all that are held.")
    ] = None,
    reinvest_at: Annotated[
        str | None, Parameter(help="The price at which it buys shares. Default: it is cash.")
    ] = None,
    details: Details = _PLAIN,
) -> None:
    """Book a dividend."""
    body = {"per_share": per_share, "quantity": shares, "reinvest_at": reinvest_at}
    _book("dividend", ticker, body, details)


def rename(
    ticker: Ticker,
    new_ticker: Annotated[str, Parameter(help="Its new name.")],
    /,
    *,
    details: Details = _PLAIN,
) -> None:
    """Book a change of a stock's symbol."""
    _book("symbol_change", ticker, {"new_ticker": new_ticker}, details)


def spinoff(
    ticker: Ticker,
    new_ticker: Annotated[str, Parameter(help="The stock that is given out.")],
    ratio: Ratio,
    cost_percent: Annotated[str, Parameter(help="Percent of the cost that goes with it.")],
    /,
    *,
    in_lieu: InLieu = None,
    details: Details = _PLAIN,
) -> None:
    """Book a spin-off."""
    numerator, denominator = ratio_of(ratio)
    body = {
        "new_ticker": new_ticker,
        "numerator": numerator,
        "denominator": denominator,
        "cost_percent": cost_percent,
        "cash_in_lieu": in_lieu,
    }
    _book("spin_off", ticker, body, details)


def actions(
    file: Annotated[Path, Parameter(help="CSV with a header: kind, ticker, per_share, …")],
    /,
    *,
    every_account: Annotated[
        bool, Parameter(negative="", show_default=False, help="On every account they concern.")
    ] = False,
    options: Remote = REMOTE,
) -> None:
    """Book the corporate actions of a file, in its order; each row is booked once, for ever."""
    _check_accounts(every=every_account, options=options)
    rows = _rows(file)
    with Desk(options) as desk:
        for number, row in rows:
            body: dict[str, Any] = {**row, "every_account": every_account}
            body.setdefault("key", _key_of(row))
            try:
                answer = desk.post(PATH, body)
            except CommandFailed as failure:
                text = f"Line {number}: {failure}"
                raise CommandFailed(text, failure.exit_code, failure.problem) from None
            if options.json:
                show_json(answer.text)
            else:
                _show(answer.read(Acted))


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}.", Exit.USAGE) from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if unknown := [name for name in names if name not in _COLUMNS]:
        raise CommandFailed(
            f"{file}: has the column {unknown[0]!r}. It may have {', '.join(sorted(_COLUMNS))}.",
            Exit.USAGE,
        )
    reader.fieldnames = names
    try:
        return [(reader.line_num, _body(row)) for row in reader]
    except (csv.Error, ValueError) as error:
        raise CommandFailed(f"{file}, line {reader.line_num}: {error}.", Exit.USAGE) from None


def _body(row: dict[str, Any]) -> dict[str, Any]:
    cells = [*row, *row.values()]
    if not all(isinstance(cell, str) for cell in cells):
        # What has no name, or no value.
        raise ValueError("must have as many cells as the header")
    said = {name: value.strip() for name, value in row.items() if value.strip()}
    if "key" not in said and "effective_at" not in said:
        # Two dividends may say the same but for their time.
        raise ValueError("must have a key or effective_at, which tell it from another one")
    return {name: int(value) if name in _WHOLE else value for name, value in said.items()}


def _key_of(said: dict[str, Any]) -> str:
    """Return the key of an action that has none: the same for the same words."""
    text = json.dumps(said, sort_keys=True)
    return f"action:{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _check_accounts(*, every: bool, options: Remote) -> None:
    if every and options.account is not None:
        raise CommandFailed("Give either --account or --every-account.", Exit.USAGE)


def _book(kind: str, ticker: str, terms: dict[str, Any], details: Details) -> None:
    _check_accounts(every=details.every_account, options=details)
    said = {
        "kind": kind,
        "ticker": ticker,
        "effective_at": details.effective,
        **{name: value for name, value in terms.items() if value is not None},
    }
    body = {
        **said,
        "key": new_id() if details.key is None else details.key,
        "note": details.note,
        "every_account": details.every_account,
    }
    with Desk(details) as desk:
        answer = desk.post(PATH, body)
        if details.json:
            show_json(answer.text)
        else:
            _show(answer.read(Acted))


def _show(acted: Acted) -> None:
    if not acted.results:
        say("It concerns no account.")
        return
    rows = table("Account", "Outcome", ">Cash", "Trades", ">Orders adjusted", ">Canceled")
    for one in acted.results:
        outcome = "booked before, with the same key" if one.replayed else one.status
        rows.add_row(
            clean(one.account),
            clean(one.problem.detail if one.problem else outcome),
            money(one.movement.amount) if one.movement else "",
            ", ".join(
                f"{clean(t.side)} {quantity(t.quantity)} {clean(t.ticker)}" for t in one.trades
            ),
            str(len(one.orders)),
            str(len(one.canceled)),
        )
    screen().print(rows)


def ratio_of(text: str) -> tuple[int, int]:
    """Return the numbers of a ratio such as 3:2. Raises CommandFailed for another text."""
    new, _, old = text.partition(":")
    try:
        return int(new), int(old)
    except ValueError:
        raise CommandFailed(
            f"{text!r} is no ratio. Write new shares for old ones, such as 3:2.", Exit.USAGE
        ) from None
