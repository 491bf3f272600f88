"""Which errors of the real drivers mean that the database does not answer now, and which do not."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from paperdesk.db.engine import Database, asyncpg_url, psycopg_url
from paperdesk.db.failures import is_unavailable, was_rolled_back
from support.postgres import PostgresServer

UNREACHED = [
    "postgresql://nobody@127.0.0.1:1/desk",
    "postgresql://nobody@/desk?host=/nowhere",
    "postgresql://nobody@no-such-host.invalid/desk",
]


@asynccontextmanager
async def engine(url: Any, **options: Any) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(url, **options)
    yield made
    await made.dispose()
    # The thread of a connection that could not be made says goodbye to this loop.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


async def failure(made: AsyncEngine, *statements: str, arguments: Any = None) -> Exception:
    """Run statements in one transaction and return the error of the last."""
    try:
        async with made.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement), arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test asks for
        return error
    raise AssertionError("nothing failed")


@pytest.mark.parametrize("address", UNREACHED)
async def test_postgresql_that_is_not_there(address: str) -> None:
    async with engine(asyncpg_url(address), connect_args={"timeout": 5}) as made:
        assert is_unavailable(await failure(made, "SELECT 1"))


def test_postgresql_that_is_not_there_for_scripts() -> None:
    made = create_engine(psycopg_url(UNREACHED[0]))
    with pytest.raises(DBAPIError) as raised:
        made.connect()
    assert is_unavailable(raised.value)


async def test_postgresql_database_that_does_not_exist(postgres_server: PostgresServer) -> None:
    async with engine(asyncpg_url(postgres_server.url("not_there"))) as made:
        assert is_unavailable(await failure(made, "SELECT 1"))


async def test_connection_that_the_server_cuts(postgresql: Database) -> None:
    cut = "SELECT pg_terminate_backend(pg_backend_pid())"
    assert is_unavailable(await failure(postgresql.writer, cut))


async def test_connection_that_was_cut_while_it_was_idle(postgresql: Database) -> None:
    async with postgresql.writer.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        async with postgresql.writer.begin() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("SELECT 1"))
    assert is_unavailable(raised.value)


async def test_connection_that_is_cut_between_an_error_and_the_rollback(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The driver then trips over its own state. It takes luck to see, so it is raised by hand.
    async def trip(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation is on")

    monkeypatch.setattr(asyncpg.Connection, "prepare", trip)
    assert is_unavailable(await failure(postgresql.writer, "SELECT 'said nowhere else'"))


async def test_row_that_stays_locked(postgresql: Database) -> None:
    lock = "SELECT * FROM users_profile FOR UPDATE"
    async with postgresql.write() as session:
        await session.execute(text(lock))
        error = await failure(postgresql.writer, "SET LOCAL lock_timeout = '50ms'", lock)
    assert is_unavailable(error)


async def test_statement_that_took_too_long(postgresql: Database) -> None:
    slow = ("SET LOCAL statement_timeout = '50ms'", "SELECT pg_sleep(5)")
    assert is_unavailable(await failure(postgresql.writer, *slow))


async def test_pool_that_has_no_connection_left(sqlite: Database) -> None:
    async with (
        engine(sqlite.writer.url, pool_size=1, max_overflow=0, pool_timeout=0.05) as made,
        made.connect(),
    ):
        assert is_unavailable(await failure(made, "SELECT 1"))


async def test_file_that_another_program_has_locked(sqlite: Database) -> None:
    with closing(sqlite3.connect(str(sqlite.path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with engine(sqlite.writer.url, connect_args={"timeout": 0.05}) as made:
            error = await failure(made, "DELETE FROM desk_meta")
            assert is_unavailable(error)
            assert isinstance(error, DBAPIError)
            assert isinstance(error.orig, BaseException)
            assert is_unavailable(error.orig)


async def test_file_that_cannot_be_opened(tmp_path: Path) -> None:
    async with engine(f"sqlite+aiosqlite:///{tmp_path}/nowhere/desk.db") as made:
        assert is_unavailable(await failure(made, "SELECT 1"))


async def test_corrupt_file_stays_wrong(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    path.write_bytes(b"the quick brown fox" * 300)
    async with engine(f"sqlite+aiosqlite:///{path}") as made:
        assert not is_unavailable(await failure(made, "SELECT * FROM sqlite_schema"))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM nowhere",
        "SELECTED",
        "INSERT INTO desk_meta VALUES ('same', 'x'), ('same', 'x')",
    ],
)
async def test_refusal_of_a_statement_stays(database: Database, statement: str) -> None:
    assert not is_unavailable(await failure(database.writer, statement))


async def test_argument_that_cannot_be_encoded_stays_wrong(database: Database) -> None:
    asked = "SELECT * FROM desk_meta WHERE key = :key"
    wrong = {"key": object()}
    assert not is_unavailable(await failure(database.writer, asked, arguments=wrong))


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        sqlite3.OperationalError("database is locked"),
        InterfaceError("SELECT 1", {}, Exception("connection is closed")),
    ],
    ids=repr,
)
def test_error_that_passes(error: BaseException) -> None:
    assert is_unavailable(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("/etc/none"),
        sqlite3.OperationalError("no such table: jobs"),
        asyncio.CancelledError(),
        ValueError("bad"),
    ],
    ids=repr,
)
def test_error_that_is_none_of_the_databases(error: BaseException) -> None:
    assert not is_unavailable(error)


@pytest.mark.parametrize(
    ("code", "unavailable", "rolled_back"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True, True),
        (sqlite3.SQLITE_FULL, True, True),
        # After a failed fsync the transaction may be found committed.
        (sqlite3.SQLITE_IOERR_FSYNC, True, False),
        (sqlite3.SQLITE_NOMEM, True, False),
        (sqlite3.SQLITE_PROTOCOL, True, False),
        (sqlite3.SQLITE_READONLY, True, False),
        (sqlite3.SQLITE_CORRUPT, False, False),
        (sqlite3.SQLITE_ERROR, False, False),
    ],
)
def test_what_sqlite_says_of_its_file(code: int, unavailable: bool, rolled_back: bool) -> None:  # noqa: FBT001
    said = sqlite3.OperationalError("as if")
    said.sqlite_errorcode = code
    error = DBAPIError.instance("COMMIT", None, said, sqlite3.Error)

    assert is_unavailable(said) == unavailable
    assert is_unavailable(error) == unavailable
    assert was_rolled_back(error) == rolled_back
