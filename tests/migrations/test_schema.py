"""What `alembic upgrade head` makes: the documented schema, which is that of the models."""

import ast
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_check import difference
from paperdesk.db.engine import Database
from paperdesk.db.migrate import head_revision, known_revisions
from paperdesk.models import Base
from paperdesk.settings import database_url as driver_url
from support.documented import COLUMNS
from support.inspection import schema_of
from support.postgres import PostgresServer
from support.processes import ROOT, alembic

REVISIONS = sorted((ROOT / "alembic" / "versions").glob("*.py"))


def columns_of(url: str) -> dict[str, set[str]]:
    """Return the columns of every table, read with a plain driver."""
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://")
        if "://" in url
        else f"sqlite:///{url}"
    )
    inspector = inspect(engine)
    found = {t: {c["name"] for c in inspector.get_columns(t)} for t in inspector.get_table_names()}
    engine.dispose()
    return found


@pytest.mark.parametrize("way", ["-x url", "DATABASE_URL", ".env"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_plain_alembic_makes_every_documented_column(
    tmp_path: Path, postgres_server: PostgresServer, kind: str, way: str
) -> None:
    with postgres_server.database() as postgres:
        url = str(tmp_path / "new" / "folder" / "desk.db") if kind == "sqlite" else postgres
        upgrade = ("-c", str(ROOT / "alembic.ini"), "upgrade", "head")
        match way:
            case "-x url":
                done = alembic("-x", f"url={url}", "upgrade", "head")
            case "DATABASE_URL":
                done = alembic("upgrade", "head", env={"DATABASE_URL": url})
            case _:
                (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
                done = alembic(*upgrade, cwd=tmp_path)
        assert done.code == 0, done.err
        found = columns_of(url)
    assert found.keys() == COLUMNS.keys() | {"alembic_version"}
    missing = {t: set(names.split()) - found[t] for t, names in COLUMNS.items()}
    assert {table: names for table, names in missing.items() if names} == {}


def test_history_is_one_line_with_one_head() -> None:
    script = known_revisions()
    assert script.get_heads() == [head_revision()]
    walked = [revision.down_revision for revision in script.walk_revisions()]
    assert all(down is None or isinstance(down, str) for down in walked)
    assert len(walked) == len(REVISIONS)


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_revision_says_why_and_depends_on_no_code_that_may_change(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    steady = {"alembic", "sqlalchemy", *sys.stdlib_module_names}
    assert {m for m in modules if m.split(".")[0] not in steady} == set()
    assert len(ast.get_docstring(tree) or "") > 40


def test_folder_of_revisions_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


async def test_models_build_the_schema_that_migrations_make(
    database: Database, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    async with database.reader.connect() as connection:
        migrated = await connection.run_sync(schema_of)
    with postgres_server.database() as postgres:
        url = str(tmp_path / "built.db") if database.dialect == "sqlite" else postgres
        engine = create_async_engine(driver_url(url))
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            built = await connection.run_sync(schema_of)
        await engine.dispose()
    assert migrated.keys() == built.keys()
    for table, parts in migrated.items():
        for part, found in parts.items():
            assert found == built[table][part], (table, part)


async def test_every_constraint_and_index_has_the_name_of_the_convention(
    database: Database,
) -> None:
    async with database.reader.connect() as connection:
        schema = await connection.run_sync(schema_of)
    prefixes = {"foreign keys": "fk", "unique": "uq", "checks": "ck", "indexes": "ix"}
    for table, parts in schema.items():
        # SQLite's inspector does not see the name beside AUTOINCREMENT.
        unseen = f"pk_{table}" if parts["numbered for ever"] else None
        assert parts["primary key"].get("name", unseen) == f"pk_{table}"
        for part, prefix in prefixes.items():
            for item in parts[part]:
                # PostgreSQL lists the index under a unique constraint too.
                expected = "uq" if "duplicates_constraint" in item else prefix
                assert item["name"].startswith(f"{expected}_{table}_"), item


def test_alembic_check_finds_nothing_to_migrate(database_url: str) -> None:
    assert difference(database_url) is None


async def test_alembic_check_names_what_was_forgotten(database_url: str) -> None:
    database = Database(database_url)
    async with database.writer.begin() as connection:
        await connection.execute(text("DROP INDEX ix_jobs_status"))
    await database.close()
    assert "ix_jobs_status" in (difference(database_url) or "")


async def test_quotes_are_unlogged_on_postgresql(postgresql: Database) -> None:
    async with postgresql.read() as session:
        query = text("SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'")
        assert (await session.scalars(query)).all() == ["quotes"]
