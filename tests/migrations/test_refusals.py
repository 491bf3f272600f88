"""What `alembic upgrade head` will not touch: it says so in one line and changes nothing."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from paperdesk.bootstrap import close_db, init_db
from paperdesk.db.engine import Database
from paperdesk.errors import DatabaseUnusable
from support.databases import SqliteTemplate
from support.postgres import PostgresServer
from support.processes import alembic

Maker = Callable[[Path, SqliteTemplate], object]

NEWER = "UPDATE alembic_version SET version_num = '9999'"
TWO_REVISIONS = "INSERT INTO alembic_version VALUES ('0001')"
TABLE_MISSING = "DROP TABLE chat_messages"
FOREIGN = "DROP TABLE alembic_version"


def changed(*statements: str) -> Maker:
    """Return a maker of a migrated file on which somebody then worked by hand."""

    def make(path: Path, template: SqliteTemplate) -> None:
        template.copy_to(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return make


def with_bytes(content: bytes) -> Maker:
    return lambda path, _: path.write_bytes(content)


def read_only(path: Path, template: SqliteTemplate) -> None:
    template.copy_to(path).chmod(0o444)


def newer_after_a_crash(path: Path, template: SqliteTemplate) -> None:
    """Leave the newer revision in the WAL alone, as a killed process does."""
    living = template.copy_to(path.with_name("living.db"))
    with closing(sqlite3.connect(living, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute(NEWER)
        for ending in ("", "-wal", "-shm"):
            content = living.with_name(living.name + ending).read_bytes()
            path.with_name(path.name + ending).write_bytes(content)
    living.unlink()


def cut_off(path: Path, template: SqliteTemplate) -> None:
    path.write_bytes(template.path.read_bytes()[:5000])


SQLITE_CASES: dict[str, tuple[Maker, str]] = {
    "newer": (changed(NEWER), "newer than this program (revision 9999"),
    "newer after a crash": (newer_after_a_crash, "newer than this program (revision 9999"),
    "two revisions": (changed(TWO_REVISIONS), "half-migrated"),
    "a table missing": (changed(TABLE_MISSING), "lacks chat_messages"),
    "no revision": (changed(FOREIGN), "belongs to another program"),
    "no row of a revision": (changed("DELETE FROM alembic_version"), "broke off"),
    "a folder": (lambda path, _: path.mkdir(), "is a folder"),
    "a pipe": (lambda path, _: os.mkfifo(path), "is no plain file"),
    "read-only": (read_only, "read-only"),
    "garbage": (with_bytes(b"the quick brown fox" * 300), "not a SQLite database"),
    "a few bytes": (with_bytes(b"SQLite"), "not a SQLite database"),
    "garbage after the header": (
        with_bytes(b"SQLite format 3\x00" + b"\xa5" * 8176),
        "cannot be read",
    ),
    "cut off": (cut_off, "cannot be read"),
}


def state(folder: Path) -> dict[str, bytes | None]:
    """Return everything in a folder but what holds no data: lock files, and an index's bytes."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() and not path.name.endswith("-shm") else None
        )
        for path in folder.rglob("*")
        if path.suffix != ".lock"
    }


def refused_line(url: str) -> str:
    """Run plain `alembic upgrade head`, see it refuse, and return the one line that it says."""
    done = alembic("-x", f"url={url}", "upgrade", "head")
    assert done.code != 0
    said = (done.out + done.err).strip()
    assert "\n" not in said
    return said


@pytest.mark.parametrize("case", SQLITE_CASES)
def test_file_that_is_not_ours_to_migrate_is_left_as_it_is(
    tmp_path: Path, sqlite_template: SqliteTemplate, case: str
) -> None:
    make, expected = SQLITE_CASES[case]
    path = tmp_path / "desk.db"
    make(path, sqlite_template)
    before = state(tmp_path)
    line = refused_line(str(path))
    assert expected in line
    assert str(path) in line
    assert state(tmp_path) == before


