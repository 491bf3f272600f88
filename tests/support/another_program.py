"""Another program at the same SQLite file, which knows nothing of the desk."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from support.load import Load, Memory


@contextmanager
def another_program(path: Path, begin: str) -> Iterator[sqlite3.Connection]:
    """Hold a transaction while the block runs."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(begin)
        yield connection
        connection.rollback()


async def write_beside(path: Path, memory: Memory, load: Load) -> None:
    """Write in many short transactions while clients trade."""
    async with load:
        for _ in range(40):
            with another_program(path, "BEGIN IMMEDIATE") as connection:
                connection.execute("UPDATE desk_meta SET value = value")
                # So that the desk begins, and could look, before this is committed.
                await asyncio.sleep(0.02)
                connection.execute("COMMIT")
                connection.execute("BEGIN")
            await memory.more(2)
