"""Orders: what an account asked for, and what became of it."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import (
    Id,
    Instant,
    Json,
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
from paperdesk.models.enums import OrderClass, OrderStatus, OrderType, Side, TimeInForce


class Order(Base):
    """An instruction to buy or sell, by `quantity` (shares) or by `notional` (US dollars).

    `client_order_id` is the caller's own key: unique per account for ever, which is what makes
    placing an order repeatable without a second effect. `filled_avg_price` is the mean price of
    what was filled. `source` says which door the order came through (api, webhook, job, chat, …);
    (`signal_id`, `leg`) is unique, so a signal cannot order twice.

    Linked orders (a bracket, one that cancels the other) share `group_id`, the id of the first of
    them, and `leg` says what each is. `replaces` and `replaced_by` lead from an order to the one
    that took its place.

    While it is open (`closed_at` is NULL) it sets aside `reserved_cash` (US dollars) and
    `reserved_quantity` (shares). `watermark` is the best price since a trailing stop was placed,
    from which it trails; `triggered_at` is when a stop was reached; at `expires_at` an open order
    ends. `reason` is a sentence on why it ended without being filled. `lots` are the numbers of the
    lots that it closes, in their order; NULL leaves the choice to the account's method.
    `adjusted_by` is the last corporate action that changed its size and prices, or its ticker.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("user_id", "client_order_id"),
        UniqueConstraint("signal_id", "leg"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("notional > 0", name="notional_positive"),
        CheckConstraint("(quantity IS NULL) <> (notional IS NULL)", name="quantity_or_notional"),
        CheckConstraint("filled_quantity >= 0", name="filled_quantity_not_negative"),
        CheckConstraint(
            "reserved_cash >= 0 AND reserved_quantity >= 0", name="reserved_not_negative"
        ),
        CheckConstraint(
            "(closed_at IS NULL) = (status IN ('new', 'accepted', 'partially_filled', 'held'))",
            name="open_or_closed",
        ),
        Index(None, "user_id", "id"),
        # Open orders alone: most were filled at once, and never enter it.
        Index(
            None,
            "user_id",
            "ticker",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(
            None,
            "group_id",
            sqlite_where=text("group_id IS NOT NULL"),
            postgresql_where=text("group_id IS NOT NULL"),
        ),
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
    order_class: Mapped[OrderClass] = mapped_column(
        enum_column(OrderClass), default=OrderClass.simple, server_default=OrderClass.simple
    )
    status: Mapped[OrderStatus] = mapped_column(enum_column(OrderStatus))
    quantity: Mapped[Quantity | None]
    notional: Mapped[Money | None]
    limit_price: Mapped[Price | None]
    stop_price: Mapped[Price | None]
    trail_price: Mapped[Price | None]
    trail_percent: Mapped[Percent | None]
    watermark: Mapped[Price | None]
    extended_hours: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    filled_quantity: Mapped[Quantity] = mapped_column(default=Decimal(0), server_default=text("0"))
    filled_avg_price: Mapped[Price | None]
    reserved_cash: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    reserved_quantity: Mapped[Quantity] = mapped_column(
        default=Decimal(0), server_default=text("0")
    )
    source: Mapped[Name]
    strategy: Mapped[Name | None]
    note: Mapped[Prose | None]
    signal_id: Mapped[str | None] = mapped_column(ForeignKey("signals.signal_id"))
    leg: Mapped[str | None]
    group_id: Mapped[Id | None]
    replaces: Mapped[Id | None]
    replaced_by: Mapped[Id | None]
    reason: Mapped[Prose | None]
    lots: Mapped[Json | None]
    submitted_at: Mapped[Instant] = mapped_column(default=utc_now)
    triggered_at: Mapped[Instant | None]
    filled_at: Mapped[Instant | None]
    canceled_at: Mapped[Instant | None]
    expired_at: Mapped[Instant | None]
    expires_at: Mapped[Instant | None]
    closed_at: Mapped[Instant | None]
    updated_at: Mapped[Instant] = mapped_column(default=utc_now)
    adjusted_by: Mapped[Id | None]
