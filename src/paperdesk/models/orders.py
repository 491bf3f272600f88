"""Orders: what an account asked for, and what became of it."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import (
    Id,
    Instant,
    Money,
    Name,
    Percent,
    Price,
    Prose,
    Quantity,
    Ticker,
    enum_column,
)
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT
from paperdesk.models.enums import OrderStatus, OrderType, Side, TimeInForce


class Order(Base):
    """An instruction to buy or sell, by `quantity` (shares) or by `notional` (US dollars).

    `client_order_id` is the caller's own key: unique per account for ever, which is what makes
    placing an order repeatable without a second effect. `filled_avg_price` is the mean price of
    what was filled. `source` says which door the order came through (api, webhook, job, chat, …);
    (`signal_id`, `leg`) is unique, so a signal cannot order twice.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("user_id", "client_order_id"),
        UniqueConstraint("signal_id", "leg"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("notional > 0", name="notional_positive"),
        CheckConstraint("(quantity IS NULL) <> (notional IS NULL)", name="quantity_or_notional"),
        CheckConstraint("filled_quantity >= 0", name="filled_quantity_not_negative"),
        Index(None, "user_id", "status"),
        Index(None, "status", "ticker"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), default=DEFAULT_ACCOUNT, server_default=DEFAULT_ACCOUNT
    )
    client_order_id: Mapped[Name]
    ticker: Mapped[Ticker]
    side: Mapped[Side] = mapped_column(enum_column(Side))
    type: Mapped[OrderType] = mapped_column(enum_column(OrderType))
    time_in_force: Mapped[TimeInForce] = mapped_column(enum_column(TimeInForce))
    status: Mapped[OrderStatus] = mapped_column(enum_column(OrderStatus))
    quantity: Mapped[Quantity | None]
    notional: Mapped[Money | None]
    limit_price: Mapped[Price | None]
    stop_price: Mapped[Price | None]
    trail_price: Mapped[Price | None]
    trail_percent: Mapped[Percent | None]
    filled_quantity: Mapped[Quantity] = mapped_column(default=Decimal(0), server_default=text("0"))
    filled_avg_price: Mapped[Price | None]
    source: Mapped[Name]
    strategy: Mapped[Name | None]
    note: Mapped[Prose | None]
    signal_id: Mapped[str | None] = mapped_column(ForeignKey("signals.signal_id"))
    leg: Mapped[str | None]
    submitted_at: Mapped[Instant] = mapped_column(default=utc_now)
    filled_at: Mapped[Instant | None]
    canceled_at: Mapped[Instant | None]
    expired_at: Mapped[Instant | None]
    updated_at: Mapped[Instant] = mapped_column(default=utc_now)
