"""Positions: what an account holds, and what its whole was worth over time."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, Money, Price, Quantity, Ticker
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT


class Position(Base):
    """An open holding of one ticker. A closed position has no row.

    `quantity` in shares (9 places), `cost_basis` in US dollars (6 places): what the shares cost.
    Both are negative for shares sold short: the cost is then what the sale brought.
    `avg_cost` is cost_basis / quantity to 9 places, rewritten with every booking, never an input.
    """

    __tablename__ = "positions"
    __table_args__ = (
        UniqueConstraint("user_id", "ticker"),
        CheckConstraint("quantity <> 0", name="quantity_not_zero"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), default=DEFAULT_ACCOUNT, server_default=DEFAULT_ACCOUNT
    )
    ticker: Mapped[Ticker] = mapped_column(index=True)
    quantity: Mapped[Quantity]
    cost_basis: Mapped[Money]
    avg_cost: Mapped[Price]
    opened_at: Mapped[Instant] = mapped_column(default=utc_now)
    updated_at: Mapped[Instant] = mapped_column(default=utc_now)


class PositionLot(Base):
    """Shares of a position that were opened together, where an account tells them apart.

    `number` is that of the journal's entry that opened them, 0 for what was held at average cost
    before. Quantities and costs are as those of the position, of which they are the parts. A
    position without lots is one whole, at average cost.
    """

    __tablename__ = "position_lots"
    __table_args__ = (CheckConstraint("quantity <> 0", name="quantity_not_zero"),)

    user_id: Mapped[Id] = mapped_column(ForeignKey("users_profile.id"), primary_key=True)
    ticker: Mapped[Ticker] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    opened_at: Mapped[Instant]
    quantity: Mapped[Quantity]
    cost_basis: Mapped[Money]


class PortfolioSnapshot(Base):
    """What an account was worth at an instant, in US dollars with 6 places.

    `total_value` is cash_balance + positions_value. `incomplete` says that a held ticker had no
    fresh price: its last known one was used, or its cost where there never was a price. Rows are
    never changed when they are old, but most of them are deleted (`portfolio/retention.py`).
    """

    __tablename__ = "portfolio_snapshots"
    __table_args__ = (Index(None, "user_id", "recorded_at"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), default=DEFAULT_ACCOUNT, server_default=DEFAULT_ACCOUNT
    )
    total_value: Mapped[Money]
    cash_balance: Mapped[Money]
    positions_value: Mapped[Money]
    incomplete: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    recorded_at: Mapped[Instant] = mapped_column(default=utc_now)
