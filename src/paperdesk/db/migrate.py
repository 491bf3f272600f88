"""Migrations: what every `alembic` command on a desk's database goes through.

`alembic/env.py` calls `guarded`, so plain `alembic upgrade head` is as careful as first boot:
it makes the folder, waits for its turn, refuses a file that a desk owns, a newer or foreign
database, garbage and read-only files, keeps a backup copy and switches foreign keys off.
"""

import asyncio
import glob
import os
import sqlite3
import stat
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from paperdesk.clock import utc_now
from paperdesk.db.engine import DURABLE, asyncpg_url, sqlite_engine_for_migrations
from paperdesk.db.exact_json import EXACTLY
from paperdesk.db.failures import is_of_asyncpg
from paperdesk.db.inspection import Contents, is_empty, read_postgresql, read_sqlite
from paperdesk.db.lock import MIGRATION_PATIENCE, Ownership, migration_lock, real_path
from paperdesk.errors import DatabaseHeld, DatabaseUnusable
from paperdesk.settings import sqlite_path

BACKUPS_KEPT = 3
_SQLITE_HEADER = b"SQLite format 3\x00"
_ADVISORY_LOCK = 0x7061706572  # "paper"


def migrations_folder() -> Path:
    """Return the folder of the revisions: inside the wheel, or the repository's `alembic/`."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "migrations"
    return packed if packed.is_dir() else package.parents[1] / "alembic"


def alembic_config(connection: Connection | None = None) -> Config:
    """Return an Alembic configuration that uses `connection`, or none for reading revisions."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def known_revisions() -> ScriptDirectory:
    """Return the revisions that this program knows; it reads their files once."""
    return ScriptDirectory.from_config(alembic_config())


@cache
def head_revision() -> str:
    """Return the newest revision that this program knows."""
    return str(known_revisions().get_current_head())


async def upgrade(connection: AsyncConnection, revision: str = "head") -> None:
    """Migrate up to `revision` on a connection that `guarded` gave."""
    await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), revision))


async def downgrade(connection: AsyncConnection, revision: str) -> None:
    """Migrate down to `revision` on a connection that `guarded` gave."""
    await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), revision))


@asynccontextmanager
async def guarded(
    url: str,
    *,
    destination: str | None = "head",
    tables: Collection[str] = (),
    backup: bool = True,
) -> AsyncGenerator[AsyncConnection]:
    """Give a connection, inside one transaction, on which migrations may run.

    `destination` is the revision that will be migrated to, and `tables` the names that must exist
    in a database that claims to be at head. Without a destination no backup is made, and no file
    where there is none; without `backup` no copy of a file that is to be migrated. Commits at the
    end.
    Raises DatabaseHeld when a desk owns the file or another process migrates for over a minute,
    DatabaseUnusable when the database is not one that this program may touch.
    """
    path = sqlite_path(url)
    try:
        if path:
            async with _guarded_sqlite(path, destination, tables, backup=backup) as connection:
                yield connection
        else:
            async with _guarded_postgresql(url, tables) as connection:
                yield connection
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseUnusable(f"The database refused to be migrated: {cause}") from error


@asynccontextmanager
async def _guarded_sqlite(
    path: Path, destination: str | None, tables: Collection[str], *, backup: bool
) -> AsyncGenerator[AsyncConnection]:
    # Links are followed once: beside the real file lie its WAL, its locks and its copies.
    path = real_path(path)
    if destination is None and is_empty(path):
        raise DatabaseUnusable(f"There is no database at {path} yet. `paperdesk migrate` makes it.")
    _check_file(path)
    lock = migration_lock(path)
    await asyncio.to_thread(lock.__enter__)
    try:
        owned = Ownership.take(path)
        try:
            current = check_revision(read_sqlite(path), tables, str(path))
            if backup and current and destination and current != _resolved(destination):
                _back_up(path, current)
            _make_private(path)
            engine = sqlite_engine_for_migrations(path)
            try:
                async with engine.begin() as connection:
                    yield connection
                    await connection.run_sync(_check_foreign_keys)
            finally:
                await engine.dispose()
        finally:
            owned.release()
    finally:
        lock.__exit__(None, None, None)


@asynccontextmanager
async def _guarded_postgresql(url: str, tables: Collection[str]) -> AsyncGenerator[AsyncConnection]:
    engine = create_async_engine(
        asyncpg_url(url),
        isolation_level="READ COMMITTED",
        connect_args={"server_settings": DURABLE},
        **EXACTLY,
    )
    try:
        async with _advisory_lock(engine), engine.begin() as connection:
            found = await connection.run_sync(read_postgresql)
            check_revision(found, tables, "this PostgreSQL database")
            yield connection
    except Exception as error:
        if not isinstance(error, OSError) and not is_of_asyncpg(error):
            raise
        raise DatabaseUnusable(
            f"PostgreSQL does not answer: {error}. Is it running, and is DATABASE_URL right?"
        ) from error
    finally:
        await engine.dispose()


