"""Several processes' worth of leaderships in one test, and the server's view of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import text

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.runtime.leader import Election

_HOLDER = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@asynccontextmanager
async def candidate(url: str, clock: Clock) -> AsyncIterator[Election]:
    """One process's leadership, over a database of its own; not elected yet."""
    database = Database(url)
    election = Election(database, clock)
    try:
        yield election
    finally:
        await election.stop()
        await election.close()
        await database.close()


async def holder(database: Database) -> int | None:
    """The server process that holds the leader's lock."""
    async with database.read() as session:
        pid: int | None = await session.scalar(text(_HOLDER))
        return pid


async def cut_off(database: Database, pid: int | None) -> None:
    """End a session from the server's side, as an administrator or a failover does."""
    async with database.read() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what other tasks and the server bring about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it may depend on anything
            await asyncio.sleep(0.01)
