"""Orders as a table."""

from paperdesk.cli.answers import Order, OrderResult
from paperdesk.cli.client import Answer
from paperdesk.cli.options import Remote
from paperdesk.cli.output import (
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


def show_placed(answer: Answer, options: Remote) -> None:
    """Print an order as it was answered, with those that are linked to it."""
    if options.json:
        show_json(answer.text)
        return
    placed = answer.read(Order)
    show_table([placed, *placed.legs])
    if answer.replayed:
        say("Placed before, with the same key.")


def show_results(results: list[OrderResult]) -> None:
    """Print what came of several orders: a table, and why others were refused."""
    placed = [one.order for one in results if one.order is not None]
    if placed:
        show_table(placed)
    for one in results:
        if one.problem:
            say(f"{clean(one.status).capitalize()}: {clean(one.problem.detail)}")


def show_table(found: list[Order], *, reasons: bool = True) -> None:
    """Print orders as a table, and why they ended."""
    rows = table(
        "Placed (UTC)",
        "Side",
        "Ticker",
        ">Size",
        "Type",
        ">Price",
        ">Filled",
        ">Filled at",
        "Status",
        "Id",
        drop=("Placed (UTC)", "Filled", "Type", "Price"),
        apart="Id",
    )
    for one in found:
        size = quantity(one.quantity) if one.quantity is not None else None
        average = one.filled_avg_price
        rows.add_row(
            instant(one.submitted_at),
            clean(one.side),
            clean(one.ticker),
            size or money(one.notional or one.filled_quantity),
            clean(f"{one.type} {one.time_in_force}"),
            _prices(one),
            quantity(one.filled_quantity),
            price(average) if average is not None else "",
            clean(one.status),
            clean(one.id),
        )
    if all(one.filled_avg_price is None for one in found):
        rows.leave_out("Filled at")
    screen().print(rows)
    for one in found:
        if reasons and one.reason:
            say(f"{clean(one.id)}: {clean(one.reason)}")


def _prices(one: Order) -> str:
    """Return the prices that an order waits for, or waited for."""
    waits = [price(p) for p in (one.stop_price, one.limit_price) if p is not None]
    # A purchase trails above the best price, a sale below.
    sign = "+" if one.side == "buy" else "-"
    if one.trail_price is not None:
        waits.append(f"{sign}{price(one.trail_price)}")
    if one.trail_percent is not None:
        waits.append(f"{sign}{quantity(one.trail_percent)} %")
    return " / ".join(waits)
