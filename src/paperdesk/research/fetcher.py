"""The task that fetches and scores every few minutes, where this process leads, and prunes."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError
from paperdesk.market.quotes import SourceUnavailable
from paperdesk.models import ScoreSnapshot, Stock
from paperdesk.research.queries import fetches_before
from paperdesk.research.rescoring import Done, rescore
from paperdesk.research.retention import EVERYTHING, outdated
from paperdesk.research.stock_source import StockSource
from paperdesk.runtime.leader import Leadership

SETTLING: Final = 3.0
"""Seconds after the start until the first look: by then prices have come."""
LOOK: Final = 5.0
"""Seconds between two looks for what is due, and for stocks that are new."""
WARMING: Final = timedelta(seconds=15)
"""Between the first fetches of a desk, until there are enough for every factor."""
ENOUGH: Final = 4
"""Observations that are."""
PRUNE_EVERY: Final = timedelta(hours=1)
CHUNK: Final = 250
"""Snapshots that are deleted in one transaction: trades wait for it."""
_PAUSE: Final = 0.05

log = structlog.get_logger()


class ResearchFetcher:
    """Has the stocks fetched at every interval, and at once where one is new or was moved."""

    def __init__(
        self,
        database: Database,
        source: StockSource,
        leadership: Leadership,
        clock: Clock,
        interval: timedelta,
        is_open: Callable[[], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._source = source
        self._leadership = leadership
        self._clock = clock
        self._interval = interval
        self._is_open = is_open
        self._due: datetime | None = None
        self._patience = WARMING
        """Until the next try of a desk that has no scores yet: its prices may just be late."""
        self._tried: frozenset[str] = frozenset()
        """New stocks that were asked for in this interval, and had no price."""
        self._pruned_at: datetime | None = None

    async def run(self) -> None:
        """Fetch and prune for ever."""
        self._due = None
        await self._clock.sleep(SETTLING)
        while True:
            # A desk that is read-only stores no scores either.
            if await self._is_open():
                await self.look()
            await self._clock.sleep(LOOK)

    async def look(self) -> None:
        """Fetch if that is due, and prune once an hour. What fails is tried at the next interval.

        Before the first scores it is tried sooner, with a growing pause.

        A database that is away is no reason to ask the source again and again.
        """
        try:
            await self._fetch_if_due()
            await self._prune_if_due()
        except (SQLAlchemyError, PaperdeskError, OSError) as error:
            log.warning("research.failed", error=type(error).__name__)

    async def _fetch_if_due(self) -> None:
        now = self._clock.now()
        waiting, newest = await self._followed()
        if self._due is None:
            self._due = now if newest is None else newest + self._interval
        # A clock that was set back must not make it wait for longer than an interval.
        self._due = min(self._due, now + self._interval)
        if now < self._due and waiting <= self._tried:
            return
        self._tried = waiting
        self._due = now + self._interval
        try:
            done = await rescore(
                self._database, self._source, self._clock, write=self._leadership.write
            )
        except SourceUnavailable:
            if newest is None:
                self._due = now + min(self._patience, self._interval)
                self._patience *= 2
            return
        self._tried = frozenset(o.ticker for o in done.outcomes if o.done is Done.no_price)
        if 0 < done.observations < ENOUGH:
            self._due = now + min(WARMING, self._interval)

    async def _followed(self) -> tuple[frozenset[str], datetime | None]:
        """Return the stocks that were never fetched where they are, and when any other was."""
        async with self._database.read() as session:
            rows = (await session.execute(select(Stock.ticker, Stock.last_updated))).all()
        waiting = frozenset(ticker for ticker, updated in rows if updated is None)
        return waiting, max((updated for _, updated in rows if updated), default=None)

    async def _prune_if_due(self) -> None:
        now = self._clock.now()
        if self._pruned_at is not None and abs(now - self._pruned_at) < PRUNE_EVERY:
            return
        async with self._database.read() as session:
            fetches = await fetches_before(session, now - EVERYTHING)
        pruned = 0
        for domain_id, instants in fetches.items():
            gone = outdated(instants, now)
            pruned += len(gone)
            for first in range(0, len(gone), CHUNK):
                await self._delete(domain_id, gone[first : first + CHUNK])
        self._pruned_at = now
        if pruned:
            log.info("research.pruned", fetches=pruned)

    async def _delete(self, domain_id: str, fetches: Sequence[datetime]) -> None:
        """Delete a domain's snapshots of fetches, a few at a time, but for each stock's last."""
        query = (
            select(ScoreSnapshot.id)
            .join(Stock, Stock.ticker == ScoreSnapshot.ticker)
            .where(
                Stock.domain_id == domain_id,
                ScoreSnapshot.fetched_at.in_(fetches),
                Stock.last_updated.is_distinct_from(ScoreSnapshot.fetched_at),
            )
            .limit(CHUNK)
        )
        while True:
            async with self._leadership.write() as session:
                ids = (await session.scalars(query)).all()
                await session.execute(delete(ScoreSnapshot).where(ScoreSnapshot.id.in_(ids)))
            await self._clock.sleep(_PAUSE)
            if len(ids) < CHUNK:
                return
