"""From an address to a database that is ready: locked, migrated, seeded."""

import asyncio
from pathlib import Path

from paperdesk import seed
from paperdesk.clock import Clock, SystemClock
from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.db.lock import real_path
from paperdesk.models import Base
from paperdesk.settings import Settings, database_url, sqlite_path

# Connections belong to the loop they were made in, so each loop has a database of its own.
_Key = tuple[str | Path, asyncio.AbstractEventLoop]
_open: dict[_Key, Database] = {}


async def init_db(target: str | Path | None = None, *, clock: Clock | None = None) -> Database:
    """Open a database and make it ready: folders, migrations, first data.

    `target` is a file path or a URL, by default that of the settings. Calling it again in the same
    event loop for the same file or URL changes nothing and gives the same object, unless that was
    closed. Raises DatabaseHeld when another process owns the file, DatabaseUnusable when it is
    nothing that Paperdesk may touch.
    """
    url = database_url(target) if target is not None else Settings.load().database_url
    path = sqlite_path(url)
    key = (real_path(path) if path else url, asyncio.get_running_loop())
    if known := _known(key):
        return known
    database = await open_database(url, clock or SystemClock())
    if known := _known(key):
        # Another task of this loop asked at the same time and was faster.
        await database.close()
        return known
    _open[key] = database
    return database


async def close_db(database: Database | None = None) -> None:
    """Close a database that `init_db` gave, or all of them. Calling it twice does no harm."""
    for key, opened in list(_open.items()):
        if database is None or opened is database:
            del _open[key]
            await opened.close()
    if database is not None:
        await database.close()


def _known(key: _Key) -> Database | None:
    known = _open.get(key)
    return known if known and not known.closed else None


async def open_database(url: str, clock: Clock) -> Database:
    """Migrate and seed under the migration lock, and return the database, owned by this process."""
    database: Database | None = None
    try:
        async with migrate.guarded(url, tables=Base.metadata.tables) as connection:
            await migrate.upgrade(connection)
            await seed.seed(connection, clock)
            # Taken while the guard still holds the file, so that nobody can come in between.
            database = Database(url)
    except BaseException:
        if database:
            await database.close()
        raise
    return database
