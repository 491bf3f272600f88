"""Deletes the windows that recognise no alert any more, a few at a time, where this one leads."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Table, bindparam, delete, select, tuple_

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.models import Base
from paperdesk.runtime.leader import Leadership
from paperdesk.signals.terms import LONGEST_WINDOW

INTERVAL: Final = 3600.0
"""Seconds between two rounds."""
SETTLING: Final = 90.0
"""Seconds after the start until the first round: the desk has more urgent things to do."""
KEPT: Final = timedelta(seconds=2 * LONGEST_WINDOW)
"""The age from which on a window goes: over by far, however a webhook's is set meanwhile."""
CHUNK: Final = 250
"""Windows that are deleted in one transaction: alerts wait for it."""
_PAUSE: Final = 0.05
"""Seconds after each transaction, so that others come first."""

_WINDOWS: Final[Table] = Base.metadata.tables["signal_windows"]
_KEY: Final = tuple_(_WINDOWS.c.webhook_id, _WINDOWS.c.dedupe_key)
_OVER: Final = _WINDOWS.c.first_arrival < bindparam("over", type_=_WINDOWS.c.first_arrival.type)
# Each look goes on behind the last one, so that a round reads the table once.
_NEXT: Final = (
    select(_WINDOWS.c.webhook_id, _WINDOWS.c.dedupe_key)
    .where(tuple_(bindparam("webhook"), bindparam("key")) < _KEY, _OVER)
    .order_by(_WINDOWS.c.webhook_id, _WINDOWS.c.dedupe_key)
    .limit(CHUNK)
)

log = structlog.get_logger()


class WindowPruner:
    """Deletes what is over."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        is_open: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._is_open = is_open

    async def run(self, leadership: Leadership) -> None:
        """Delete what is over, every hour, for as long as this one leads."""
        await self._clock.sleep(SETTLING)
        while True:
            await self.prune(leadership)
            await self._clock.sleep(INTERVAL)

    async def prune(self, leadership: Leadership) -> None:
        """Delete what is over now; nothing while the desk is read-only.

        Raises Busy where this process does not lead. What was deleted until then was rightly so.
        """
        over = self._clock.now() - KEPT
        last: tuple[str, str] = ("", "")
        deleted = 0
        while self._is_open is None or await self._is_open():
            values = {"webhook": last[0], "key": last[1], "over": over}
            async with self._database.read() as session:
                found = [(row[0], row[1]) for row in await session.execute(_NEXT, values)]
            if not found:
                break
            async with leadership.write() as session:
                # Looked at again: a window may have begun anew meanwhile.
                await session.execute(delete(_WINDOWS).where(_KEY.in_(found), _OVER), values)
            last, deleted = found[-1], deleted + len(found)
            await self._clock.sleep(_PAUSE)
        if deleted:
            log.info("windows.pruned", deleted=deleted)
