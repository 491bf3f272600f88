"""Opening and closing: which file a path leads to, who has it open; closed means closed."""

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.bootstrap import close_db, init_db
from paperdesk.db import inspection, lock, migrate
from paperdesk.db.engine import Database
from paperdesk.db.lock import Ownership, migration_lock
from paperdesk.errors import DatabaseUnusable
from paperdesk.models import Base, DeskMeta, Domain
from support.databases import SqliteTemplate

CLOSED = r"^This database was closed\. Open it again with init_db\.$"


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


@pytest.mark.parametrize("name", ["100%41.db", "a#b.db", "a@b:c.db", "käse [1].db"])
async def test_file_that_is_opened_has_the_very_name_of_the_path(tmp_path: Path, name: str) -> None:
    database = await init_db(tmp_path / name)
    async with database.write() as session:
        session.add(DeskMeta(key="mine", value="so"))
    with database.sync_session() as session:
        assert session.get(DeskMeta, "mine")
    await close_db()
    assert names(tmp_path) == {name, f"{name}.lock", f"{name}.migrate.lock"}


async def in_read(database: Database) -> None:
    async with database.read():
        pass


async def in_write(database: Database) -> None:
    async with database.write():
        pass


async def in_script(database: Database) -> None:
    with database.sync_session():
        pass


@pytest.mark.parametrize("use", [in_read, in_write, in_script])
async def test_closed_database_says_that_it_is_closed(database: Database, use: Any) -> None:
    assert not database.closed
    await database.close()
    assert database.closed
    with pytest.raises(DatabaseUnusable, match=CLOSED):
        await use(database)


async def test_what_was_taken_from_a_database_does_not_outlive_it(database: Database) -> None:
    makers: list[Callable[[], AsyncSession]] = [
        database.async_session_maker,
        database.reading_session_maker,
    ]
    scripts = database.sync_engine
    with scripts.connect() as connection:
        connection.scalar(select(DeskMeta.key))
    for maker in makers:
        async with maker() as session:
            await session.scalar(select(DeskMeta.key))
    await database.close()
    for maker in makers:
        async with maker() as session:
            with pytest.raises(DatabaseUnusable, match=CLOSED):
                await session.scalar(select(DeskMeta.key))
    with pytest.raises(DatabaseUnusable, match=CLOSED):
        scripts.connect()


async def test_database_that_closed_itself_is_opened_anew(database_url: str) -> None:
    first = await init_db(database_url)
    await first.close()
    second = await init_db(database_url)
    assert second is not first
    async with second.write() as session:
        session.add(Domain(name="New"))
    await close_db()
    assert not Ownership._owned


async def test_one_file_is_one_database_by_whatever_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "desk.db")
    paths = ["real/desk.db", "link.db", "real/../real/desk.db", "link.db"]
    opened = [await init_db(tmp_path / path) for path in paths]
    assert {id(one) for one in opened} == {id(opened[0])}
    await close_db()
    assert names(tmp_path) == {"real", "link.db"}


def test_links_that_go_round_are_refused(tmp_path: Path) -> None:
    (tmp_path / "desk.db").symlink_to(tmp_path / "desk.db")
    with pytest.raises(DatabaseUnusable, match=r"desk\.db cannot be used: its links lead nowhere"):
        Database(tmp_path / "desk.db")


# asyncpg warns of a connection whose loop ended before it.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_databases_of_loops_that_are_gone_are_closed_too(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> Database:
        database = await init_db(database_url)
        async with database.read() as session:
            await session.scalar(select(DeskMeta.key))
        async with database.write() as session:
            session.add(Domain(name=f"Loop {id(database)}"))
        return database

    first, second = asyncio.run(use()), asyncio.run(use())
    assert first is not second
    asyncio.run(close_db())
    gc.collect()
    assert first.closed
    assert second.closed
    assert not Ownership._owned
    assert caplog.text == ""


@pytest.mark.parametrize("take", [Ownership.take, migration_lock])
def test_lock_on_a_file_that_was_removed_meanwhile_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: Any
) -> None:
    opened = list[Path]()
    real_open = lock._open

    def open_and_lose(path: Path) -> int:
        descriptor = real_open(path)
        opened.append(path)
        if len(opened) == 1:
            path.unlink()
        return descriptor

    monkeypatch.setattr(lock, "_open", open_and_lose)
    taken = take(tmp_path / "desk.db")
    if isinstance(taken, Ownership):
        assert len(opened) == 2
        assert os.path.samestat(opened[1].stat(), os.fstat(taken._descriptor))
        taken.release()
    else:
        with taken:
            assert len(opened) == 2
            assert opened[1].exists()


async def test_revision_is_read_through_a_link_past_the_wal(sqlite: Database) -> None:
    assert sqlite.path
    link = sqlite.path.with_name("link.db")
    link.symlink_to(sqlite.path)
    async with sqlite.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    found = inspection.read_sqlite(link)
    assert found.revisions == ("9999",)
    assert found.tables == set(Base.metadata.tables)
    with pytest.raises(DatabaseUnusable, match="newer than this program"):
        migrate.check_revision(found, found.tables, "it")


async def test_postgresql_says_the_same_of_itself(postgresql: Database) -> None:
    async with postgresql.reader.connect() as connection:
        found = await connection.run_sync(inspection.read_postgresql)
    assert found.revisions == (migrate.head_revision(),)
    assert found.tables == set(Base.metadata.tables)
    assert migrate.check_revision(found, Base.metadata.tables, "it") == migrate.head_revision()


def test_look_changes_nothing(tmp_path: Path, sqlite_template: SqliteTemplate) -> None:
    path = sqlite_template.copy_to(tmp_path / "desk.db")
    assert inspection.read_sqlite(path).revisions == (migrate.head_revision(),)
    assert inspection.read_sqlite(tmp_path / "none.db") == inspection.Contents()
    assert names(tmp_path) == {"desk.db"}
