"""Bars as people ask for them: any timeframe, stored minutes and those still in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.db.types import EXACT, QUANTITY_SCALE
from paperdesk.market.bars import Bar, Timeframe, stretches, with_live
from paperdesk.market.queries import combined_bars, minute_bars, newest_minute

_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_SHORTEST_REACH = 8
_INSTANT = timedelta(microseconds=1)


async def bars_of(
    session: AsyncSession,
    ticker: str,
    timeframe: Timeframe,
    zone: ZoneInfo,
    *,
    unsaved: Sequence[Bar],
    since: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[Bar]:
    """Return up to `limit` bars that start in [since, before), newest first.

    `unsaved` must be taken before this is called: what is stored meanwhile is then in both, which
    does no harm, and nothing is in neither.
    """
    if timeframe is Timeframe.minute:
        rows = await session.scalars(minute_bars(ticker, since=since, before=before, limit=limit))
        stored = [Bar(r.ticker, r.start, r.open, r.high, r.low, r.close, r.volume) for r in rows]
    else:
        stored = await _combined(
            session, ticker, timeframe, zone, since=since, before=before, limit=limit
        )
    bars = with_live(stored, unsaved, timeframe, zone)
    return [
        bar
        for bar in bars
        if (since is None or bar.start >= since) and (before is None or bar.start < before)
    ][:limit]


async def _combined(
    session: AsyncSession,
    ticker: str,
    timeframe: Timeframe,
    zone: ZoneInfo,
    *,
    since: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[Bar]:
    """Combine stored minutes. Times when the desk was off are jumped over, not searched."""
    bars: list[Bar] = []
    reach = limit
    end = _LATEST if before is None else _end_of_last(before, timeframe, zone)
    while len(bars) < limit:
        newest = await session.scalar(newest_minute(ticker, since=since, before=end))
        if newest is None:
            break
        windows = [
            (start, finish)
            for start, finish in islice(stretches(newest, timeframe, zone), reach)
            if since is None or start >= since
        ]
        if not windows:
            break
        rows = (await session.execute(combined_bars(ticker, windows))).all()
        bars.extend(
            Bar(ticker, r.start, r.open, r.high, r.low, r.close, _volume(r.shares, r.parts))
            for r in rows
        )
        end = windows[-1][0]
        # Where minutes lie far apart, looking at many empty stretches costs more than it finds.
        reach = min(limit, max(_SHORTEST_REACH, 4 * len(rows)))
    return bars[:limit]


def _volume(shares: int, parts: int) -> Decimal:
    return Decimal(shares) + EXACT.scaleb(Decimal(parts), -QUANTITY_SCALE)


def _end_of_last(before: datetime, timeframe: Timeframe, zone: ZoneInfo) -> datetime:
    """Return the end of the last bar that starts before an instant."""
    return next(stretches(before - _INSTANT, timeframe, zone))[1]
