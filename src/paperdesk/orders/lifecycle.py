"""The life of an order: which status may follow which. Everything that changes one asks here."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from paperdesk.errors import InvalidState
from paperdesk.models import Order, OrderStatus

_ENDS: Final = frozenset(
    {
        OrderStatus.filled,
        OrderStatus.canceled,
        OrderStatus.expired,
        OrderStatus.rejected,
        OrderStatus.replaced,
    }
)

TRANSITIONS: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    # Waits for the order that it is linked to.
    OrderStatus.held: (_ENDS - {OrderStatus.filled}) | {OrderStatus.new, OrderStatus.accepted},
    # Waits for the market to open.
    OrderStatus.accepted: _ENDS | {OrderStatus.partially_filled},
    # Waits for its price.
    OrderStatus.new: _ENDS | {OrderStatus.partially_filled},
    # What was filled stays, so it cannot be rejected any more.
    OrderStatus.partially_filled: (_ENDS - {OrderStatus.rejected}) | {OrderStatus.partially_filled},
    **dict.fromkeys(_ENDS, frozenset()),
}
"""From each status those that may follow. What has ended stays as it is, for ever."""

_ENDED_AT: Final = {
    OrderStatus.filled: "filled_at",
    OrderStatus.canceled: "canceled_at",
    OrderStatus.expired: "expired_at",
}
_NOTHING: Final = Decimal(0)


def check(order: Order, to: OrderStatus) -> None:
    """Raise InvalidState where an order may not become `to`."""
    if to in TRANSITIONS[order.status]:
        return
    if order.closed_at is not None:
        raise InvalidState(
            f"The order is {order.status}: it has ended, and can no longer be {to}. Place a new "
            "one."
        )
    raise InvalidState(f"The order is {order.status}, and cannot be {to} from there.")


def ended(
    order: Order, to: OrderStatus, now: datetime, reason: str | None = None
) -> dict[str, Any]:
    """Return the state of an order that ends now: it sets nothing aside any more.

    Raises InvalidState where it may not end so.
    """
    check(order, to)
    state: dict[str, Any] = {
        "status": to,
        "reserved_cash": _NOTHING,
        "reserved_quantity": _NOTHING,
        "reason": reason,
        "closed_at": now,
        "updated_at": now,
    }
    if at := _ENDED_AT.get(to):
        state[at] = now
    return state
