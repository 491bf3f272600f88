"""`paperdesk split`, `dividend`, `rename` and `spinoff`: what companies do to shares."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from cyclopts import Parameter

from paperdesk.cli.answers import Acted, ActionResult
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import Remote
from paperdesk.cli.output import clean, money, quantity, say, screen, show_json, table
from paperdesk.ids import new_id

Ticker = Annotated[str, Parameter(help="The stock, such as AAPL.")]
Ratio = Annotated[str, Parameter(help="New shares for old ones: 3:2, or 1:10.")]
InLieu = Annotated[
    str | None, Parameter(help="What a share is paid after it, for a fraction; else it is kept.")
]

PATH: Final = "/api/corporate-actions"
OUTCOME: Final = ("Account", "~Outcome", ">Cash", "~Trades", ">Orders adjusted", ">Canceled")
OUTCOME_DROP: Final = ("Canceled", "Orders adjusted", "Trades", "Cash")


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


def check_accounts(*, every: bool, options: Remote) -> None:
    """Raise CommandFailed where both one account and every account are named."""
    if every and options.account is not None:
        raise CommandFailed("Give either --account or --every-account.", Exit.USAGE)


def _book(kind: str, ticker: str, terms: dict[str, Any], details: Details) -> None:
    check_accounts(every=details.every_account, options=details)
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
    rows = table(*OUTCOME, drop=OUTCOME_DROP)
    for one in acted.results:
        rows.add_row(*outcome(one))
    screen().print(rows)


def outcome(one: ActionResult) -> tuple[str, ...]:
    """Return the cells that say what an action did to an account."""
    told = "booked before, with the same key" if one.replayed else one.status
    return (
        clean(one.account),
        clean(one.problem.detail if one.problem else told),
        money(one.movement.amount) if one.movement else "",
        ", ".join(f"{clean(t.side)} {quantity(t.quantity)} {clean(t.ticker)}" for t in one.trades),
        str(len(one.orders)),
        str(len(one.canceled)),
    )


def ratio_of(text: str) -> tuple[int, int]:
    """Return the numbers of a ratio such as 3:2. Raises CommandFailed for another text."""
    new, _, old = text.partition(":")
    try:
        return int(new), int(old)
    except ValueError:
        raise CommandFailed(
            f"{text!r} is no ratio. Write new shares for old ones, such as 3:2.", Exit.USAGE
        ) from None
