"""What an account holds, as the writer left it after its last booking."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from paperdesk.errors import NotFound
from paperdesk.models import Position, UserProfile


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """One holding: shares (9 places), what they cost (6 places), and the cost of one (9 places)."""

    ticker: str
    quantity: Decimal
    cost_basis: Decimal
    avg_cost: Decimal


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account at one point of its journal: `sequence` is that of the last entry it includes."""

    id: str
    sequence: int
    cash_balance: Decimal
    realized_pnl: Decimal
    positions: tuple[HeldPosition, ...]

    @property
    def reserved_cash(self) -> Decimal:
        """Cash set aside for open buy orders, in US dollars; market orders fill at once."""
        return Decimal(0)


def rows_of(account_id: str) -> Select[Any, Any]:
    """Return the one query that reads an account with its positions, at one instant."""
    return (
        select(UserProfile, Position)
        .outerjoin(Position, Position.user_id == UserProfile.id)
        .where(UserProfile.id == account_id)
        .order_by(Position.ticker)
    )


def view_from(rows: Sequence[Row[Any, Any]]) -> AccountView:
    """Return the view that the rows of `rows_of` show. Raises NotFound where there are none."""
    if not rows:
        raise NotFound("There is no such account.")
    account: UserProfile = rows[0][0]
    held: list[Position] = [position for _, position in rows if position is not None]
    return AccountView(
        id=account.id,
        sequence=account.head_sequence,
        cash_balance=account.cash_balance,
        realized_pnl=account.realized_pnl,
        positions=tuple(HeldPosition(p.ticker, p.quantity, p.cost_basis, p.avg_cost) for p in held),
    )


def read_view(session: Session, account_id: str) -> AccountView:
    """Return an account's view as of the session's transaction."""
    return view_from(session.execute(rows_of(account_id)).all())
