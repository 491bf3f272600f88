"""What an account holds, as the writer left it after its last booking."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from paperdesk.errors import NotFound
from paperdesk.ledger.holdings import Holding, Lot
from paperdesk.ledger.rules import PLAIN, Rules
from paperdesk.models import AccountRules, Order, Position, PositionLot, UserProfile

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """One holding: shares (9 places), what they cost (6 places), and the cost of one (9 places).

    `id` is that of its row, `opened_at` when the first of the shares were bought. `reserved` are
    the shares that open orders are about to close. Shares sold short are negative, and so is their
    cost. `lots` are None where the shares are not told apart.
    """

    id: str
    ticker: str
    quantity: Decimal
    cost_basis: Decimal
    avg_cost: Decimal
    opened_at: datetime
    reserved: Decimal = _ZERO
    lots: tuple[Lot, ...] | None = None

    @property
    def available(self) -> Decimal:
        """The shares, held or sold short, that no open order is about to close."""
        return abs(self.quantity) - self.reserved

    @property
    def holding(self) -> Holding:
        """What booking goes on from."""
        return Holding(self.quantity, self.cost_basis, self.lots)

    def __hash__(self) -> int:
        """Hash what tells holdings apart in practice, in half the time of all fields."""
        return hash((self.id, self.quantity, self.cost_basis))


class Head(NamedTuple):
    """Where an account stands: the last entry of its journal, its cash and what it realised.

    `version` grows with what leaves no entry: its open orders and its rules.
    """

    id: str
    sequence: int
    hash: str
    cash_balance: Decimal
    realized_pnl: Decimal
    version: int


HEAD: tuple[InstrumentedAttribute[Any], ...] = (
    UserProfile.id,
    UserProfile.head_sequence,
    UserProfile.head_hash,
    UserProfile.cash_balance,
    UserProfile.realized_pnl,
    UserProfile.version,
)
"""The columns of a `Head`, in its order."""

_RULES: tuple[InstrumentedAttribute[Any], ...] = tuple(
    getattr(AccountRules, field.name) for field in fields(Rules)
)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account at one point of its journal: `sequence` is that of the last entry it includes.

    `reserved_cash` is set aside for its open buy orders, in US dollars.
    """

    head: Head
    positions: tuple[HeldPosition, ...]
    reserved_cash: Decimal = _ZERO
    rules: Rules = PLAIN

    @property
    def id(self) -> str:
        """The account's id."""
        return self.head.id

    @property
    def sequence(self) -> int:
        """The number of its last entry."""
        return self.head.sequence

    @property
    def point(self) -> tuple[int, int]:
        """What grows with everything that changes the account: its sequence and its version."""
        return self.head.sequence, self.head.version

    @property
    def cash_balance(self) -> Decimal:
        """Cash, in US dollars with 6 places."""
        return self.head.cash_balance

    @property
    def realized_pnl(self) -> Decimal:
        """What its trades made since it was last reset, before fees, in US dollars."""
        return self.head.realized_pnl

    @property
    def sold_short(self) -> Decimal:
        """What the shares brought that are sold short, in US dollars with 6 places."""
        return -sum((p.cost_basis for p in self.positions if p.quantity < 0), _ZERO)

    @property
    def short_collateral(self) -> Decimal:
        """The cash that short positions hold, in US dollars with 6 places."""
        sold = self.sold_short
        return sold + self.rules.margin(sold)

    @property
    def buying_power(self) -> Decimal:
        """The cash that neither open orders nor short positions need, in US dollars, never < 0."""
        return max(_ZERO, self.head.cash_balance - self.reserved_cash - self.short_collateral)


def rows_of(account_id: str) -> Select[*tuple[Any, ...]]:
    """Return the one query that reads an account with its positions, at one instant."""
    is_open = (Order.user_id == account_id, Order.closed_at.is_(None))
    shares = (
        select(Order.ticker, func.sum(Order.reserved_quantity).label("reserved"))
        .where(*is_open)
        .group_by(Order.ticker)
        .subquery("reserved_shares")
    )
    cash = select(func.coalesce(func.sum(Order.reserved_cash), 0)).where(*is_open)
    return (
        select(
            *HEAD,
            cash.scalar_subquery(),
            AccountRules.user_id,
            *_RULES,
            Position.id,
            Position.ticker,
            Position.quantity,
            Position.cost_basis,
            Position.avg_cost,
            Position.opened_at,
            func.coalesce(shares.c.reserved, 0),
            PositionLot.number,
            PositionLot.opened_at,
            PositionLot.quantity,
            PositionLot.cost_basis,
        )
        .outerjoin(AccountRules, AccountRules.user_id == UserProfile.id)
        .outerjoin(Position, Position.user_id == UserProfile.id)
        .outerjoin(shares, shares.c.ticker == Position.ticker)
        .outerjoin(
            PositionLot,
            (PositionLot.user_id == Position.user_id) & (PositionLot.ticker == Position.ticker),
        )
        .where(UserProfile.id == account_id)
        .order_by(Position.ticker, PositionLot.number)
    )


def view_from(rows: Sequence[Row[*tuple[Any, ...]]]) -> AccountView:
    """Return the view that the rows of `rows_of` show. Raises NotFound where there are none."""
    if not rows:
        raise NotFound("There is no such account.")
    head, (reserved_cash, has_rules, *rest) = rows[0][: len(HEAD)], rows[0][len(HEAD) :]
    rules = Rules(*rest[: len(_RULES)]) if has_rules else PLAIN
    first = len(HEAD) + 2 + len(_RULES)
    lot = len(rows[0]) - len(Lot._fields)
    held: list[HeldPosition] = []
    for position, parts in groupby(rows, itemgetter(slice(first, lot))):
        lots = tuple(Lot(*row[lot:]) for row in parts if row[lot] is not None)
        if position[0] is not None:
            held.append(HeldPosition(*position, lots=lots or None))
    return AccountView(Head(*head), tuple(held), reserved_cash, rules)


def read_view(connection: Connection, account_id: str) -> AccountView:
    """Return an account's view as of the connection's transaction."""
    return view_from(connection.execute(rows_of(account_id)).all())
