"""What the market asks the database: who must be priced, stored quotes, stored bars."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    column,
    func,
    select,
    type_coerce,
    union,
    values,
)
from sqlalchemy.orm import aliased

from paperdesk.db.types import QUANTITY_SCALE, UtcDateTime
from paperdesk.market.bars import Timeframe
from paperdesk.models import Order, Position, PriceBar, Quote, Stock, WatchlistEntry

_MINUTE = Timeframe.minute.value
_SHARE = 10**QUANTITY_SCALE
"""Units of a volume that are a share."""


def tickers_of_the_books() -> CompoundSelect[str]:
    """Select every ticker that any account watches, holds or has an open order for, and stocks."""
    return union(
        select(WatchlistEntry.ticker),
        select(Position.ticker),
        select(Order.ticker).where(Order.closed_at.is_(None)),
        select(Stock.ticker),
    )


def stored_quotes() -> Select[Quote]:
    """Select the quotes that were stored last."""
    return select(Quote)


def minute_bars(
    ticker: str, *, since: datetime | None, before: datetime | None, limit: int
) -> Select[PriceBar]:
    """Select minute bars that start in [since, before), newest first."""
    query = select(PriceBar).where(PriceBar.ticker == ticker, PriceBar.timeframe == _MINUTE)
    if since is not None:
        query = query.where(PriceBar.start >= since)
    if before is not None:
        query = query.where(PriceBar.start < before)
    return query.order_by(PriceBar.start.desc()).limit(limit)


def newest_minute(ticker: str, *, since: datetime | None, before: datetime) -> Select[datetime]:
    """Select the start of the newest minute bar in [since, before)."""
    query = select(func.max(PriceBar.start)).where(
        PriceBar.ticker == ticker, PriceBar.timeframe == _MINUTE, PriceBar.start < before
    )
    return query if since is None else query.where(PriceBar.start >= since)


def combined_bars(
    ticker: str, windows: Sequence[tuple[datetime, datetime]]
) -> "Select[datetime, Decimal, Decimal, Decimal, Decimal, int, int]":
    """Select start, open, high, low, close and volume of each window [start, end) with minutes.

    Newest first. The database combines them, so that a year of days does not bring half a million
    minutes into the process. The volume is whole shares, and billionths of one beside them: all in
    billionths, that of a day may not fit into 64 bits, and SQLite's sum fails.
    """
    units = type_coerce(PriceBar.volume, BigInteger)
    window = (
        values(column("start", UtcDateTime()), column("finish", UtcDateTime()))
        .data(list(windows))
        .cte("windows")
    )
    spans = (
        select(
            window.c.start.label("start"),
            func.min(PriceBar.start).label("first"),
            func.max(PriceBar.start).label("last"),
            func.max(PriceBar.high).label("high"),
            func.min(PriceBar.low).label("low"),
            func.sum(units // _SHARE).label("shares"),
            func.sum(units % _SHARE).label("parts"),
        )
        .join_from(
            window,
            PriceBar,
            (PriceBar.start >= window.c.start) & (PriceBar.start < window.c.finish),
        )
        .where(PriceBar.ticker == ticker, PriceBar.timeframe == _MINUTE)
        .group_by(window.c.start)
        .subquery("spans")
    )
    first, last = aliased(PriceBar), aliased(PriceBar)
    return (
        select(
            spans.c.start,
            first.open,
            spans.c.high,
            spans.c.low,
            last.close,
            spans.c.shares,
            spans.c.parts,
        )
        .join_from(spans, first, _minute_of(first, ticker, spans.c.first))
        .join(last, _minute_of(last, ticker, spans.c.last))
        .order_by(spans.c.start.desc())
    )


def _minute_of(
    bar: type[PriceBar], ticker: str, start: ColumnElement[datetime]
) -> ColumnElement[bool]:
    return (bar.ticker == ticker) & (bar.timeframe == _MINUTE) & (bar.start == start)
