"""`paperdesk orders`: what became of orders; cancel and replace those that are open."""

from typing import Annotated, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from paperdesk.cli.answers import Order
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Every, HowMany, OfSource, OfStrategy, Remote
from paperdesk.cli.order import Side, TimeInForce
from paperdesk.cli.order_table import show_placed, show_table
from paperdesk.cli.output import OLDER, say, show_json
from paperdesk.ids import new_id

Standing = Literal["open", "closed", "all"]
OrderId = Annotated[str, Parameter(help="The order's id.")]

orders = App(
    name="orders",
    help_epilogue="""\
Examples:
  paperdesk orders
  paperdesk orders --status all --ticker AAPL
  paperdesk orders --status closed --strategy momentum
  paperdesk orders cancel 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51
  paperdesk orders cancel --all --ticker AAPL
  paperdesk orders replace 01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51 --limit 185""",
)


@orders.default
def show_orders(
    *,
    status: Annotated[Standing, Parameter(help="Whether they are open.")] = "open",
    ticker: Annotated[str | None, Parameter(help="Only this stock.")] = None,
    side: Annotated[Side | None, Parameter(help="Only this side.")] = None,
    strategy: OfStrategy = None,
    source: OfSource = None,
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
            strategy=strategy,
            source=source,
        )
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Order])
    if not found:
        chosen = status != "open" or ticker or side or strategy or source
        say("No orders match." if chosen else "No open orders.")
        return
    show_table(found)
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
    if order_id is not None and (ticker is not None or side is not None):
        raise CommandFailed("--ticker and --side go with --all, not with an id.", Exit.USAGE)
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
    # Of many that were all canceled just now, nobody asks why.
    show_table(canceled, reasons=order_id is not None)


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
        show_placed(answer, options)
