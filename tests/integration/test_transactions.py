"""What a transaction is: begun in time, taken back whole, and its connection given back."""

import asyncio
import gc
import sqlite3
import threading
import time
import warnings
from contextlib import closing
from typing import Any, cast

import pytest
from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from paperdesk.bootstrap import close_db, init_db
from paperdesk.db.closing import RollingBack
from paperdesk.db.engine import Database
from paperdesk.errors import Busy
from paperdesk.models import DeskMeta

COUNT = select(func.count()).select_from(DeskMeta)


def fact(key: str) -> DeskMeta:
    return DeskMeta(key=key, value="so")


async def keys(database: Database) -> set[str]:
    async with database.read() as session:
        return set((await session.scalars(select(DeskMeta.key))).all()) - {"seeded_at"}


def checked_out(database: Database) -> int:
    """Count the connections that nobody gave back."""
    engines = (database.writer, database.reader, database.lane)
    pools = {engine.sync_engine.pool for engine in engines}
    return sum(cast("QueuePool", pool).checkedout() for pool in pools)


async def test_writer_has_the_write_lock_before_it_reads(sqlite: Database) -> None:
    async with sqlite.write() as session:
        await session.scalar(COUNT)
        with closing(sqlite3.connect(str(sqlite.path), timeout=0)) as other:
            other.isolation_level = None
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")


async def test_reader_takes_no_write_lock(sqlite: Database) -> None:
    async with sqlite.read() as session:
        await session.scalar(COUNT)
        with closing(sqlite3.connect(str(sqlite.path), timeout=0)) as other:
            other.isolation_level = None
            other.execute("BEGIN IMMEDIATE")


async def test_released_savepoint_is_taken_back_with_its_transaction(database: Database) -> None:
    async with database.async_session_maker() as session:
        async with session.begin_nested():
            session.add(fact("in a savepoint"))
        await session.rollback()
    assert await keys(database) == set()


async def test_savepoint_can_be_taken_back_alone(database: Database) -> None:
    async with database.write() as session:
        session.add(fact("kept"))
        savepoint = await session.begin_nested()
        session.add(fact("dropped"))
        await session.flush()
        await savepoint.rollback()
    assert await keys(database) == {"kept"}


async def test_schema_changes_are_taken_back(database: Database) -> None:
    async with database.writer.connect() as connection:
        await connection.execute(text("CREATE TABLE passing (id INTEGER)"))
        await connection.rollback()
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert "passing" not in tables


async def test_reader_sees_one_snapshot_to_its_end(database: Database) -> None:
    async with database.read() as reading:
        before = await reading.scalar(COUNT)
        async with database.write() as writing:
            writing.add(fact("meanwhile"))
        assert await reading.scalar(COUNT) == before
    assert await keys(database) == {"meanwhile"}


async def test_postgresql_writes_are_read_committed_also_after_a_read(postgresql: Database) -> None:
    level = text("SHOW transaction_isolation")
    for _ in range(2):
        async with postgresql.read() as session:
            assert await session.scalar(level) == "repeatable read"
        async with postgresql.write() as session:
            assert await session.scalar(level) == "read committed"


async def test_postgresql_commits_reach_the_disk_whatever_the_servers_default_is(
    postgresql: Database,
) -> None:
    setting = text("SHOW synchronous_commit")
    async with postgresql.write() as session:
        assert await session.scalar(setting) == "on"
    with postgresql.sync_session() as session:
        assert await asyncio.to_thread(session.scalar, setting) == "on"


async def test_reader_cannot_write(database: Database) -> None:
    async with database.read() as session:
        session.add(fact("by a reader"))
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            await session.flush()
    assert await keys(database) == set()


