"""The disk, another program, a reader or a client fails: a documented answer, then it goes on."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from paperdesk.db.engine import PRAGMAS
from support.another_program import another_program, write_beside
from support.disk import Disk
from support.kills import desks, end, hold_to_promises
from support.load import CLIENTS, TRADE, Answer, Load, Memory, Wish, connected
from support.program import Program
from support.served import Served

PINNED = float(os.environ.get("CRASH_PINNED", "3"))
"""Seconds for which a reader holds the WAL."""

pytestmark = pytest.mark.timeout(300 + PINNED)

BUY = Wish(TRADE, {"ticker": "AAPL", "side": "buy", "quantity": "0.01"})


@pytest.fixture
def disk(tmp_path: Path, disk_library: Path) -> Disk:
    return Disk(disk_library, tmp_path / "desk.db")


@pytest.fixture
async def desk(program: Program, sqlite_url: str, disk: Disk) -> AsyncIterator[Served]:
    """A desk on a disk that can fail. The same process must outlive every fault."""
    async with desks(disk.under(program.with_environment(DATABASE_URL=sqlite_url))) as (desk,):
        yield desk


async def ask(desk: Served, key: str) -> Answer:
    async with connected(desk.url) as connection:
        return await connection.ask(BUY, key)


async def test_a_full_disk_is_answered_with_busy_until_there_is_room(
    desk: Served, disk: Disk, sqlite_url: str
) -> None:
    memory = Memory(bearable=frozenset({"BUSY"}))
    async with Load(memory, [desk.url]):
        await memory.more(20)
        disk.control.room = 0
        async with asyncio.timeout(30):
            while memory.answers["BUSY"] < 2 * CLIENTS:  # noqa: ASYNC110 - no event for a sum
                await asyncio.sleep(0.05)
        refused = await ask(desk, "while-full")
        seen = httpx2.get(f"{desk.url}/api/portfolio", timeout=30)
        disk.control.room = -1
        await memory.more(100)

    assert disk.control.refusals
    assert (refused.status, refused.code, "retry-after" in refused.headers) == (503, "BUSY", True)
    assert seen.status_code == 200
    assert set(memory.answers) <= {"200", "201", "BUSY", "INSUFFICIENT_SHARES"}
    await end(desk, memory)
    await hold_to_promises(memory, sqlite_url)


async def test_a_failed_sync_leaves_it_open_and_the_same_key_settles_it(
    desk: Served, disk: Disk, sqlite_url: str
) -> None:
    memory = Memory(bearable=frozenset({"UNKNOWN_OUTCOME", "BUSY"}))
    async with Load(memory, [desk.url]):
        await memory.more(20)
        disk.control.failing_syncs = 3
        await memory.more(200)

    assert disk.control.failing_syncs == 0
    assert memory.answers["UNKNOWN_OUTCOME"]
    assert memory.broken == []
    await end(desk, memory)
    await hold_to_promises(memory, sqlite_url)


async def test_a_database_locked_by_another_program_is_answered_with_busy(
    desk: Served, disk: Disk
) -> None:
    with another_program(disk.database, "BEGIN IMMEDIATE"):
        refused = await ask(desk, "locked-out")
        seen = httpx2.get(f"{desk.url}/api/portfolio", timeout=30)
    booked = await ask(desk, "locked-out")

    assert (refused.status, refused.code, "retry-after" in refused.headers) == (503, "BUSY", True)
    assert seen.json()["positions"] == []
    assert (booked.status, booked.replayed) == (200, False)


async def test_another_program_that_writes_too_makes_nobody_busy(
    desk: Served, disk: Disk, sqlite_url: str
) -> None:
    """BEGIN IMMEDIATE waits for its turn; a deferred one would fail at its first write."""
    memory = Memory()
    await write_beside(disk.database, memory, Load(memory, [desk.url]))

    assert set(memory.answers) <= {"200", "201", "INSUFFICIENT_SHARES"}
    await end(desk, memory)
    await hold_to_promises(memory, sqlite_url)


async def test_a_reader_that_pins_the_wal_stops_no_trade_and_the_wal_shrinks_again(
    desk: Served, disk: Disk, sqlite_url: str
) -> None:
    memory = Memory()
    wal = disk.database.with_name("desk.db-wal")
    limit = int(PRAGMAS["journal_size_limit"])
    async with Load(memory, [desk.url]):
        await memory.more(5)
        with another_program(disk.database, "BEGIN") as reader:
            (before,) = reader.execute("SELECT count(*) FROM trades").fetchone()
            # So that the WAL passes its limit at once, and not in a quarter of an hour.
            await asyncio.to_thread(fill_wal, disk.database, limit + 1024 * 1024)
            await asyncio.sleep(PINNED)
            await memory.more(50)
            assert reader.execute("SELECT count(*) FROM trades").fetchone() == (before,)
            assert wal.stat().st_size > limit
        async with asyncio.timeout(60):
            while wal.stat().st_size > limit:  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.1)

    assert memory.broken == []
    await end(desk, memory)
    await hold_to_promises(memory, sqlite_url)


def fill_wal(path: Path, size: int) -> None:
    with another_program(path, "BEGIN IMMEDIATE") as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO desk_meta VALUES ('filler', zeroblob(?))", (size,))
        connection.execute("DELETE FROM desk_meta WHERE key = 'filler'")
        connection.execute("COMMIT")
        connection.execute("BEGIN")


async def test_what_a_client_that_left_had_asked_is_booked_once_all_the_same(
    desk: Served, disk: Disk, sqlite_url: str
) -> None:
    memory = Memory()
    keys = [memory.new_wish() for _ in range(CLIENTS)]
    memory.wishes |= dict.fromkeys(keys, BUY)
    memory.open |= set(keys)
    # Nothing can be booked before all clients have left.
    with another_program(disk.database, "BEGIN IMMEDIATE"):
        async with AsyncExitStack() as clients:
            for key in keys:
                client = await clients.enter_async_context(connected(desk.url))
                await client.send(BUY, key)
            await asyncio.sleep(1)
        assert httpx2.get(f"{desk.url}/api/trades", timeout=30).json() == []
    async with asyncio.timeout(30):
        while not httpx2.get(f"{desk.url}/api/trades", timeout=30).json():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    again = {key: await ask(desk, key) for key in keys}

    # A busy machine may not have read every request before its client left.
    assert any(answer.replayed for answer in again.values())
    for key, answer in again.items():
        memory.note(key, answer)
    await end(desk, memory)
    await hold_to_promises(memory, sqlite_url)
