"""The one source of time. Everything that needs "now" is given a Clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time as an aware UTC datetime with microseconds, and waits."""

    def now(self) -> datetime:
        """Return the current instant."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that asks the machine

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until it is moved: for tests and for replays of history."""

    def __init__(self, at: datetime) -> None:
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant that was last set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward (or back, with a negative interval)."""
        self._now += by

    async def sleep(self, seconds: float) -> None:
        """Move forward at once and let other tasks run."""
        self.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)


def utc_now() -> datetime:
    """Return the machine's time, for column defaults of rows that no service stamps."""
    return SystemClock().now()