@asynccontextmanager
async def _advisory_lock(engine: AsyncEngine) -> AsyncGenerator[None]:
    """Hold a session lock on a connection of its own: Alembic itself has none."""
    async with engine.connect() as connection:
        locker = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await locker.execute(text(f"SET lock_timeout = '{MIGRATION_PATIENCE:.0f}s'"))
        try:
            await locker.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
        except DBAPIError as error:
            if "lock timeout" not in str(error.orig):
                raise
            raise DatabaseHeld(
                f"Another process has been migrating this database for over "
                f"{MIGRATION_PATIENCE:.0f} s. Look what it is doing, then try again."
            ) from error
        try:
            yield
        finally:
            await locker.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})


def _check_file(path: Path) -> None:
    """Refuse what is no SQLite database, before anything beside it is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.is_dir():
            raise DatabaseUnusable(f"{path} is a folder. Give the path of a file in it.")
        if not path.exists():
            return
        mode = path.stat().st_mode
        # Opening a pipe would wait for somebody at its other end, for ever.
        if not stat.S_ISREG(mode):
            raise DatabaseUnusable(f"{path} is no plain file. Give the path of another one.")
        # Mode bits, not os.access: root may write to anything, but was still told not to.
        if not mode & 0o222 or not os.access(path, os.R_OK | os.W_OK):
            raise DatabaseUnusable(f"{path} is read-only. Make it writable, or give another file.")
        with path.open("rb") as file:
            header = file.read(len(_SQLITE_HEADER))
    except (FileExistsError, NotADirectoryError) as error:
        raise DatabaseUnusable(f"{path} cannot be used: {error.filename} is no folder.") from error
    except OSError as error:
        raise DatabaseUnusable(f"{path} cannot be used: {error.strerror}.") from error
    if header and header != _SQLITE_HEADER:
        raise DatabaseUnusable(f"{path} is not a SQLite database. It was left as it is.")


def _make_private(path: Path) -> None:
    """Make the file where there is none, for its owner alone; the mode of another is its owner's.

    SQLite gives the files beside it the same mode.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def check_revision(found: Contents, expected: Collection[str], where: str) -> str | None:
    """Return the revision of a database, None for an empty one.

    `expected` are the tables of the newest revision, and `where` names the database. Raises
    DatabaseUnusable for one that is foreign, half-migrated, or newer than this program.
    """
    revisions, others = list(found.revisions), found.tables
    if not revisions:
        if others:
            raise DatabaseUnusable(
                f"{where} has tables but no Paperdesk revision: it belongs to another program, or "
                "a migration broke off. It was left as it is; give another database or a backup."
            )
        return None
    if len(revisions) > 1:
        raise DatabaseUnusable(
            f"{where} is half-migrated (revisions {', '.join(revisions)}). "
            "It was left as it is; restore it from a backup."
        )
    current = revisions[0]
    try:
        known_revisions().get_revision(current)
    except CommandError as error:
        raise DatabaseUnusable(
            f"{where} is newer than this program (revision {current}; this program knows up to "
            f"{head_revision()}). It was left as it is; install the newer Paperdesk."
        ) from error
    missing = sorted(set(expected) - others) if current == head_revision() else []
    if missing:
        raise DatabaseUnusable(
            f"{where} is half-migrated: it says revision {current} but lacks "
            f"{', '.join(missing)}. It was left as it is; restore it from a backup."
        )
    return current


def _resolved(destination: str) -> str:
    return head_revision() if destination == "head" else destination


def _check_foreign_keys(connection: Connection) -> None:
    broken: Any = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise DatabaseUnusable(
            f"The migration would leave rows without what they refer to, in {tables}. "
            "It was taken back."
        )


def _back_up(path: Path, revision: str) -> Path:
    """Copy the database beside itself through SQLite, which sees the WAL, and keep the last few."""
    stamp = utc_now()
    copy = _backup_name(path, revision, stamp)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.chmod(0o600)
    pattern = f"{glob.escape(path.stem)}.before-*.db"
    copies = sorted(path.parent.glob(pattern), key=lambda p: p.stat().st_mtime)
    for old in copies[:-BACKUPS_KEPT]:
        old.unlink()
    return copy


def _backup_name(path: Path, revision: str, stamp: datetime) -> Path:
    return path.with_name(f"{path.stem}.before-{revision}-{stamp:%Y%m%dT%H%M%S%f}.db")
