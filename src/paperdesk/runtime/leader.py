"""Who leads: of all processes on one database, one does what must be done once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.clock import Clock
from paperdesk.db.dedicated import DedicatedConnection, Heard
from paperdesk.db.engine import Database
from paperdesk.errors import Busy
from paperdesk.runtime.tasks import Supervisor

ROUND: Final = 1.0
"""Seconds between two looks whether this process leads, or may."""

_LOCK: Final = 0x70617065726C  # "paperl"

Work = Callable[[], Awaitable[None]]

log = structlog.get_logger()


class Leadership:
    """A process that always leads, as the owner of a SQLite file does.

    First say what to do while leading and while following, then `elect`, then `start`.
    """

    shared = False
    """Whether other processes may be on the same database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.leads = False
        """Whether this process leads now."""
        self._database = database
        self._clock = clock
        self._channels: dict[str, Heard] = {}
        self._missed: list[Callable[[], None]] = []
        self._leading: dict[str, Work] = {}
        self._following: dict[str, Work] = {}
        self._tasks = Supervisor(clock)

    def while_leading(self, name: str, work: Work) -> None:
        """Run `work`, supervised, for as long as this process leads."""
        self._leading[name] = work

    def while_following(self, name: str, work: Work) -> None:
        """Run `work`, supervised, for as long as another process leads, or none."""
        self._following[name] = work

    def listen(self, channel: str, heard: Heard, missed: Callable[[], None] | None = None) -> None:
        """Call `heard` with what any process of the database says on a channel.

        And `missed` when it listens again after it could not: something may have been said.
        """
        self._channels[channel] = heard
        if missed is not None:
            self._missed.append(missed)

    async def elect(self) -> None:
        """Find out for the first time whether this process leads."""
        self.leads = True

    def start(self) -> None:
        """Begin the tasks of the present role."""
        for name, work in (self._leading if self.leads else self._following).items():
            self._tasks.start(name, work)

    async def run(self) -> None:
        """Keep the role true, for ever."""
        await asyncio.Event().wait()

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Give a session in a transaction that only a leader can commit. Raises Busy."""
        return self._database.write()

    def in_trouble(self) -> list[str]:
        """Return the names of the role's tasks that failed lately."""
        return self._tasks.in_trouble()

    async def stop(self) -> None:
        """End the tasks; who leads goes on leading until `close`."""
        await self._tasks.stop()

    async def close(self) -> None:
        """Let another process lead."""
        self.leads = False


class Election(Leadership):
    """A process that leads while it holds the advisory lock of a PostgreSQL database.

    The lock belongs to a connection, and all that a leader writes goes through that one: where the
    lock is gone, nothing more can be written. A process that hangs loses it as one that was killed.
    """

    shared = True

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._connection: DedicatedConnection | None = None
        self._connected = True
        self._has_listened = False

    async def elect(self) -> None:
        """Connect, and take the lock if it is free."""
        self.leads = await (await self._session()).try_lock(_LOCK)
        log.info("election.leads" if self.leads else "election.follows")

    async def run(self) -> None:
        """Look every second whether the lock is held or can be had, and change the role."""
        while True:
            try:
                connection = await self._session()
                await self._change(leads=await connection.try_lock(_LOCK))
                self._connected = True
            except Exception as error:  # noqa: BLE001 - who cannot confirm it does not lead
                if self._connected:
                    log.warning("election.connection_lost", error=str(error).partition("\n")[0])
                self._connected = False
                await self._stand_down()
            else:
                # Not by the Clock: the server, which ends a silent session, does not go by it.
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROUND):
                        await connection.lost.wait()
                continue
            await self._clock.sleep(ROUND)

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Give a session in a transaction of the very connection that holds the lock."""
        if self._connection is None or not self.leads:
            raise Busy("Another process leads now. Nothing was written.")
        return self._connection.write()

    def in_trouble(self) -> list[str]:
        """Return the names of what failed lately; the election when its connection is away."""
        return super().in_trouble() + ([] if self._connected else ["election"])

    async def close(self) -> None:
        """Give the lock back, so that another process leads within a second."""
        await super().close()
        await self._disconnect()

    async def _session(self) -> DedicatedConnection:
        if self._connection is None:
            self._connection = await DedicatedConnection.open(self._database.url, self._channels)
            if self._has_listened:
                for missed in self._missed:
                    missed()
            self._has_listened = True
        return self._connection

    async def _stand_down(self) -> None:
        # First of all the lock: whatever the tasks still try then fails.
        await self._disconnect()
        await self._change(leads=False)

    async def _change(self, *, leads: bool) -> None:
        if leads is self.leads:
            return
        self.leads = leads
        log.info("election.leads" if leads else "election.follows")
        await self._tasks.stop()
        self.start()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def leadership_of(database: Database, clock: Clock) -> Leadership:
    """Return how it is decided which process of a database leads."""
    kind = Election if database.dialect == "postgresql" else Leadership
    return kind(database, clock)
