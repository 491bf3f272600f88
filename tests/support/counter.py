"""Read-modify-write of one row, by many at once: the work that shows a lost update.

A program of its own too: `python -m support.counter URL WRITERS TIMES` waits for a line on its
standard input before it begins, so that several overlap for certain. As many readers as writers
read all the while; how often is its last line.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session

from paperdesk.db import engine
from paperdesk.db.closing import Threads
from paperdesk.db.engine import Database
from paperdesk.db.failures import is_unavailable
from paperdesk.db.lock import WriteLock
from paperdesk.errors import Busy
from paperdesk.models import DeskMeta
from paperdesk.settings import sqlite_path

KEY = "counter"


def add_one(session: Session) -> None:
    """Read the number, then write the next: locked on PostgreSQL, alone on SQLite."""
    row = session.scalars(select(DeskMeta).where(DeskMeta.key == KEY).with_for_update()).one()
    row.value = str(int(row.value) + 1)
    session.flush()


async def begin(database: Database) -> None:
    """Set the counter to zero."""
    async with database.write() as session:
        session.add(DeskMeta(key=KEY, value="0"))


async def value(database: Database) -> int:
    """Return what the counter says."""
    async with database.read() as session:
        return int((await session.get_one(DeskMeta, KEY)).value)


@asynccontextmanager
async def without_ownership(url: str) -> AsyncGenerator[tuple[AsyncEngine, AsyncEngine]]:
    """Give the desk's own engines on a file, below the lock that keeps others away.

    So two processes can be set against each other, and SQLite's own locks are what holds.
    """
    path = sqlite_path(url)
    threads = Threads()
    writer = engine._sqlite_writer(path, WriteLock(), threads) if path else create_async_engine(url)
    reader = engine._sqlite_reader(path, threads) if path else create_async_engine(url)
    yield writer, reader
    await reader.dispose()
    await writer.dispose()


async def count(made: AsyncEngine, times: int) -> None:
    """Add one so many times, one transaction each.

    Between two processes SQLite's wait is a lottery: who loses it for five seconds tries again.
    """
    maker: async_sessionmaker[AsyncSession] = async_sessionmaker(made)
    counted = 0
    while counted < times:
        try:
            async with maker.begin() as session:
                await session.run_sync(add_one)
        except (OperationalError, Busy) as error:
            if not (isinstance(error, Busy) or is_unavailable(error)):
                raise
        else:
            counted += 1


async def watch(made: AsyncEngine, counting: list[asyncio.Task[None]]) -> int:
    """Read the counter until the counting has ended; return how often. It never goes back."""
    maker: async_sessionmaker[AsyncSession] = async_sessionmaker(made)
    seen = reads = 0
    while not all(task.done() for task in counting):
        async with maker() as session:
            now = int((await session.get_one(DeskMeta, KEY)).value)
        assert now >= seen, f"the counter went back from {seen} to {now}"
        seen, reads = now, reads + 1
    return reads


async def main(url: str, writers: int, times: int) -> None:
    """Count in several tasks of this process, and read in as many."""
    async with without_ownership(url) as (writer, reader):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        async with asyncio.TaskGroup() as group:
            counting = [group.create_task(count(writer, times)) for _ in range(writers)]
            watching = [group.create_task(watch(reader, counting)) for _ in range(writers)]
        sys.stdout.write(f"{min(task.result() for task in watching)}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
