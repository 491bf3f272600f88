"""A resting order, with no more than it takes to see whether a price fills it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from paperdesk.models import Order, OrderStatus, OrderType, Side, TimeInForce


class Watermark(NamedTuple):
    """The best price since a trailing order was placed, counted as its last split left prices."""

    price: Decimal
    adjusted_by: str | None


@dataclass(frozen=True, slots=True)
class Resting:
    """An open order as the matching knows it. Its fields are those of `Order`."""

    id: str
    user_id: str
    ticker: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    status: OrderStatus
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    watermark: Decimal | None
    extended_hours: bool
    triggered_at: datetime | None
    expires_at: datetime | None
    adjusted_by: str | None
    replaces: str | None

    @classmethod
    def of(cls, order: Order) -> "Resting":
        """Return what the matching needs to know of an order."""
        return cls(*(getattr(order, name) for name in cls.__slots__))
