"""Migrating as the desk does, and what a database holds before and after."""

from typing import Any

from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.models import Base
from support.rows import everything

DROPPED = {"proofs", "account_rules", "position_lots", "signal_windows"}
"""Tables that a downgrade drops with their rows, and says so."""


async def go(url: str, direction: str, revision: str) -> None:
    """Migrate as the desk does, guards included."""
    async with migrate.guarded(
        url, destination=revision, tables=Base.metadata.tables
    ) as connection:
        await getattr(migrate, direction)(connection, revision)


Contents = dict[str, list[dict[str, Any]]]


async def contents(url: str) -> Contents:
    """Return every row of every table that a downgrade keeps."""
    database = Database(url)
    async with database.reader.connect() as connection:
        found = await connection.run_sync(everything)
    await database.close()
    return {table: rows for table, rows in found.items() if table not in DROPPED}


def as_in(found: Contents, lowest: Contents) -> Contents:
    """Return what was found, with those columns alone that a lower revision has too."""
    return {
        table: [{name: row[name] for name in rows[0]} for row in found[table]]
        for table, rows in lowest.items()
    }
