"""What an account holds, as the writer left it after its last booking."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select
from sqlalchemy.orm import InstrumentedAttribute

from paperdesk.errors import NotFound
from paperdesk.models import Position, UserProfile


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """One holding: shares (9 places), what they cost (6 places), and the cost of one (9 places).

    `id` is that of its row, `opened_at` when the first of the shares were bought.
    """

    id: str
    ticker: str
    quantity: Decimal
    cost_basis: Decimal
    avg_cost: Decimal
    opened_at: datetime

    def __hash__(self) -> int:
        """Hash what tells holdings apart in practice, in half the time of all fields."""
        return hash((self.id, self.quantity, self.cost_basis))


class Head(NamedTuple):
    """Where an account stands: the last entry of its journal, its cash and what it realised."""

    id: str
    sequence: int
    hash: str
    cash_balance: Decimal
    realized_pnl: Decimal


HEAD: tuple[InstrumentedAttribute[Any], ...] = (
    UserProfile.id,
    UserProfile.head_sequence,
    UserProfile.head_hash,
    UserProfile.cash_balance,
    UserProfile.realized_pnl,
)
"""The columns of a `Head`, in its order."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account at one point of its journal: `sequence` is that of the last entry it includes."""

    head: Head
    positions: tuple[HeldPosition, ...]

    @property
    def id(self) -> str:
        """The account's id."""
        return self.head.id

    @property
    def sequence(self) -> int:
        """The number of its last entry."""
        return self.head.sequence

    @property
    def cash_balance(self) -> Decimal:
        """Cash, in US dollars with 6 places."""
        return self.head.cash_balance

    @property
    def realized_pnl(self) -> Decimal:
        """What its trades made so far, before fees, in US dollars with 6 places."""
        return self.head.realized_pnl

    @property
    def reserved_cash(self) -> Decimal:
        """Cash set aside for open buy orders, in US dollars; market orders fill at once."""
        return Decimal(0)


def rows_of(account_id: str) -> Select[*tuple[Any, ...]]:
    """Return the one query that reads an account with its positions, at one instant."""
    return (
        select(
            *HEAD,
            Position.id,
            Position.ticker,
            Position.quantity,
            Position.cost_basis,
            Position.avg_cost,
            Position.opened_at,
        )
        .outerjoin(Position, Position.user_id == UserProfile.id)
        .where(UserProfile.id == account_id)
        .order_by(Position.ticker)
    )


def view_from(rows: Sequence[Row[*tuple[Any, ...]]]) -> AccountView:
    """Return the view that the rows of `rows_of` show. Raises NotFound where there are none."""
    if not rows:
        raise NotFound("There is no such account.")
    end = len(Head._fields)
    held = tuple(HeldPosition(*row[end:]) for row in rows if row[end] is not None)
    return AccountView(Head(*rows[0][:end]), held)


def read_view(connection: Connection, account_id: str) -> AccountView:
    """Return an account's view as of the connection's transaction."""
    return view_from(connection.execute(rows_of(account_id)).all())