async def test_write_keeps_nothing_of_a_block_that_fails(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.write() as session:
            session.add(fact("lost"))
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await write_and_fail()
    assert await keys(database) == set()


async def test_objects_stay_readable_after_the_commit(database: Database) -> None:
    async with database.write() as session:
        made = fact("kept")
        session.add(made)
    assert made.value == "so"


async def test_script_shares_the_data_and_commits_itself(database: Database) -> None:
    with database.sync_session() as session:
        session.add(fact("not committed"))
        session.flush()
    with database.sync_session() as session:
        session.add(fact("committed"))
        session.commit()
    assert await keys(database) == {"committed"}


@pytest.mark.parametrize("option", ["ssl", "sslmode"])
async def test_encryption_is_chosen_by_the_option_that_hosters_write(
    postgres_url: str, option: str
) -> None:
    separator = "&" if "?" in postgres_url else "?"
    database = await init_db(f"{postgres_url}{separator}{option}=disable")
    assert await keys(database) == set()
    with database.sync_session() as session:
        assert session.scalar(COUNT) == 1
    await close_db()


async def succeed(database: Database) -> None:
    async with database.write() as session:
        session.add(fact("here"))
    async with database.read() as session:
        await session.scalar(COUNT)


async def fail(database: Database) -> None:
    for enter in (database.read, database.write):
        with pytest.raises(DBAPIError):
            async with enter() as session:
                await session.execute(text("SELECT nothing FROM nowhere"))


async def cancel(database: Database) -> None:
    async def work(enter: Any, started: asyncio.Event) -> None:
        async with enter() as session:
            await session.scalar(COUNT)
            started.set()
            while True:
                await session.scalar(COUNT)

    for enter in (database.read, database.write):
        started = asyncio.Event()
        task = asyncio.create_task(work(enter, started))
        await started.wait()
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def read_and_write(database: Database) -> None:
    async with database.write() as session:
        await session.scalar(COUNT)
        session.add(fact("too late"))


async def cancel_a_waiter(database: Database) -> None:
    async with database.write() as session:
        await session.scalar(COUNT)
        waiters = [asyncio.create_task(read_and_write(database)) for _ in range(3)]
        await asyncio.sleep(0.02)
        for task in waiters:
            task.cancel()
        done = await asyncio.gather(*waiters, return_exceptions=True)
    if database.dialect == "sqlite":
        assert [type(one) for one in done] == [asyncio.CancelledError] * 3


@pytest.mark.parametrize("ending", [succeed, fail, cancel, cancel_a_waiter])
async def test_connections_come_back_however_the_work_ends(database: Database, ending: Any) -> None:
    await ending(database)
    assert checked_out(database) == 0
    # And the turn to write came back too.
    async with asyncio.timeout(2), database.write() as session:
        session.add(fact("next"))
    assert "next" in await keys(database)


async def forget_a_session(database: Database) -> None:
    session = database.async_session_maker()
    await session.execute(update(DeskMeta).values(value="forgotten"))


async def test_turn_of_a_session_that_was_forgotten_comes_back_once(sqlite: Database) -> None:
    with warnings.catch_warnings():
        # SQLAlchemy warns of the connection; so does aiosqlite, on the oldest versions.
        warnings.simplefilter("ignore")
        await forget_a_session(sqlite)
        gc.collect()
    async with asyncio.timeout(4), sqlite.write() as session:
        assert await session.scalar(select(DeskMeta.value)) != "forgotten"
        # It came back once: two at a time would be one too many.
        assert sqlite._ownership
        with pytest.raises(Busy, match="this task already holds a write session"):
            await sqlite._ownership.write_lock.acquire_async(0.02)
        session.add(fact("next"))
    assert "next" in await keys(sqlite)
    assert checked_out(sqlite) == 0


async def test_session_that_is_forgotten_ends_its_transaction_in_the_file(sqlite: Database) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await forget_a_session(sqlite)
        gc.collect()
    with closing(sqlite3.connect(str(sqlite.path), timeout=2)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")


async def test_closing_waits_for_a_connection_that_was_cut_off(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = RollingBack.close

    def close_slowly(connection: RollingBack) -> None:
        close(connection)
        time.sleep(0.3)

    monkeypatch.setattr(RollingBack, "close", close_slowly)
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await forget_a_session(sqlite)
        gc.collect()
    await sqlite.close()
    assert not [
        thread
        for thread in threading.enumerate()
        if thread not in before and "connection" in thread.name
    ]


async def test_closing_does_not_wait_for_a_session_that_is_held(sqlite: Database) -> None:
    async with sqlite.async_session_maker() as session:
        await session.scalar(COUNT)
        async with asyncio.timeout(3):
            await sqlite.close()
        await session.invalidate()


async def test_database_can_be_closed_twice_and_frees_its_file(sqlite: Database) -> None:
    await sqlite.close()
    await sqlite.close()
    assert sqlite.path
    assert sqlite.path.with_name("desk.db.lock").read_text() == ""
