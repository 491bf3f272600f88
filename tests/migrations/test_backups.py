"""Before a migration touches a file with data, a copy of it is made beside it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.errors import DatabaseUnusable
from paperdesk.models import Base
from paperdesk.settings import database_url as driver_url
from support.databases import SqliteTemplate, make_ready
from support.processes import alembic
from support.rows import add


async def go(path: Path, direction: str, revision: str) -> None:
    async with migrate.guarded(
        driver_url(path), destination=revision, tables=Base.metadata.tables
    ) as connection:
        await getattr(migrate, direction)(connection, revision)


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.before-*.db"))


@pytest.fixture
def desk(tmp_path: Path, sqlite_template: SqliteTemplate) -> Path:
    """The file of a desk at the newest revision."""
    return sqlite_template.copy_to(tmp_path / "desk.db")


async def test_copy_opens_and_has_the_old_revision_and_rows(desk: Path) -> None:
    head = migrate.head_revision()
    await go(desk, "downgrade", "0001")
    (copy,) = backups(desk)
    assert copy.name.startswith(f"desk.before-{head}-")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(head,)]
        assert connection.execute("SELECT count(*) FROM watchlist").fetchone() == (10,)


async def test_copy_holds_what_is_only_in_the_wal_yet(desk: Path) -> None:
    crashed = sqlite3.connect(desk, isolation_level=None)
    crashed.execute("PRAGMA journal_mode = wal")
    crashed.execute("INSERT INTO desk_meta VALUES ('late', 'news')")
    try:
        assert desk.with_name("desk.db-wal").stat().st_size > 0
        await go(desk, "downgrade", "0001")
    finally:
        crashed.close()
    with closing(sqlite3.connect(backups(desk)[0])) as connection:
        query = "SELECT value FROM desk_meta WHERE key = 'late'"
        assert connection.execute(query).fetchone() == ("news",)


async def test_last_three_copies_are_kept(desk: Path) -> None:
    seen: list[Path] = []
    for direction, revision in [("downgrade", "0001"), ("upgrade", "head")] * 3:
        await go(desk, direction, revision)
        seen += [copy for copy in backups(desk) if copy not in seen]
    assert len(seen) == 6
    assert backups(desk) == sorted(seen[-3:])


async def test_copies_of_another_desk_in_the_folder_are_not_counted(
    desk: Path, sqlite_template: SqliteTemplate
) -> None:
    other = sqlite_template.copy_to(desk.with_name("other.db"))
    await go(other, "downgrade", "0001")
    for direction, revision in [("downgrade", "0001"), ("upgrade", "head")] * 2:
        await go(desk, direction, revision)
    assert len(list(desk.parent.glob("other.before-*"))) == 1


@pytest.mark.parametrize(
    "arguments", [("upgrade", "head"), ("current",), ("check",), ("history",)], ids=" ".join
)
def test_no_copy_is_made_when_nothing_is_migrated(desk: Path, arguments: tuple[str, ...]) -> None:
    before = desk.read_bytes()
    done = alembic("-x", f"url={desk}", *arguments)
    assert done.code == 0, done.err
    assert backups(desk) == []
    assert desk.read_bytes() == before


def test_no_copy_is_made_of_a_new_database(tmp_path: Path) -> None:
    make_ready(str(tmp_path / "desk.db"))
    assert backups(tmp_path / "desk.db") == []


async def test_rebuilding_a_table_does_not_cascade_into_its_children(desk: Path) -> None:
    database = Database(driver_url(desk))
    async with database.writer.begin() as connection:
        await connection.run_sync(add, Base.metadata.tables["job_rows"])
    await database.close()
    async with migrate.guarded(driver_url(desk), destination=None) as connection:
        query = "SELECT sql FROM sqlite_schema WHERE name = 'jobs' AND type = 'table'"
        create = str(await connection.scalar(text(query)))
        for statement in (
            create.replace("CREATE TABLE jobs", "CREATE TABLE rebuilt"),
            "INSERT INTO rebuilt SELECT * FROM jobs",
            "DROP TABLE jobs",
            "ALTER TABLE rebuilt RENAME TO jobs",
        ):
            await connection.execute(text(statement))
        assert await connection.scalar(text("SELECT count(*) FROM job_rows")) == 1


async def run(url: str, *statements: str) -> None:
    """Run statements where a migration would."""
    async with migrate.guarded(url, destination=None) as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_migration_that_would_leave_orphans_is_taken_back(desk: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="without what they refer to, in stocks"):
        await run(driver_url(desk), "DELETE FROM domains")
    database = Database(driver_url(desk))
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM domains")) == 3
    await database.close()


async def test_migration_that_fails_leaves_neither_schema_nor_rows(database_url: str) -> None:
    half = ("CREATE TABLE half_done (id INTEGER)", "DELETE FROM watchlist")
    with pytest.raises(DatabaseUnusable, match="refused to be migrated"):
        await run(database_url, *half, "INSERT INTO nowhere VALUES (1)")
    database = Database(database_url)
    async with database.reader.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM watchlist")) == 10
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await database.close()
    assert "half_done" not in tables
