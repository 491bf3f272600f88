"""Queries over the journal: an account's entries, the last booked first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from paperdesk.models import CashMovement, CashMovementKind, PositionAdjustment, Side, Trade

Entry = TypeVar("Entry", Trade, CashMovement, PositionAdjustment)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the journal: what happened from `since` on and before `until`.

    `before` is the sequence that every entry must precede, for the next page.
    """

    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


EVER = Span()


def trades_of(
    account_id: str,
    span: Span = EVER,
    *,
    ticker: str | None = None,
    side: Side | None = None,
    source: str | None = None,
    strategy: str | None = None,
) -> Select[Trade]:
    """Return an account's trades; their time is when they were executed."""
    query = _entries(Trade, Trade.executed_at, account_id, span)
    for column, wanted in (
        (Trade.ticker, ticker),
        (Trade.side, side),
        (Trade.source, source),
        (Trade.strategy, strategy),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return query


def movements_of(
    account_id: str,
    span: Span = EVER,
    *,
    kind: CashMovementKind | None = None,
    ticker: str | None = None,
) -> Select[CashMovement]:
    """Return an account's cash movements; their time is when they took effect."""
    query = _entries(CashMovement, CashMovement.effective_at, account_id, span)
    if kind is not None:
        query = query.where(CashMovement.kind == kind)
    return query if ticker is None else query.where(CashMovement.ticker == ticker)


def adjustments_of(
    account_id: str, span: Span = EVER, *, ticker: str | None = None
) -> Select[PositionAdjustment]:
    """Return an account's position adjustments, of a ticker also those that led to it."""
    table = PositionAdjustment
    query = _entries(table, table.effective_at, account_id, span)
    if ticker is None:
        return query
    return query.where(or_(table.ticker == ticker, table.new_ticker == ticker))


def _entries(
    table: type[Entry], moment: InstrumentedAttribute[datetime], account_id: str, span: Span
) -> Select[Any]:
    query = select(table).where(table.user_id == account_id).order_by(table.sequence.desc())
    if span.since is not None:
        query = query.where(moment >= span.since)
    if span.until is not None:
        query = query.where(moment < span.until)
    return query if span.before is None else query.where(table.sequence < span.before)
