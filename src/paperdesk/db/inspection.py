"""Looks into a database without owning or changing it: its tables and its revisions."""

import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from paperdesk.db.engine import postgresql_reader
from paperdesk.db.exact_json import EXACTLY
from paperdesk.db.failures import is_unavailable
from paperdesk.db.lock import real_path
from paperdesk.errors import DatabaseUnusable
from paperdesk.settings import sqlite_path

VERSION_TABLE: Final = "alembic_version"
_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_REVISIONS: Final = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database says of itself: the tables but Alembic's, and the revisions it is at."""

    tables: frozenset[str] = frozenset()
    revisions: tuple[str, ...] = ()


def is_empty(path: Path) -> bool:
    """Say whether there is nothing in a SQLite file, or no file."""
    return not path.exists() or path.stat().st_size == 0


@contextmanager
def snapshot(path: Path) -> Generator[sqlite3.Connection]:
    """Open a SQLite file for reading; not a byte of it, nor of what lies beside it, changes."""
    real = real_path(path)
    wal, shared = (real.with_name(real.name + ending) for ending in ("-wal", "-shm"))
    with tempfile.TemporaryDirectory(prefix="paperdesk-") as folder:
        if not wal.exists() or (wal.stat().st_size == 0 and not shared.exists()):
            # The file is whole and nobody has it open; `immutable` keeps SQLite from making a WAL.
            target, mode = real, "immutable=1"
        elif shared.exists():
            target, mode = real, "mode=ro"
        else:
            # SQLite would make the missing index beside the file; so it gets a copy to look into.
            target, mode = Path(shutil.copy(real, folder)), "mode=ro"
            shutil.copy(wal, folder)
        address = f"{target.as_uri()}?{mode}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection


@contextmanager
def reading(url: str) -> Generator[Session]:
    """Give a session that sees one snapshot of a database which another process may own.

    It changes nothing. Raises DatabaseUnusable when the database cannot be read.
    """
    path = sqlite_path(url)
    try:
        with _reading_sqlite(path) if path else _reading_postgresql(url) as session:
            yield session
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise DatabaseUnusable(f"The database cannot be read: {cause}.") from error


@contextmanager
def _reading_sqlite(path: Path) -> Generator[Session]:
    with snapshot(path) as connection:
        connection.execute("BEGIN")
        engine = create_engine(
            "sqlite://", creator=lambda: connection, poolclass=StaticPool, **EXACTLY
        )
        with Session(engine) as session:
            yield session


@contextmanager
def _reading_postgresql(url: str) -> Generator[Session]:
    engine = postgresql_reader(url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def read_sqlite(path: Path) -> Contents:
    """Return what is in a SQLite file; nothing where there is none. Raises DatabaseUnusable."""
    if is_empty(path):
        return Contents()
    try:
        with snapshot(path) as connection:
            connection.execute("BEGIN")
            tables = {str(name) for (name,) in connection.execute(_TABLES)}
            if VERSION_TABLE not in tables:
                return contents(tables)
            return contents(tables, [str(one) for (one,) in connection.execute(_REVISIONS)])
    except sqlite3.Error as error:
        if is_unavailable(error):
            raise DatabaseUnusable(f"{path} cannot be read now: {error}. Try again.") from error
        raise DatabaseUnusable(
            f"{path} cannot be read as a SQLite database ({error}). It was left as it is; "
            "restore it from a backup."
        ) from error


def read_postgresql(connection: Connection) -> Contents:
    """Return what is in the current schema of a PostgreSQL database."""
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        return contents(tables)
    return contents(tables, list(connection.scalars(text(_REVISIONS))))


def contents(tables: set[str], revisions: list[str] | None = None) -> Contents:
    """Return what is in a database, without the tables that SQLite and Alembic made."""
    own = {name for name in tables if name != VERSION_TABLE and not name.startswith("sqlite_")}
    return Contents(frozenset(own), tuple(revisions or ()))
