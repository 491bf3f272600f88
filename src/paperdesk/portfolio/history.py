"""The curve of an account's value, from its snapshots."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.models import PortfolioSnapshot
from paperdesk.portfolio.thinning import largest_triangles

_CANDIDATES = 4
"""How many rows are read for each point that is shown; the best of them stays."""


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
) -> Sequence[PortfolioSnapshot]:
    """Return at most `points` snapshots (at least 2) of a span, oldest first.

    The database numbers the snapshots and gives every n-th of them, the first and the last; of
    these the ones stay that keep the shape of the curve.
    """
    span: list[ColumnElement[bool]] = [PortfolioSnapshot.user_id == account_id]
    if start is not None:
        span.append(PortfolioSnapshot.recorded_at >= start)
    if end is not None:
        span.append(PortfolioSnapshot.recorded_at < end)
    count = await session.scalar(select(func.count()).where(*span)) or 0
    query = (
        select(PortfolioSnapshot)
        .where(*span)
        .order_by(PortfolioSnapshot.recorded_at, PortfolioSnapshot.id)
    )
    step = count // (points * _CANDIDATES)
    if step > 1:
        place = func.row_number().over(
            order_by=(PortfolioSnapshot.recorded_at, PortfolioSnapshot.id)
        )
        numbered = select(PortfolioSnapshot.id, place.label("place")).where(*span).subquery()
        query = query.join(
            numbered,
            and_(
                numbered.c.id == PortfolioSnapshot.id,
                or_(numbered.c.place % step == 1, numbered.c.place == count),
            ),
        )
    rows = (await session.scalars(query)).all()
    curve = [(row.recorded_at.timestamp(), float(row.total_value)) for row in rows]
    return [rows[index] for index in largest_triangles(curve, points)]