@pytest.mark.parametrize("beneath", ["desk.db", "folder/desk.db"])
def test_folder_that_cannot_be_made_is_named(tmp_path: Path, beneath: str) -> None:
    (tmp_path / "file").write_text("here is a file already")
    before = state(tmp_path)
    line = refused_line(str(tmp_path / "file" / beneath))
    assert f"{tmp_path / 'file'}" in line
    assert "is no folder" in line
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (NEWER, "newer than this program (revision 9999"),
        (TWO_REVISIONS, "half-migrated"),
        (TABLE_MISSING, "lacks chat_messages"),
        (FOREIGN, "belongs to another program"),
    ],
)
async def test_postgresql_database_that_is_not_ours_to_migrate_is_left_as_it_is(
    postgresql: Database, statement: str, expected: str
) -> None:
    tables = text("SELECT array_agg(relname ORDER BY 1) FROM pg_class WHERE relkind = 'r'")
    async with postgresql.writer.begin() as connection:
        await connection.execute(text(statement))
        before = await connection.scalar(tables)
    with pytest.raises(DatabaseUnusable) as refused:
        await init_db(postgresql.url)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    async with postgresql.writer.begin() as connection:
        assert await connection.scalar(tables) == before


@pytest.mark.parametrize(
    "address", ["postgresql://nobody@127.0.0.1:1/desk", "postgresql://nobody@/desk?host=/nowhere"]
)
def test_postgresql_that_does_not_answer_is_said_so(address: str) -> None:
    assert "PostgreSQL does not answer" in refused_line(address)


def test_postgresql_database_that_does_not_exist_is_named(postgres_server: PostgresServer) -> None:
    assert "not_there" in refused_line(postgres_server.url("not_there"))


def test_bad_setting_is_one_line_too() -> None:
    done = alembic("upgrade", "head", env={"DATABASE_URL": "mysql://root@host/desk"})
    assert done.code != 0
    assert "\n" not in done.err.strip()
    assert "DATABASE_URL" in done.err


@pytest.mark.parametrize("case", ["newer", "garbage", "a table missing"])
async def test_first_boot_is_as_careful_as_alembic(
    tmp_path: Path, sqlite_template: SqliteTemplate, case: str
) -> None:
    make, expected = SQLITE_CASES[case]
    path = tmp_path / "desk.db"
    make(path, sqlite_template)
    before = state(tmp_path)
    with pytest.raises(DatabaseUnusable) as refused:
        await init_db(path)
    assert expected in str(refused.value)
    assert state(tmp_path) == before


async def test_empty_file_is_a_new_desk(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    path.touch()
    assert alembic("-x", f"url={path}", "upgrade", "head").code == 0
    assert path.stat().st_size > 0


def modes(folder: Path) -> dict[str, int]:
    return {one.name: one.stat().st_mode & 0o777 for one in folder.iterdir()}


async def test_file_that_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    database = await init_db(path)
    async with database.write() as session:
        await session.execute(text("DELETE FROM domains WHERE 0"))
        found = modes(tmp_path)
    await close_db()
    assert {"desk.db", "desk.db-wal"} <= found.keys()
    assert set(found.values()) == {0o600}


async def test_mode_that_the_owner_chose_stays(
    tmp_path: Path, sqlite_template: SqliteTemplate
) -> None:
    path = sqlite_template.copy_to(tmp_path / "desk.db")
    path.chmod(0o660)
    await init_db(path)
    await close_db()
    assert path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("arguments", [("current",), ("check",)], ids=" ".join)
def test_command_that_migrates_nowhere_makes_no_file(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    path = tmp_path / "folder" / "desk.db"
    done = alembic("-x", f"url={path}", *arguments)
    assert done.code != 0
    said = (done.out + done.err).strip()
    assert said == f"There is no database at {path} yet. `paperdesk migrate` makes it."
    assert list(tmp_path.iterdir()) == []
