"""Every revision goes up, down and up again, under rows in every table."""

import pytest
from alembic.script import ScriptDirectory

from paperdesk.db import migrate
from paperdesk.db.engine import Database
from support.migrations import as_in, contents, go
from support.rows import fill

REVISIONS = [
    revision.revision
    for revision in ScriptDirectory.from_config(migrate.alembic_config()).walk_revisions()
]
"""Newest first."""


@pytest.fixture
async def full_url(database_url: str) -> str:
    """The URL of a database with rows in every table, none of which names another's."""
    database = Database(database_url)
    async with database.writer.begin() as connection:
        await connection.run_sync(fill)
    await database.close()
    return database_url


async def test_each_step_down_and_up_keeps_every_row(full_url: str) -> None:
    before = await contents(full_url)
    assert all(before.values())
    for revision in REVISIONS[1:]:
        await go(full_url, "downgrade", revision)
        lower = await contents(full_url)
        # Columns that came later lose what they say; nothing else may.
        assert lower == as_in(before, lower)
        await go(full_url, "upgrade", "head")
        assert as_in(await contents(full_url), lower) == lower
    await go(full_url, "downgrade", REVISIONS[-1])
    lowest = await contents(full_url)
    assert lowest.keys() == before.keys()
    for revision in reversed(REVISIONS):
        await go(full_url, "upgrade", revision)
        assert as_in(await contents(full_url), lowest) == lowest


async def test_all_the_way_down_leaves_nothing_and_up_again_works(full_url: str) -> None:
    await go(full_url, "downgrade", "base")
    await go(full_url, "upgrade", "head")
    assert not any((await contents(full_url)).values())
