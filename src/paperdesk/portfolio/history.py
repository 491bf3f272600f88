"""The curve of an account's value, from its snapshots."""

import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Row, cast, column, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.pages import check_span
from paperdesk.db.types import UtcDateTime, format_utc
from paperdesk.errors import InvalidRequest
from paperdesk.models import PortfolioSnapshot
from paperdesk.portfolio.thinning import largest_triangles

_CANDIDATES = 4
"""How many rows are read for each point that is shown; the best of them stays."""
_SHOWN = (
    PortfolioSnapshot.recorded_at,
    PortfolioSnapshot.total_value,
    PortfolioSnapshot.cash_balance,
    PortfolioSnapshot.positions_value,
    PortfolioSnapshot.incomplete,
)


class Range(StrEnum):
    """How far back a curve goes."""

    day = "1d"
    week = "1w"
    month = "1m"
    quarter = "3m"
    year = "1y"
    all = "all"

    def start(self, now: datetime) -> datetime | None:
        """Return when the range begins, None for the beginning of the account."""
        days = {"1d": 1, "1w": 7, "1m": 30, "3m": 91, "1y": 365}.get(self.value)
        return None if days is None else now - timedelta(days=days)


def span_of(
    span: Range | None, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the ends of what is asked for, by a range or by its ends; None leaves one open.

    Raises InvalidRequest for both at once, and for a span that ends before it begins.
    """
    if span is not None and (start or end):
        raise InvalidRequest("Give either range, or start and end.")
    check_span(start, end)
    return (start, end) if span is None else (span.start(now), None)


async def history(
    session: AsyncSession,
    account_id: str,
    *,
    start: datetime | None,
    end: datetime | None,
    points: int,
) -> list[Row[Any]]:
    """Return at most `points` snapshots (at least 2) of a span, oldest first.

    Of up to 4 x `points` snapshots those stay that keep the shape of the curve. Where there are
    more, the span is cut into that many equal times and the last snapshot of each is looked up
    through the index, so that a long history costs no more than a short one.
    """
    span: list[ColumnElement[bool]] = [PortfolioSnapshot.user_id == account_id]
    if start is not None:
        span.append(PortfolioSnapshot.recorded_at >= start)
    if end is not None:
        span.append(PortfolioSnapshot.recorded_at < end)
    candidates = points * _CANDIDATES
    query = select(*_SHOWN).where(*span).order_by(PortfolioSnapshot.recorded_at)
    rows: list[Any] = list(await session.execute(query.limit(candidates + 1)))
    if len(rows) > candidates:
        last = (
            await session.execute(select(func.max(PortfolioSnapshot.recorded_at)).where(*span))
        ).scalar_one()
        picked = _last_of_each(session, account_id, rows[0].recorded_at, last, candidates)
        rows = list(await session.execute(query.where(picked)))
    curve = [(row.recorded_at.timestamp(), float(row.total_value)) for row in rows]
    return [rows[index] for index in largest_triangles(curve, points)]


def _last_of_each(
    session: AsyncSession, account_id: str, first: datetime, last: datetime, count: int
) -> ColumnElement[bool]:
    """Return the condition that a snapshot is the first, or the last in one of `count` equal times.

    In a time without any it is the last one before, which an earlier time has too.
    """
    width = (last - first) / count
    ends = [first + n * width for n in range(count)] + [last]
    # One parameter for all: a VALUES of thousands would be compiled anew for each request, which
    # takes longer than the query.
    value = column("value", UtcDateTime())
    if session.get_bind().dialect.name == "sqlite":
        listed = json.dumps([format_utc(end) for end in ends])
        until = func.json_each(listed).table_valued(value, name="until")
    else:
        listed = cast(ends, ARRAY(UtcDateTime()))
        until = func.unnest(listed).table_valued(value).render_derived(name="until")
    newest = (
        select(func.max(PortfolioSnapshot.recorded_at))
        .where(
            PortfolioSnapshot.user_id == account_id,
            PortfolioSnapshot.recorded_at <= until.c.value,
        )
        .correlate(until)
        .scalar_subquery()
    )
    return PortfolioSnapshot.recorded_at.in_(select(newest).select_from(until))
