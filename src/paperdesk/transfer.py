"""Moves a desk to another database: every row of every table, in one transaction, and proven.

Values go through the column types, so both kinds of database hold the same. Whatever ends the
transfer early, a kill included, leaves the target as empty as it was.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final, cast

from sqlalchemy import JSON, Connection, Table, func, select, text
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Session

from paperdesk.db import migrate
from paperdesk.db.bulk import Carrier, Rows
from paperdesk.db.engine import Database
from paperdesk.db.failures import is_unavailable
from paperdesk.db.inspection import read_postgresql, read_sqlite
from paperdesk.errors import DatabaseUnusable
from paperdesk.ledger.proof.proving import prove
from paperdesk.ledger.proof.state import state_hash
from paperdesk.models import Base, UserProfile
from paperdesk.settings import sqlite_path

TABLES: Final = tuple(Base.metadata.sorted_tables)
"""Every table, after those that it refers to."""

CARRIERS: Final = tuple(Carrier(table) for table in TABLES)

_NUMBERED: Final = {
    table: table.autoincrement_column for table in TABLES if table.autoincrement_column is not None
}
"""The columns that the database itself numbers."""

Watch = Callable[[str, int, int], None]
"""Is told what is being done, how many rows are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a table holds: how many rows, and a sum over all of them in whatever order."""

    rows: int = 0
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Copied:
    """What both ends hold: the rows of each table, and the state hash of the books."""

    rows: dict[str, int]
    state: str


async def copy_desk(source: str, target: str, watch: Watch) -> Copied:
    """Copy a desk from one database to an empty other one, and prove both.

    Both are URLs as `settings.database_url` makes them. The target is migrated and not seeded.
    Raises DatabaseHeld when a process owns a SQLite file, DatabaseUnusable when the source is no
    desk of this program's revision or its books are not proven, when the target holds anything, or
    when the copy is not the same.
    """
    async with AsyncExitStack() as opened:
        reader = await opened.enter_async_context(_reading(source))
        async with migrate.guarded(target, tables=Base.metadata.tables, backup=False) as writer:
            if await _holds_rows(writer):
                raise DatabaseUnusable(
                    "The target is not empty. It was left as it is; name a database or a file that "
                    "holds nothing yet."
                )
            await migrate.upgrade(writer)
            state = await reader.run_sync(_proven, "Proving the desk", watch)
            total = sum([await _count(reader, table) for table in TABLES])
            sent = await _transfer(reader, writer, total, watch)
            given = await _numbers_given(reader)
            # Our sessions on PostgreSQL are cut off when they idle, and the rest may take minutes.
            await opened.aclose()
            await _set_numbering(writer, given)
            arrived = await _read_back(writer, total, watch)
            differing = [name for name, contents in sent.items() if arrived[name] != contents]
            if differing or await writer.run_sync(_proven, "Proving the copy", watch) != state:
                raise DatabaseUnusable(
                    f"What arrived is not what was sent, in {', '.join(differing) or 'the books'}. "
                    "The target was left empty; look at its disk and its logs, then try again."
                )
    return Copied({name: contents.rows for name, contents in sent.items()}, state)


@asynccontextmanager
async def _reading(url: str) -> AsyncGenerator[AsyncConnection]:
    """Give a connection that sees one snapshot of a desk, whose file is owned meanwhile."""
    if path := sqlite_path(url):
        # Before the file is locked and opened: a file of another program stays alone.
        _check_revision(migrate.check_revision(read_sqlite(path), Base.metadata.tables, str(path)))
    database = Database(url)
    try:
        async with database.read() as session:
            try:
                connection = await session.connection()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                raise DatabaseUnusable(
                    f"The database to copy from does not answer: {error}. Is it running, and is "
                    "its address right?"
                ) from error
            if not path:
                found = await connection.run_sync(read_postgresql)
                _check_revision(
                    migrate.check_revision(found, Base.metadata.tables, "this PostgreSQL database")
                )
            yield connection
    finally:
        await database.close()


def _check_revision(revision: str | None) -> None:
    if revision is None:
        raise DatabaseUnusable("There is no desk in the database to copy from. Name another one.")
    if revision != migrate.head_revision():
        raise DatabaseUnusable(
            f"The desk to copy is at revision {revision}, and this program copies revision "
            f"{migrate.head_revision()}. `paperdesk migrate` brings it there."
        )


def _proven(connection: Connection, doing: str, watch: Watch) -> str:
    """Prove the books that a connection sees, and return their state hash."""
    done = 0
    with Session(connection) as session:
        total: Any = session.scalar(select(func.sum(UserProfile.head_sequence)))

        def count(more: int) -> None:
            nonlocal done
            done += more
            watch(doing, done, int(total or 0))

        wrong = prove(session, count).fresh
        if wrong:
            raise DatabaseUnusable(
                f"{doing} failed: {wrong[0].what} Nothing was copied. `paperdesk verify` shows all "
                "that is wrong."
            )
        return state_hash(session)


async def _holds_rows(connection: AsyncConnection) -> bool:
    present = await connection.run_sync(
        lambda sync: {table for table in TABLES if sync.dialect.has_table(sync, table.name)}
    )
    for table in present:
        if await connection.scalar(select(1).select_from(table).limit(1)):
            return True
    return False


async def _count(connection: AsyncConnection, table: Table) -> int:
    return await connection.scalar(select(func.count()).select_from(table)) or 0


async def _transfer(
    reader: AsyncConnection, writer: AsyncConnection, total: int, watch: Watch
) -> dict[str, Contents]:
    copied: dict[str, Contents] = {}
    done = 0
    for carrier in CARRIERS:
        contents = Contents()
        async for rows in carrier.read(reader):
            await carrier.write(writer, rows)
            contents = _added(carrier.table, contents, rows)
            done += len(rows)
            watch(f"Copying {carrier.table.name}", done, total)
        copied[carrier.table.name] = contents
    return copied


async def _read_back(connection: AsyncConnection, total: int, watch: Watch) -> dict[str, Contents]:
    found: dict[str, Contents] = {}
    done = 0
    for carrier in CARRIERS:
        contents = Contents()
        async for rows in carrier.read(connection):
            contents = _added(carrier.table, contents, rows)
            done += len(rows)
            watch(f"Comparing {carrier.table.name}", done, total)
        found[carrier.table.name] = contents
    return found


async def _numbers_given(connection: AsyncConnection) -> dict[str, int]:
    """Return the highest number that each table ever gave a row by itself, a deleted one too."""
    given: dict[str, int] = {}
    for table, column in _NUMBERED.items():
        if connection.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            last = select(func.pg_sequence_last_value(cast_to(sequence, REGCLASS)))
        else:
            last = text("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(
                name=table.name
            )
        highest = select(func.max(column))
        numbers = [await connection.scalar(query) or 0 for query in (last, highest)]
        given[table.name] = max(numbers)
    return given


async def _set_numbering(connection: AsyncConnection, given: Mapping[str, int]) -> None:
    """Let rows that the database numbers itself go on where the source was."""
    for table, column in _NUMBERED.items():
        if not (number := given[table.name]):
            continue
        if connection.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            await connection.execute(select(func.setval(sequence, number)))
        else:
            where = {"name": table.name, "seq": number}
            await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), where)
            await connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), where
            )


def _added(table: Table, contents: Contents, rows: Rows) -> Contents:
    """Return the contents with further rows; a sum, since the order of rows is nobody's promise."""
    json_at = [at for at, column in enumerate(table.columns) if isinstance(column.type, JSON)]
    digest = contents.digest
    for row in rows:
        values = list(row)
        for at in json_at:
            # PostgreSQL orders members anew, and writes 1e2 as 100.
            values[at] = json.dumps(_whole(values[at]), sort_keys=True)
        text = repr(values).encode("utf-8", "surrogatepass")
        digest += int.from_bytes(blake2b(text, digest_size=16).digest())
    return Contents(contents.rows + len(rows), digest)


def _whole(value: Any) -> Any:
    """Return a value of JSON with one text for each number, however it was written."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else format(value, "f").rstrip("0")
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _whole(member) for name, member in members.items()}
    if isinstance(value, list):
        return [_whole(member) for member in cast("list[Any]", value)]
    return value
