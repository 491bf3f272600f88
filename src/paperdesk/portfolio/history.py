"""The curve of an account's value, from its snapshots."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, column, func, select, values
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.db.types import UtcDateTime
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
        last = await session.scalar(select(func.max(PortfolioSnapshot.recorded_at)).where(*span))
        picked = _last_of_each(account_id, rows[0].recorded_at, last, candidates)
        rows = [rows[0], *await session.execute(query.where(picked))]
    curve = [(row.recorded_at.timestamp(), float(row.total_value)) for row in rows]
    return [rows[index] for index in largest_triangles(curve, points)]


def _last_of_each(
    account_id: str, first: datetime, last: datetime | None, count: int
) -> ColumnElement[bool]:
    """Return the condition that a snapshot is the last one in one of `count` equal times."""
    width = ((last or first) - first) / count
    times = [
        (first + n * width, (first + (n + 1) * width) if n + 1 < count else last)
        for n in range(count)
    ]
    # A CTE, because SQLite names the columns of VALUES nowhere else.
    bounds = (
        values(column("after", UtcDateTime()), column("until", UtcDateTime()), name="times")
        .data(times)
        .cte("bucket")
    )
    newest = (
        select(PortfolioSnapshot.id)
        .where(
            PortfolioSnapshot.user_id == account_id,
            PortfolioSnapshot.recorded_at > bounds.c.after,
            PortfolioSnapshot.recorded_at <= bounds.c.until,
        )
        .order_by(PortfolioSnapshot.recorded_at.desc())
        .limit(1)
        .correlate(bounds)
        .scalar_subquery()
    )
    return PortfolioSnapshot.id.in_(select(newest).select_from(bounds))
