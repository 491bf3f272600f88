"""Reading a journal for its curve: in whole units as the database has them, in a thread."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Select, String, bindparam, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from paperdesk.ledger.accounts import OPENING_KEY
from paperdesk.models import CashMovement, PositionAdjustment, Side
from paperdesk.models import Trade as TradeRow
from paperdesk.portfolio.performance.events import (
    Adjustment,
    Entries,
    Movement,
    Trade,
    instant_of,
    paid,
)

WINDOW: Final = 2_000
"""Entries that are read at once."""


def entries_of(
    session: Session, account_id: str, after: int, until: int, breathe: Callable[[], None]
) -> Entries:
    """Return the entries of an account after a sequence and up to another; blocks.

    Between two windows `breathe` is called, which may raise.
    """
    trades: list[Trade] = []
    movements: list[Movement] = []
    adjustments: list[Adjustment] = []
    for first in range(after, until, WINDOW):
        breathe()
        bounds = {"account": account_id, "after": first, "last": min(first + WINDOW, until)}
        rows: Any = session.execute(_trades(), bounds)
        for row in rows:
            at, sequence, ticker, side, quantity, *rest = row
            signed = quantity if side == Side.buy.value else -quantity
            trades.append(Trade(_since_1970(at), sequence, ticker, signed, *rest))
        rows = session.execute(_movements(), bounds)
        for at, sequence, kind, amount, key, ticker in rows:
            instant, opening = _since_1970(at), key == OPENING_KEY
            if ticker is None:
                movements.append(Movement(instant, sequence, kind, amount, opening))
            else:
                adjustments.append(paid(instant, sequence, kind, ticker, amount))
        rows = session.execute(_adjustments(), bounds)
        for at, *rest in rows:
            adjustments.append(Adjustment(_since_1970(at), *rest))
    return Entries(until, trades, movements, adjustments)


def hash_of(session: Session, account_id: str, sequence: int) -> str | None:
    """Return the hash of an entry of an account; None where there is no such entry."""
    for table in (TradeRow, CashMovement, PositionAdjustment):
        query = select(table.hash).where(table.user_id == account_id, table.sequence == sequence)
        if (found := session.scalar(query)) is not None:
            return found
    return None


@cache
def _trades() -> Select[Any]:
    table = TradeRow
    return _window(
        table,
        table.executed_at,
        table.sequence,
        table.ticker,
        type_coerce(table.side, String),
        _units(table.quantity),
        _units(table.price),
        _units(table.value),
        _units(table.fee),
        _units(table.realized_pnl),
        table.source,
        table.strategy,
    )


@cache
def _movements() -> Select[Any]:
    table = CashMovement
    return _window(
        table,
        table.effective_at,
        table.sequence,
        type_coerce(table.kind, String),
        _units(table.amount),
        table.key,
        table.ticker,
    )


@cache
def _adjustments() -> Select[Any]:
    table = PositionAdjustment
    return _window(
        table,
        table.effective_at,
        table.sequence,
        type_coerce(table.kind, String),
        table.ticker,
        table.new_ticker,
        table.numerator,
        table.denominator,
        _units(table.quantity),
        _units(table.cost_basis),
        _units(table.amount),
        _units(table.price),
    )


def _since_1970(moment: datetime) -> int:
    """Return an instant; what is dated earlier counts from 1970, and the days from there."""
    return max(0, instant_of(moment))


def _units(column: InstrumentedAttribute[Any]) -> Any:
    return type_coerce(column, BigInteger)


def _window(table: Any, *columns: Any) -> Select[Any]:
    query: Any = (
        select(*columns)
        .where(
            table.user_id == bindparam("account"),
            table.sequence > bindparam("after"),
            table.sequence <= bindparam("last"),
        )
        .order_by(table.sequence)
    )
    return query
