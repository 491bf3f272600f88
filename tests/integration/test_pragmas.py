"""SQLite is set up for durability on every connection of every pool, read back from it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from paperdesk.db import engine
from paperdesk.db.closing import Threads
from paperdesk.db.engine import READERS, WRITERS, Database
from paperdesk.errors import DatabaseUnusable

EVERYWHERE = {
    "journal_mode": "wal",
    "synchronous": 2,
    "busy_timeout": 5000,
    "foreign_keys": 1,
    "cache_size": 10_000,
    "journal_size_limit": 64 * 1024 * 1024,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "recursive_triggers": 1,
}
WRITING = EVERYWHERE | {"query_only": 0, "wal_autocheckpoint": 1000}
READING = EVERYWHERE | {"query_only": 1, "wal_autocheckpoint": 0}


async def read_back(pool: AsyncEngine, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Open every connection of a pool at once, and read the pragmas with the bare driver."""
    connections = [await pool.connect() for _ in range(count)]
    found: list[dict[str, Any]] = []
    for connection in connections:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        values: dict[str, Any] = {}
        for name in names:
            cursor = await driver.execute(f"PRAGMA {name}")
            values[name] = (await cursor.fetchone())[0]
            await cursor.close()
        found.append(values)
    for connection in connections:
        await connection.close()
    return found


async def test_every_writing_connection_is_durable_and_checks_keys(sqlite: Database) -> None:
    assert await read_back(sqlite.writer, WRITING, WRITERS) == [WRITING] * WRITERS


async def test_every_reading_connection_cannot_write_or_checkpoint(sqlite: Database) -> None:
    assert await read_back(sqlite.reader, READING, READERS) == [READING] * READERS


async def test_sessions_of_scripts_are_set_up_like_writers(sqlite: Database) -> None:
    with sqlite.sync_session() as session:
        connection: Any = session.connection().connection
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in WRITING}
    assert found == WRITING


async def test_there_are_at_most_four_readers(sqlite: Database) -> None:
    connections = [await sqlite.reader.connect() for _ in range(4)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sqlite.reader.connect().start(), 0.2)
    for connection in connections:
        await connection.close()


async def test_statements_are_not_echoed(database: Database) -> None:
    assert not database.writer.echo
    assert not database.reader.echo


async def test_storage_that_cannot_do_wal_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A real SQLite file system layer without shared memory, like a network share's.
    unshared = f"sqlite+aiosqlite:///file:{tmp_path}/desk.db?vfs=unix-dotfile&uri=true"
    monkeypatch.setattr(engine, "_sqlite_url", lambda _: make_url(unshared))
    reader = engine._sqlite_reader(tmp_path / "desk.db", Threads())
    with pytest.raises(DatabaseUnusable, match=r"journal_mode=delete.* local disk"):
        await reader.connect()
    await reader.dispose()
