"""A copy that fails in the middle leaves nothing behind."""

import pytest

from paperdesk.clock import ManualClock
from paperdesk.errors import DatabaseUnusable
from paperdesk.settings import sqlite_path
from paperdesk.transfer import copy_desk
from support.copying import content_of, execute, fill, ignored, migrated, tables_of
from support.processes import running


async def test_a_row_that_the_target_cannot_hold_is_named_and_nothing_arrives(
    sqlite_url: str, empty_postgres: str
) -> None:
    execute(
        sqlite_url,
        "INSERT INTO chat_messages (id, user_id, role, content, created_at) VALUES "
        "('m', 'default', 'user', 'a' || char(0) || 'b', '2026-11-20T15:00:00.000000Z')",
    )

    with pytest.raises(DatabaseUnusable, match="chat_messages"):
        await copy_desk(sqlite_url, empty_postgres, ignored)

    # Without tables, it takes any desk still.
    execute(sqlite_url, "DELETE FROM chat_messages")
    await copy_desk(sqlite_url, empty_postgres, ignored)


IN_SQLITE = """
    CREATE TRIGGER spoil AFTER INSERT ON watchlist WHEN NEW.ticker = 'V' BEGIN {}; END
"""
IN_POSTGRESQL = """
    CREATE FUNCTION spoil() RETURNS trigger AS $$ BEGIN
        IF NEW.ticker = 'V' THEN {}; END IF; RETURN NEW;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER spoil BEFORE INSERT ON watchlist FOR EACH ROW EXECUTE FUNCTION spoil()
"""
SPOILERS = {
    "changed": ("UPDATE watchlist SET ticker = 'W' WHERE id = NEW.id", "NEW.ticker = 'W'"),
    "lost": ("DELETE FROM watchlist WHERE id = NEW.id", "RETURN NULL"),
}


@pytest.mark.parametrize("how", SPOILERS)
async def test_what_arrives_otherwise_than_it_was_sent_is_taken_back(
    sqlite_url: str, target: str, how: str
) -> None:
    await migrated(target)
    in_sqlite, in_postgresql = SPOILERS[how]
    spoiler = (
        IN_SQLITE.format(in_sqlite) if sqlite_path(target) else IN_POSTGRESQL.format(in_postgresql)
    )
    execute(target, spoiler)

    with pytest.raises(DatabaseUnusable, match="watchlist"):
        await copy_desk(sqlite_url, target, ignored)

    assert not any((await content_of(target)).values())


COPY = """
import asyncio, sys
from paperdesk.transfer import copy_desk

def watch(doing, done, total):
    if doing == sys.argv[3]:
        print("here", flush=True)
        sys.stdin.readline()

asyncio.run(copy_desk(sys.argv[1], sys.argv[2], watch))
"""


@pytest.mark.parametrize("where", ["Copying trades", "Comparing trades"])
async def test_a_kill_in_the_middle_leaves_the_target_empty_and_the_source_as_it_was(
    sqlite_url: str, target: str, clock: ManualClock, where: str
) -> None:
    await fill(sqlite_url, clock)
    original = await content_of(sqlite_url)

    with running(COPY, sqlite_url, target, where) as process:
        process.kill()

    assert await content_of(sqlite_url) == original
    assert tables_of(target) == set()
    await copy_desk(sqlite_url, target, ignored)
    assert await content_of(target) == original
