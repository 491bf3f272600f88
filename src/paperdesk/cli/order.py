"""`paperdesk order` and `close`: orders that may rest, and the one that closes a position."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import quote

from cyclopts import Parameter

from paperdesk.cli.answers import Results
from paperdesk.cli.asking import confirm
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.order_table import show_placed, show_results
from paperdesk.cli.output import say, show_json
from paperdesk.cli.trade import Details
from paperdesk.ids import new_id

Side = Literal["buy", "sell"]
TimeInForce = Literal["day", "gtc", "ioc", "fok", "opg", "cls"]
Ticker = Annotated[str, Parameter(help="The stock, such as AAPL.")]
Lots = Annotated[
    str | None, Parameter(help="The lots that it closes, by number: 12,7. See portfolio --lots.")
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTerms(Details):
    """The terms of an order, and how to speak with the desk."""

    limit: Annotated[str | None, Parameter(help="No worse than this price.")] = None
    stop: Annotated[str | None, Parameter(help="Wait until the price reaches this one.")] = None
    trail: Annotated[
        str | None, Parameter(help="Follow the best price at this distance: 5, or 2.5%.")
    ] = None
    notional: Annotated[str | None, Parameter(help="US dollars, instead of shares.")] = None
    tif: Annotated[TimeInForce, Parameter(help="How long it stands.")] = "day"
    extended: Annotated[
        bool, Parameter(negative="", show_default=False, help="Also in extended hours.")
    ] = False
    take_profit: Annotated[str | None, Parameter(help="Then exit with a gain at this limit.")] = (
        None
    )
    stop_loss: Annotated[
        str | None, Parameter(help="Then exit with a loss once the price reaches this.")
    ] = None
    stop_loss_limit: Annotated[
        str | None, Parameter(help="With --stop-loss: no worse than this; else at the market.")
    ] = None
    oco: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="No entry: --limit and --stop-loss are two exits; the first that fills cancels "
            "the other.",
        ),
    ] = False
    lots: Lots = None


_PLAIN: Final = OrderTerms()
_DETAILS: Final = Details()


def order(
    side: Annotated[Side, Parameter(help="buy or sell.")],
    ticker: Ticker,
    number: Annotated[str | None, Parameter(help="How many shares; or --notional.")] = None,
    /,
    *,
    terms: OrderTerms = _PLAIN,
) -> None:
    """Place an order that rests until its price comes."""
    body = {
        "ticker": ticker,
        "side": side,
        "quantity": number,
        "notional": terms.notional,
        "time_in_force": terms.tif,
        "extended_hours": True if terms.extended else None,
        "lots": _numbers(terms.lots),
        "strategy": terms.strategy,
        "note": terms.note,
        **_priced(terms),
        **_linked(terms),
    }
    with Desk(terms) as desk:
        # One key for all attempts: asking again after a lost answer places nothing twice.
        key = new_id() if terms.key is None else terms.key
        answer = desk.post("/api/orders", body, key=key)
        show_placed(answer, terms)


def close(
    ticker: Annotated[str | None, Parameter(help="The stock, such as AAPL; or --all.")] = None,
    number: Annotated[str | None, Parameter(help="How many shares, or 50%. Default: all.")] = None,
    /,
    *,
    every: Annotated[
        bool, Parameter(name="--all", negative="", show_default=False, help="All positions.")
    ] = False,
    cancel_orders: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Cancel what would close it first."),
    ] = False,
    lots: Lots = None,
    yes: Annotated[
        bool, Parameter(negative=(), show_default=False, help="With --all: do not ask.")
    ] = False,
    details: Details = _DETAILS,
) -> int:
    """Close a position, a part of it, or all positions, at the market."""
    if every is (ticker is not None):
        raise CommandFailed("Give the ticker of a position, or --all.", Exit.USAGE)
    if ticker is None:
        if any(one is not None for one in (lots, details.strategy, details.note, details.key)):
            raise CommandFailed(
                "--lots, --strategy, --note and --key go with one position, not with --all.",
                Exit.USAGE,
            )
        return _close_all(details, cancel_orders=cancel_orders, yes=yes)
    body = {
        "cancel_orders": cancel_orders,
        "lots": _numbers(lots),
        "strategy": details.strategy,
        "note": details.note,
        **({} if number is None else _share(number, "percent", "quantity")),
    }
    with Desk(details) as desk:
        key = new_id() if details.key is None else details.key
        path = f"/api/positions/{quote(ticker, safe='')}/close"
        show_placed(desk.post(path, body, key=key), details)
    return Exit.OK


def _close_all(details: Details, *, cancel_orders: bool, yes: bool) -> int:
    """Close every position. Return 1 where one of them was refused."""
    question = "Every position is closed at the market. Write all to close them: "
    confirm(question, "all", yes=yes, what="close all positions")
    with Desk(details) as desk:
        answer = desk.delete("/api/positions", cancel_orders="true" if cancel_orders else None)
        results = answer.read(Results).results
        if details.json:
            show_json(answer.text)
        elif results:
            show_results(results)
        else:
            say("There are no positions.")
    return Exit.REFUSED if any(one.problem for one in results) else Exit.OK


def _priced(terms: OrderTerms) -> dict[str, str]:
    """Return the type that the prices of an order make it, and the prices."""
    match terms.trail, terms.limit, terms.stop:
        case None, None, None:
            return {"type": "market"}
        case None, str(limit), None:
            return {"type": "limit", "limit_price": limit}
        case None, None, str(stop):
            return {"type": "stop", "stop_price": stop}
        case None, str(limit), str(stop):
            return {"type": "stop_limit", "limit_price": limit, "stop_price": stop}
        case str(trail), None, None:
            return {"type": "trailing_stop", **_share(trail, "trail_percent", "trail_price")}
        case _:
            raise CommandFailed(
                "--trail follows the price by itself: it goes with neither --limit nor --stop.",
                Exit.USAGE,
            )


def _linked(terms: OrderTerms) -> dict[str, str | dict[str, str]]:
    """Return the exits of an order, and the class that they make it."""
    exits: dict[str, str | dict[str, str]] = {}
    if terms.take_profit is not None:
        exits["take_profit"] = {"limit_price": terms.take_profit}
    if terms.stop_loss is not None:
        limited = {} if terms.stop_loss_limit is None else {"limit_price": terms.stop_loss_limit}
        exits["stop_loss"] = {"stop_price": terms.stop_loss, **limited}
    elif terms.stop_loss_limit is not None:
        raise CommandFailed("--stop-loss-limit goes with --stop-loss.", Exit.USAGE)
    if terms.oco:
        _check_oco(terms)
        return {"order_class": "oco", **exits}
    if exits:
        exits["order_class"] = ("oto", "bracket")[len(exits) - 1]
    return exits


def _check_oco(terms: OrderTerms) -> None:
    """Raise CommandFailed where --oco has other prices than those of two exits."""
    if terms.limit is None or terms.stop_loss is None:
        raise CommandFailed(
            "--oco is two exits without an entry: give both --limit and --stop-loss.", Exit.USAGE
        )
    if terms.stop is not None or terms.take_profit is not None:
        raise CommandFailed(
            "--oco takes --limit and --stop-loss alone: it goes with neither --stop nor "
            "--take-profit.",
            Exit.USAGE,
        )


def _numbers(text: str | None) -> list[int] | None:
    """Return the numbers of lots. Raises CommandFailed for what is none."""
    if text is None:
        return None
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise CommandFailed(
            "--lots: give their numbers, such as 12,7. `paperdesk portfolio --lots` shows them.",
            Exit.USAGE,
        ) from None


def _share(text: str, percent: str, amount: str) -> dict[str, str]:
    """Return a number as the percentage that it says it is, or as an amount."""
    return {percent: text.removesuffix("%")} if text.endswith("%") else {amount: text}
