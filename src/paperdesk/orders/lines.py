"""What the audit trail says of orders: each function notes one thing that became of one."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from paperdesk.audit.trail import Action, Line
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import plain
from paperdesk.models import Order, OrderStatus, Trade

_ALWAYS: Final = ("ticker", "side", "type", "time_in_force", "quantity", "status", "source")
_WHERE_GIVEN: Final = (
    "notional",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "strategy",
    "lots",
    "leg",
    "replaces",
    "reason",
    "signal_id",
)
_ENDS: Final = {
    OrderStatus.canceled: Action.order_canceled,
    OrderStatus.expired: Action.order_expired,
    OrderStatus.rejected: Action.order_rejected,
}


def terms(order: Order) -> dict[str, Any]:
    """Return what an order says as it is now, for a line's before or after."""
    # Not by attribute: each would be looked up as something that may yet be loaded.
    values = vars(order)
    said = {name: plain(values[name]) for name in _ALWAYS}
    for name in _WHERE_GIVEN:
        if (value := values.get(name)) is not None:
            said[name] = plain(value)
    return said


def placed(
    books: Books,
    order: Order,
    legs: Sequence[Order],
    trades: Sequence[Trade],
    action: Action,
    before: dict[str, Any] | None = None,
) -> None:
    """Note that an order was placed, with what was filled of it at once."""
    after = terms(order)
    if trades:
        after["fills"] = _fills(trades)
    if legs:
        after["legs"] = [{"id": leg.id, **terms(leg)} for leg in legs]
    message = f"{_says(order)}: {order.status}."
    books.note(Line(action, message, order.user_id, order.id, before, after))


def filled(books: Books, order: Order, trades: Sequence[Trade], before: OrderStatus) -> None:
    """Note that a resting order was filled, whole or in part."""
    after = {
        "status": order.status,
        "filled_quantity": plain(order.filled_quantity),
        "fills": _fills(trades),
    }
    message = f"{_says(order)}: {order.status}."
    line = Line(Action.order_filled, message, order.user_id, order.id, {"status": before}, after)
    books.note(line)


def ended(books: Books, order: Order, before: OrderStatus) -> None:
    """Note that an order ended without being filled whole, and why."""
    after = {
        "status": order.status,
        "filled_quantity": plain(order.filled_quantity),
        "reason": order.reason,
    }
    message = f"{_says(order)}: {order.status}. {order.reason or ''}".rstrip()
    action = _ENDS[order.status]
    books.note(Line(action, message, order.user_id, order.id, {"status": before}, after))


def triggered(books: Books, order: Order, price: Decimal) -> None:
    """Note that a price reached the stop of an order."""
    message = f"{_says(order)}: its stop was reached."
    after = {"stop_price": plain(order.stop_price), "price": plain(price)}
    books.note(Line(Action.order_triggered, message, order.user_id, order.id, None, after))


def changed(
    books: Books, order: Order, before: dict[str, Any], action: Action = Action.order_changed
) -> None:
    """Note that an order goes on with other terms; `before` are the `terms` that it had."""
    after = terms(order)
    if after == before and action is Action.order_changed:
        return
    books.note(Line(action, f"{_says(order)}.", order.user_id, order.id, before, after))


def _says(order: Order) -> str:
    size = f"${plain(order.notional)} of" if order.quantity is None else plain(order.quantity)
    return f"{order.side} {size} {order.ticker}, {order.type} {order.time_in_force}"


def _fills(trades: Sequence[Trade]) -> list[dict[str, Any]]:
    return [
        {"id": trade.id, "quantity": plain(trade.quantity), "price": plain(trade.price)}
        for trade in trades
    ]
