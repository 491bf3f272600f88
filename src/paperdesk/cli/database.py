"""`paperdesk migrate`, `seed` and `schema`: the database, without a desk."""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from paperdesk.cli.config import place
from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import say, show_value
from paperdesk.clock import SystemClock
from paperdesk.db import migrate as migrations
from paperdesk.models import Base
from paperdesk.seed import seed as seed_on
from paperdesk.settings import Settings, database_url

_KINDS: Final = ("table", "index", "trigger")
_SCHEMA: Final = """
    SELECT type, name, tbl_name, sql FROM sqlite_schema
    WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' AND tbl_name <> 'alembic_version'
"""


def migrate(*, options: Shown = SHOWN) -> None:
    """Bring the database to the newest revision; a copy of the file from before is kept."""
    settings = Settings.load()
    before = asyncio.run(_migrate(settings.database_url))
    head = migrations.head_revision()
    where = place(settings)
    if options.json:
        show_value({"database": where, "from": before, "to": head})
    elif before == head:
        say(f"Already at revision {head}: {where}")
    elif before is None:
        say(f"Made the database at revision {head}: {where}")
    else:
        say(f"Migrated from revision {before} to {head}: {where}")


def seed(*, options: Shown = SHOWN) -> None:
    """Make a first account with $10,000, a watchlist and some stocks, unless that was done."""
    settings = Settings.load()
    done = asyncio.run(_seed(settings.database_url))
    where = place(settings)
    if options.json:
        show_value({"database": where, "seeded": done})
    elif done:
        say(f"Seeded with the account `default`, its watchlist and some stocks: {where}")
    else:
        say(f"Seeded before; nothing was changed: {where}")


def schema(*, options: Shown = SHOWN) -> None:
    """Print the schema as SQL, from a freshly migrated SQLite database."""
    with tempfile.TemporaryDirectory(prefix="paperdesk-") as folder:
        path = Path(folder) / "schema.db"
        asyncio.run(_migrate(database_url(path)))
        with closing(sqlite3.connect(path)) as connection:
            parts = connection.execute(_SCHEMA).fetchall()
    parts.sort(key=lambda part: (part[2], _KINDS.index(part[0]), part[1]))
    if options.json:
        names = ("type", "name", "table", "sql")
        show_value([dict(zip(names, part, strict=True)) for part in parts])
        return
    say(f"-- Paperdesk at revision {migrations.head_revision()}, as SQLite has it.")
    say("-- Written by `make schema`; the migrations in alembic/versions decide.")
    for _, _, _, sql in parts:
        say(f"\n{_statement(sql)}")


async def _migrate(url: str) -> str | None:
    async with migrations.guarded(url, tables=Base.metadata.tables) as connection:
        before = await _revision(connection)
        await migrations.upgrade(connection)
    return before


async def _seed(url: str) -> bool:
    async with migrations.guarded(url, tables=Base.metadata.tables) as connection:
        await migrations.upgrade(connection)
        return await seed_on(connection, SystemClock())


async def _revision(connection: AsyncConnection) -> str | None:
    def read(sync: Connection) -> Any:
        return MigrationContext.configure(sync).get_current_revision()

    return await connection.run_sync(read)


def _statement(sql: str) -> str:
    lines = [line.rstrip() for line in sql.expandtabs(4).strip().splitlines()]
    return "\n".join(line for line in lines if line).removesuffix(";").rstrip() + ";"
