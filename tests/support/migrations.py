"""Migrating as the desk does, and what a database holds before and after."""

from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.models import Base
from support.rows import everything

DROPPED = {"proofs"}
"""Tables that a downgrade drops with their rows: what they hold can be made again."""


async def go(url: str, direction: str, revision: str) -> None:
    """Migrate as the desk does, guards included."""
    async with migrate.guarded(
        url, destination=revision, tables=Base.metadata.tables
    ) as connection:
        await getattr(migrate, direction)(connection, revision)


async def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table that a downgrade keeps."""
    database = Database(url)
    async with database.reader.connect() as connection:
        found = await connection.run_sync(everything)
    await database.close()
    return {table: rows for table, rows in found.items() if table not in DROPPED}
