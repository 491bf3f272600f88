"""Supervised tasks: each is restarted with a growing pause when it fails, and ends at shutdown."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from paperdesk.clock import Clock
from paperdesk.errors import Busy

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_INSISTING = 1.0
_TROUBLE_LASTS = timedelta(minutes=1)

log = structlog.get_logger()


class Supervisor:
    """Runs named background functions until it is stopped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed_at: dict[str, datetime] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work`, which is expected never to return, and again whenever it fails."""
        self._tasks[name] = asyncio.create_task(self._keep_running(name, work), name=name)

    async def stop(self) -> None:
        """Cancel everything and wait until it has ended, and with it its trouble."""
        running = set(self._tasks.values())
        while running:
            # Again and again: a library in between may lose a cancellation.
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=_INSISTING)
        self._tasks.clear()
        self._failed_at.clear()

    def in_trouble(self) -> list[str]:
        """Return the names of the tasks that failed within the last minute, or have ended."""
        now = self._clock.now()
        recently = {name for name, at in self._failed_at.items() if now - at < _TROUBLE_LASTS}
        return sorted(recently | {name for name, task in self._tasks.items() if task.done()})

    async def _keep_running(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE
        while True:
            started = self._clock.now()
            try:
                await work()
            except Busy as error:
                self._failed_at[name] = self._clock.now()
                log.warning("task.interrupted", task=name, reason=str(error), retry_in=pause)
            except Exception:
                self._failed_at[name] = self._clock.now()
                log.exception("task.failed", task=name, retry_in=pause)
            else:
                return
            if (self._clock.now() - started).total_seconds() > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def happens_within(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """Sleep, but not on once the event is set; say whether it is."""
    sleep = asyncio.ensure_future(clock.sleep(seconds))
    happened = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({sleep, happened}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleep.cancel()
        happened.cancel()
    return event.is_set()
