"""Databases of both kinds: migrated and seeded once a session, copied for each test."""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from paperdesk.bootstrap import open_database
from paperdesk.clock import ManualClock
from paperdesk.settings import database_url
from support.postgres import PostgresServer

DIALECTS: Final = ("sqlite", "postgresql")
START: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"""A Friday, half an hour into the New York session: when the books of the tests were opened."""


def make_ready(url: str) -> None:
    """Migrate and seed a database, then let go of it."""

    async def prepare() -> None:
        database = await open_database(database_url(url), ManualClock(START))
        await database.close()

    # In a thread of its own: pytest-asyncio's loop belongs to this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, prepare()).result()


class SqliteTemplate:
    """A migrated and seeded file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "template.db"
        make_ready(str(self.path))

    def copy_to(self, path: Path) -> Path:
        """Copy the file; without a WAL beside it, it is whole."""
        if self.path.with_name("template.db-wal").exists():
            raise AssertionError("the template was not closed cleanly")
        return Path(shutil.copyfile(self.path, path))


class PostgresTemplate:
    """A migrated and seeded database on the server."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = server.create()
        make_ready(server.url(self.name))

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Give the URL of a copy that lives as long as the block."""
        with self.server.database(self.name) as url:
            yield url
