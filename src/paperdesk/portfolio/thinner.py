"""Deletes the snapshots that no curve needs any more, a few at a time, where this one leads."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import BigInteger, Table, bindparam, delete, or_, select, type_coerce

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.models import Base, UserProfile
from paperdesk.portfolio.retention import Point, Span, spans, thin
from paperdesk.runtime.leader import Leadership

INTERVAL: Final = 3600.0
"""Seconds between two rounds."""
SETTLING: Final = 60.0
"""Seconds after the start until the first round: the desk has more urgent things to do."""
PAGE: Final = 1000
"""Snapshots that are read at once."""
CHUNK: Final = 250
"""Snapshots that are deleted in one transaction: trades wait for it."""
_PAUSE: Final = 0.05
"""Seconds after each page and each transaction, so that others come first."""

_SNAPSHOTS: Table = Base.metadata.tables["portfolio_snapshots"]
_PAGE: Final = (
    select(
        _SNAPSHOTS.c.id,
        _SNAPSHOTS.c.recorded_at,
        type_coerce(_SNAPSHOTS.c.total_value, BigInteger),
        _SNAPSHOTS.c.incomplete,
    )
    .where(
        _SNAPSHOTS.c.user_id == bindparam("account"),
        _SNAPSHOTS.c.recorded_at >= bindparam("since"),
        _SNAPSHOTS.c.recorded_at < bindparam("end"),
        or_(_SNAPSHOTS.c.recorded_at > bindparam("since"), _SNAPSHOTS.c.id > bindparam("after")),
    )
    .order_by(_SNAPSHOTS.c.recorded_at, _SNAPSHOTS.c.id)
    .limit(PAGE)
)

log = structlog.get_logger()


class SnapshotThinner:
    """Thins what grew old. What it did it remembers until the process ends; then it looks again."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        is_open: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._is_open = is_open
        self._thinned: dict[str, datetime] = {}

    async def run(self, leadership: Leadership) -> None:
        """Thin the snapshots of every account, every hour, for as long as this one leads."""
        await self._clock.sleep(SETTLING)
        while True:
            await self.thin(leadership)
            await self._clock.sleep(INTERVAL)

    async def thin(self, leadership: Leadership) -> None:
        """Thin what grew old since the last time; nothing while the desk is read-only.

        Raises Busy where this process does not lead. What was deleted until then was rightly so.
        """
        now, deleted = self._clock.now(), 0
        async with self._database.read() as session:
            accounts = (await session.scalars(select(UserProfile.id))).all()
        for account_id in sorted(accounts):
            for span in spans(now, self._thinned.get(account_id)):
                gone = await self._thin(leadership, account_id, span)
                if gone is None:
                    return
                deleted += gone
            self._thinned[account_id] = now
        if deleted:
            log.info("snapshots.thinned", deleted=deleted)

    async def _thin(self, leadership: Leadership, account_id: str, span: Span) -> int | None:
        """Thin a span of an account, a page after the other, and return how many rows went.

        None where the desk became read-only before all of it was done.
        """
        deleted = 0
        since, after = span.start, ""
        stays: list[Point] = []
        while self._is_open is None or await self._is_open():
            page = await self._read(account_id, since, after, span.end)
            gone, stays = thin([*stays, *page], span.width)
            for first in range(0, len(gone), CHUNK):
                await self._delete(leadership, gone[first : first + CHUNK])
            deleted += len(gone)
            await self._clock.sleep(_PAUSE)
            if len(page) < PAGE:
                return deleted
            since, after = page[-1].at, page[-1].id
        return None

    async def _read(
        self, account_id: str, since: datetime, after: str, end: datetime
    ) -> list[Point]:
        values = {"account": account_id, "since": since, "after": after, "end": end}
        async with self._database.read() as session:
            return [Point(*row) for row in await session.execute(_PAGE, values)]

    async def _delete(self, leadership: Leadership, ids: Sequence[str]) -> None:
        async with leadership.write() as session:
            await session.execute(delete(_SNAPSHOTS).where(_SNAPSHOTS.c.id.in_(ids)))
        await self._clock.sleep(_PAUSE)
