"""Killed between two statements of a migration, a database is as it was before it began."""

import random
import signal

import pytest
from sqlalchemy import text

from paperdesk.db import migrate
from paperdesk.db.engine import Database
from support.kills import ROUNDS, sabotaged
from support.migrations import as_in, contents, go
from support.program import Program
from support.rows import fill
from support.sabotage import LAST_WORDS

pytestmark = pytest.mark.timeout(300 * ROUNDS)

OLDEST = migrate.known_revisions().get_base() or ""
STATEMENTS = range(1, 9)
"""Every upgrade from the oldest revision has at least that many on both databases."""


async def revision_of(url: str) -> str:
    database = Database(url)
    async with database.reader.connect() as connection:
        revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    await database.close()
    return str(revision)


async def test_a_killed_migration_leaves_the_database_as_it_was(
    program: Program, database_url: str
) -> None:
    program = program.with_environment(DATABASE_URL=database_url)
    database = Database(database_url)
    async with database.writer.begin() as connection:
        await connection.run_sync(fill)
    await database.close()
    assert all((await contents(database_url)).values())

    for _ in range(ROUNDS):
        await go(database_url, "downgrade", OLDEST)
        lower = await contents(database_url)
        for statement in random.sample(STATEMENTS, 3):
            trap = sabotaged(program, SABOTAGE=f"in-migration:{statement}", SABOTAGE_AT_ONCE="1")
            killed = trap("migrate")
            assert killed.code == -signal.SIGKILL
            assert f"{LAST_WORDS}in-migration" in killed.err
            assert await revision_of(database_url) == OLDEST

        assert program("migrate").code == 0
        assert as_in(await contents(database_url), lower) == lower
