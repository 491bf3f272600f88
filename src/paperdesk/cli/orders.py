"""`paperdesk order`, `orders` and `close`: orders that may rest, and what became of them."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from paperdesk.cli.answers import Order
from paperdesk.cli.client import Answer, Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Every, HowMany, Remote
from paperdesk.cli.output import (
    OLDER,
    clean,
    instant,
    money,
    price,
    quantity,
    say,
    screen,
    show_json,
    table,
)
from paperdesk.cli.trade import Details
from paperdesk.ids import new_id

Side = Literal["buy", "sell"]
Standing = Literal["open", "closed", "all"]
TimeInForce = Literal["day", "gtc", "ioc", "fok", "opg", "cls"]
Ticker = Annotated[str, Parameter(help="The stock, such as AAPL.")]
OrderId = Annotated[str, Parameter(help="The order's id.")]
Lots = Annotated[
    str | None, Parameter(help="The lots that it closes, by number: 12,7. See portfolio --lots.")
]

orders = App(
    name="orders",
    help_epilogue="""\
Examples:
  paperdesk orders
  paperdesk orders --status all --ticker AAPL
  paperdesk orders cancel 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51
  paperdesk orders cancel --all --ticker AAPL
  paperdesk orders replace 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51 --limit 185""",
)


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
    take_profit: Annotated[str | None, Parameter(help="Then sell at this limit.")] = None
    stop_loss: Annotated[str | None, Parameter(help="Then sell when it falls to this.")] = None
    oco: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="One of --limit and --stop-loss alone."),
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
        _show(answer, terms)


def close(
    ticker: Ticker,
    number: Annotated[str | None, Parameter(help="How many shares, or 50%. Default: all.")] = None,
    /,
    *,
    cancel_orders: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Cancel what would close it first."),
    ] = False,
    lots: Lots = None,
    details: Details = _DETAILS,
) -> None:
    """Close a position, or a part of it, at the market."""
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
        _show(desk.post(path, body, key=key), details)


@orders.default
def show_orders(
    *,
    status: Annotated[Standing, Parameter(help="Whether they are open.")] = "open",
    ticker: Annotated[str | None, Parameter(help="Only this stock.")] = None,
    side: Annotated[Side | None, Parameter(help="Only this side.")] = None,
    limit: HowMany = 20,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show orders, the last placed first."""
    with Desk(options) as desk:
        answer = desk.rows(
            "/api/orders",
            limit=None if every else limit,
            status=status,
            ticker=ticker,
            side=side,
        )
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Order])
    if not found:
        say("No orders match." if status == "all" or ticker or side else "No open orders.")
        return
    _table(found)
    if answer.next_page:
        say(OLDER)


@orders.command
def cancel(
    order_id: Annotated[str | None, Parameter(help="The order's id.")] = None,
    /,
    *,
    every: Annotated[
        bool, Parameter(name="--all", negative="", show_default=False, help="All open orders.")
    ] = False,
    ticker: Annotated[str | None, Parameter(help="With --all: only of this stock.")] = None,
    side: Annotated[Side | None, Parameter(help="With --all: only of this side.")] = None,
    options: Remote = REMOTE,
) -> None:
    """Cancel an order, or all that are open."""
    if every is (order_id is not None):
        raise CommandFailed("Give the id of an order, or --all.", Exit.USAGE)
    with Desk(options) as desk:
        if order_id is not None:
            answer = desk.delete(f"/api/orders/{quote(order_id, safe='')}")
        else:
            answer = desk.delete("/api/orders", ticker=ticker, side=side)
        if options.json:
            show_json(answer.text)
            return
        canceled = [answer.read(Order)] if order_id is not None else answer.read(list[Order])
    if not canceled:
        say("No open orders.")
        return
    _table(canceled)


@orders.command
def replace(
    order_id: OrderId,
    /,
    *,
    number: Annotated[
        str | None, Parameter(name="--quantity", help="Shares, with those filled already.")
    ] = None,
    limit: Annotated[str | None, Parameter(help="The new limit price.")] = None,
    stop: Annotated[str | None, Parameter(help="The new stop price.")] = None,
    trail: Annotated[str | None, Parameter(help="The new distance of a trailing stop.")] = None,
    tif: Annotated[TimeInForce | None, Parameter(help="How long it stands.")] = None,
    key: Annotated[str | None, Parameter(help="The idempotency key.")] = None,
    options: Remote = REMOTE,
) -> None:
    """Put an order with other terms in the place of an open one."""
    body = {
        "quantity": number,
        "limit_price": limit,
        "stop_price": stop,
        "trail": trail,
        "time_in_force": tif,
    }
    if not any(body.values()):
        raise CommandFailed("Say what shall be different, such as --limit 185.", Exit.USAGE)
    with Desk(options) as desk:
        path = f"/api/orders/{quote(order_id, safe='')}"
        answer = desk.patch(path, body, key=new_id() if key is None else key)
        _show(answer, options)


def _priced(terms: OrderTerms) -> dict[str, str]:
    """Return the type that the prices of an order make it, and the prices."""
    if terms.trail is not None:
        return {"type": "trailing_stop", **_share(terms.trail, "trail_percent", "trail_price")}
    match terms.limit, terms.stop:
        case None, None:
            return {"type": "market"}
        case str(limit), None:
            return {"type": "limit", "limit_price": limit}
        case None, str(stop):
            return {"type": "stop", "stop_price": stop}
        case limit, stop:
            return {"type": "stop_limit", "limit_price": str(limit), "stop_price": str(stop)}


def _linked(terms: OrderTerms) -> dict[str, str | dict[str, str]]:
    exits: dict[str, str | dict[str, str]] = {}
    if terms.take_profit is not None:
        exits["take_profit"] = {"limit_price": terms.take_profit}
    if terms.stop_loss is not None:
        exits["stop_loss"] = {"stop_price": terms.stop_loss}
    if exits:
        exits["order_class"] = "oco" if terms.oco else ("oto", "bracket")[len(exits) - 1]
    return exits


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


def _show(answer: Answer, options: Remote) -> None:
    if options.json:
        show_json(answer.text)
        return
    placed = answer.read(Order)
    _table([placed, *placed.legs])
    if answer.replayed:
        say("Placed before, with the same key.")


def _table(found: list[Order]) -> None:
    rows = table(
        "Placed (UTC)", "Side", "Ticker", ">Size", "Type", ">Price", ">Filled", "Status", "Id"
    )
    for one in found:
        size = quantity(one.quantity) if one.quantity is not None else None
        rows.add_row(
            instant(one.submitted_at),
            clean(one.side),
            clean(one.ticker),
            size or money(one.notional or one.filled_quantity),
            clean(f"{one.type} {one.time_in_force}"),
            _prices(one),
            quantity(one.filled_quantity),
            clean(one.status),
            clean(one.id),
        )
    screen().print(rows)
    for one in found:
        if one.reason:
            say(f"{clean(one.id)}: {clean(one.reason)}")


def _prices(one: Order) -> str:
    """Return the price at which an order was filled, else those that it waits for."""
    if one.filled_avg_price is not None:
        return price(one.filled_avg_price)
    waits = [price(p) for p in (one.stop_price, one.limit_price) if p is not None]
    if one.trail_price is not None:
        waits.append(f"-{price(one.trail_price)}")
    if one.trail_percent is not None:
        waits.append(f"-{quantity(one.trail_percent)} %")
    return " / ".join(waits)
