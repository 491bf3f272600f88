"""From an address to a database that is ready: locked, migrated, seeded."""

import asyncio
from pathlib import Path

from paperdesk import seed
from paperdesk.clock import Clock, SystemClock
from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.models import Base
from paperdesk.settings import Settings, database_url

_open: dict[str, tuple[asyncio.AbstractEventLoop, Database]] = {}


async def init_db(target: str | Path | None = None, *, clock: Clock | None = None) -> Database:
    """Open a database and make it ready: folders, migrations, first data.

    `target` is a file path or a URL, by default that of the settings. Calling it again in the same
    process with the same target changes nothing and gives the same object. Raises DatabaseHeld when
    another process owns the file, DatabaseUnusable when it is nothing that Paperdesk may touch.
    """
    url = database_url(target) if target is not None else Settings.load().database_url
    loop = asyncio.get_running_loop()
    known = _open.get(url)
    if known and known[0] is loop:
        return known[1]
    database = await open_database(url, clock or SystemClock())
    known = _open.get(url)
    if known and known[0] is loop:
        # Another task of this loop asked at the same time and was faster.
        await database.close()
        return known[1]
    _open[url] = (loop, database)
    return database


async def close_db(database: Database | None = None) -> None:
    """Close a database that `init_db` gave, or all of them. Calling it twice does no harm."""
    for url, (_, opened) in list(_open.items()):
        if database is None or opened is database:
            del _open[url]
            await opened.close()
    if database is not None:
        await database.close()


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
