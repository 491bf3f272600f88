"""The journal: append-only, one gapless sequence per account over its three tables.

Every entry carries the hash of itself chained to the entry before, so a changed, removed or
swapped entry shows. Triggers in the database refuse UPDATE and DELETE.
"""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import (
    Id,
    Instant,
    Money,
    Name,
    Price,
    Prose,
    Quantity,
    Ticker,
    enum_column,
)
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT
from paperdesk.models.enums import CashMovementKind, CostBasis, PositionAdjustmentKind, Side
from paperdesk.models.orders import Order


class Trade(Base):
    """A fill: shares against cash.

    `value` is quantity x price, rounded half-even to 6 places of a US dollar, and `fee` what was
    paid on top. `realized_pnl` is what the trade made against the cost of the shares it closed,
    before its fee (0 for one that opens). `executed_at` is when it happened, `sequence` its place
    in the order of booking.

    `cost_basis_method` is the one it was booked by; NULL: at average cost, before lots were kept.
    `opened_at` says since when the oldest was held of what it closed, NULL for one that opens.
    `closed_lots` is a JSON array of the lots that it closed, each `[number, opened_at, quantity,
    cost]` in whole units of 9 and 6 places; NULL at average cost, which knows no lots.
    """

    __tablename__ = "trades"
    __table_args__ = (
        UniqueConstraint("user_id", "sequence"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("price > 0", name="price_positive"),
        Index(None, "user_id", "ticker", "sequence"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), default=DEFAULT_ACCOUNT, server_default=DEFAULT_ACCOUNT
    )
    order_id: Mapped[Id | None] = mapped_column(ForeignKey("orders.id"), index=True)
    ticker: Mapped[Ticker]
    side: Mapped[Side] = mapped_column(enum_column(Side))
    quantity: Mapped[Quantity]
    price: Mapped[Price]
    value: Mapped[Money]
    fee: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    realized_pnl: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    source: Mapped[Name]
    strategy: Mapped[Name | None]
    executed_at: Mapped[Instant] = mapped_column(default=utc_now)
    sequence: Mapped[int]
    hash: Mapped[str]
    cost_basis_method: Mapped[CostBasis | None] = mapped_column(enum_column(CostBasis))
    opened_at: Mapped[Instant | None]
    closed_lots: Mapped[Prose | None]

    # Also what makes the unit of work write an order before the trade that refers to it.
    order: Mapped[Order | None] = relationship(lazy="raise")


class CashMovement(Base):
    """Cash that came or went other than by a trade, in US dollars; negative when it went.

    An account's opening balance is its first entry. An `adjustment` takes all cash from an account
    that is reset, and what was realised starts from 0; the new balance is the entry after it. `key`
    is unique per account: the same movement is never booked twice. A `fee` here is an account fee;
    a trade's fee lives on the trade. `ticker` is that of the position which it comes from, such as
    a dividend's.
    """

    __tablename__ = "cash_movements"
    __table_args__ = (UniqueConstraint("user_id", "sequence"), UniqueConstraint("user_id", "key"))

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users_profile.id"))
    kind: Mapped[CashMovementKind] = mapped_column(enum_column(CashMovementKind))
    amount: Mapped[Money]
    key: Mapped[Name]
    note: Mapped[Prose | None]
    effective_at: Mapped[Instant]
    sequence: Mapped[int]
    hash: Mapped[str]
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    ticker: Mapped[Ticker | None]


class PositionAdjustment(Base):
    """A change of a position without a trade: a split, symbol change, spin-off, transfer or reset.

    A split multiplies the quantity by `numerator` / `denominator`, whole numbers. `quantity`,
    `cost_basis` and `amount` are changes in shares and US dollars; `amount` is cash (such as cash
    in lieu of a fraction). `key` is unique per account: the same event is never booked twice.
    `opened_at` says of a transfer since when its shares were held: they are a lot of their own.
    `price` is what a share was worth when it was transferred or given up, where that was known.
    """

    __tablename__ = "position_adjustments"
    __table_args__ = (
        UniqueConstraint("user_id", "sequence"),
        UniqueConstraint("user_id", "key"),
        CheckConstraint("numerator > 0 AND denominator > 0", name="ratio_positive"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users_profile.id"))
    kind: Mapped[PositionAdjustmentKind] = mapped_column(enum_column(PositionAdjustmentKind))
    ticker: Mapped[Ticker]
    new_ticker: Mapped[Ticker | None]
    numerator: Mapped[int | None]
    denominator: Mapped[int | None]
    quantity: Mapped[Quantity] = mapped_column(default=Decimal(0), server_default=text("0"))
    cost_basis: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    amount: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    key: Mapped[Name]
    note: Mapped[Prose | None]
    effective_at: Mapped[Instant]
    sequence: Mapped[int]
    hash: Mapped[str]
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    opened_at: Mapped[Instant | None]
    price: Mapped[Price | None]
