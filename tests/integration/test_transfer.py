"""Moving a desk between databases: whole, exact, all or nothing."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Table, insert

from paperdesk.clock import ManualClock
from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.db.inspection import read_sqlite
from paperdesk.errors import DatabaseHeld, DatabaseUnusable
from paperdesk.ids import new_id
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.proof.marks import move
from paperdesk.ledger.proof.proving import prove
from paperdesk.models import (
    CashMovementKind,
    ChatMessage,
    ChatRole,
    PositionAdjustment,
    PositionAdjustmentKind,
    Signal,
)
from paperdesk.settings import database_url as driver_url
from paperdesk.settings import sqlite_path
from paperdesk.transfer import copy_desk
from support import rows
from support.postgres import PostgresServer
from support.processes import running
from support.trading import assert_books_hold, state_of, trading

MESSAGES = 2500
"""More than are in memory at once."""

Everything = dict[str, list[tuple[Any, ...]]]


def ignored(_doing: str, _done: int, _total: int) -> None:
    """Watch nothing."""


async def content_of(url: str) -> Everything:
    """Return all rows of all tables, in an order of our own: databases sort text differently."""
    database = Database(url)
    try:
        async with database.read() as session:
            connection = await session.connection()
            found = await connection.run_sync(rows.everything)
    finally:
        await database.close()
    return {name: sorted(each, key=repr) for name, each in found.items()}


BOOKS = {
    "users_profile",
    "positions",
    "orders",
    "trades",
    "cash_movements",
    "position_adjustments",
    "proofs",
}
"""Tables whose rows must come from bookings, or they prove nothing."""


@dataclass(frozen=True, slots=True)
class Split:
    """Two shares for one, as a later version books it."""

    at: datetime
    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        account = books.account(self.account_id)
        held = account.holding("AAPL")
        split = PositionAdjustment(
            id=new_id(),
            kind=PositionAdjustmentKind.stock_split,
            ticker="AAPL",
            numerator=2,
            denominator=1,
            quantity=Decimal(0),
            cost_basis=Decimal(0),
            amount=Decimal(0),
            key="paperdesk:split",
            effective_at=self.at,
            created_at=self.at,
        )
        after = replace(held, quantity=held.quantity * 2)
        account.enter(split, self.at, {"AAPL": after})


async def fill(url: str, clock: ManualClock) -> None:
    """Trade, split and withdraw, prove it, and put rows into every other table."""
    database = Database(url)
    async with trading(database, clock) as desk:
        desk.price("AAPL", "190.123456789")
        await desk.trade("buy", "3.000000001", client_order_id="k", note="ünïcode")
        await desk.ledger.submit(Split(clock.now()))
        await desk.trade("sell", "1")
        withdrawal = CashMovementKind.withdrawal
        await desk.ledger.submit(MoveCash("default", withdrawal, Decimal("0.000001"), clock))
    async with database.write() as session:
        connection = await session.connection()
        for table in rows.TABLES:
            if table.name not in BOOKS:
                await connection.run_sync(add, table, 7)
        await session.run_sync(lambda sync: move(sync, prove(sync).points, clock.now()))
        await connection.execute(
            insert(ChatMessage),
            [
                {"role": ChatRole.user, "content": f"message {n}", "actions": {"b": 1e2, "a": [n]}}
                for n in range(MESSAGES)
            ],
        )
    await database.close()


def add(connection: Connection, table: Table, number: int) -> None:
    """Put a row of the account `default` into a table."""
    changes = {"user_id": "default", "order_id": None}
    rows.add(connection, table, number, **{k: v for k, v in changes.items() if k in table.columns})


@pytest.fixture
def empty_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with postgres_server.database() as url:
        yield driver_url(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database to copy to."""
    if request.param == "sqlite":
        return driver_url(tmp_path / "target.db")
    return str(request.getfixturevalue("empty_postgres"))


def execute(url: str, statement: str) -> None:
    """Run a statement in a database, as an operator would."""
    if path := sqlite_path(url):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executescript(statement)
    else:
        with psycopg.connect(url.replace("+asyncpg", "")) as connection:
            connection.execute(statement.encode())


async def migrated(url: str, revision: str = "head") -> None:
    async with migrate.guarded(url, destination=revision) as connection:
        await migrate.upgrade(connection, revision)


@asynccontextmanager
async def unchanged(url: str) -> AsyncIterator[None]:
    """Check that the block leaves every row of a database as it is."""
    before = await content_of(url)
    yield
    assert await content_of(url) == before


async def test_a_desk_goes_to_postgresql_and_back_without_losing_a_digit(
    sqlite_url: str, empty_postgres: str, tmp_path: Path, clock: ManualClock
) -> None:
    await fill(sqlite_url, clock)
    back, again = (driver_url(tmp_path / name) for name in ("back.db", "again.db"))
    steps: list[tuple[str, int, int]] = []

    there = await copy_desk(sqlite_url, empty_postgres, lambda *step: steps.append(step))
    home = await copy_desk(empty_postgres, back, ignored)
    same = await copy_desk(back, again, ignored)

    original = await content_of(sqlite_url)
    assert all(original.values()), "every table has rows"
    for copy in (empty_postgres, back, again):
        assert await content_of(copy) == original
    assert there == home == same
    assert there.rows == {name: len(each) for name, each in original.items()}
    for doing in ("Copying", "Comparing"):
        done = [(at, of) for what, at, of in steps if what.startswith(doing)]
        assert done == sorted(done)
        assert done[-1] == (sum(there.rows.values()),) * 2


async def test_the_copy_goes_on_where_the_desk_stood(
    sqlite_url: str, target: str, clock: ManualClock
) -> None:
    await fill(sqlite_url, clock)
    await copy_desk(sqlite_url, target, ignored)
    database = Database(target)

    async with trading(database, clock) as desk:
        desk.price("AAPL", "191")
        replayed = await desk.trade("buy", "3.000000001", client_order_id="k", note="ünïcode")
        await desk.trade("buy", "1")
    async with database.write() as session:
        signal = Signal(signal_id="f" * 64)
        session.add(signal)
        await session.flush()
        number = signal.id

    assert replayed.result.replayed
    assert number == 8
    assert (await state_of(database))["sequence"] == 6
    await assert_books_hold(database)
    await database.close()


@pytest.mark.parametrize("revision", ["head", "0001"])
async def test_a_target_may_be_migrated_as_long_as_it_holds_nothing(
    sqlite_url: str, target: str, revision: str
) -> None:
    await migrated(target, revision)

    await copy_desk(sqlite_url, target, ignored)

    assert await content_of(target) == await content_of(sqlite_url)
    if path := sqlite_path(target):
        assert not list(path.parent.glob("*.before-*"))


async def test_a_target_that_holds_anything_is_left_as_it_is(
    sqlite_url: str, database_url: str, tmp_path: Path
) -> None:
    source = driver_url(tmp_path / "source.db")
    await copy_desk(sqlite_url, source, ignored)

    async with unchanged(database_url):
        with pytest.raises(DatabaseUnusable, match="not empty"):
            await copy_desk(source, database_url, ignored)


async def test_a_desk_is_not_copied_onto_itself(sqlite_url: str, postgres_url: str) -> None:
    for url in (sqlite_url, postgres_url):
        async with unchanged(url):
            with pytest.raises(DatabaseUnusable, match="not empty"):
                await copy_desk(url, url, ignored)


async def test_another_programs_database_is_no_target(sqlite_url: str, target: str) -> None:
    execute(target, "CREATE TABLE theirs (id integer)")

    with pytest.raises(DatabaseUnusable, match="belongs to another program"):
        await copy_desk(sqlite_url, target, ignored)

    execute(target, "INSERT INTO theirs VALUES (1)")


async def test_an_older_desk_is_migrated_first_and_by_somebody_else(
    target: str, tmp_path: Path, empty_postgres: str
) -> None:
    for source in (driver_url(tmp_path / "old.db"), empty_postgres):
        if source == target:
            continue
        await migrated(source, "0002")
        with pytest.raises(DatabaseUnusable, match="`paperdesk migrate` brings it there"):
            await copy_desk(source, target, ignored)


async def test_without_a_desk_there_is_nothing_to_copy_and_nothing_is_made(
    target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()

    with pytest.raises(DatabaseUnusable, match="no desk"):
        await copy_desk(driver_url(folder / "none.db"), target, ignored)

    assert list(folder.iterdir()) == []
    path = sqlite_path(target)
    assert path is None or not path.exists()


async def test_a_file_that_is_in_use_is_not_copied_and_not_copied_to(
    sqlite_url: str, tmp_path: Path
) -> None:
    hold = (
        "import sys, time\nfrom paperdesk.db.lock import Ownership\nfrom pathlib import Path\n"
        "lock = Ownership.take(Path(sys.argv[1]))\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    target = tmp_path / "target.db"
    for held in (sqlite_path(sqlite_url), target):
        with (
            running(hold, str(held)) as process,
            pytest.raises(DatabaseHeld, match=str(process.pid)),
        ):
            await copy_desk(sqlite_url, driver_url(target), ignored)


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


async def test_a_desk_whose_books_are_not_proven_is_not_copied(
    sqlite_url: str, target: str
) -> None:
    execute(sqlite_url, "UPDATE users_profile SET cash_balance = cash_balance + 1")

    with pytest.raises(DatabaseUnusable, match=r"Cash is .*`paperdesk verify` shows"):
        await copy_desk(sqlite_url, target, ignored)

    assert tables_of(target) == set()


async def test_a_desk_that_runs_on_postgresql_is_copied_as_it_was_at_one_instant(
    postgres_url: str, tmp_path: Path
) -> None:
    before = await content_of(postgres_url)
    target = driver_url(tmp_path / "target.db")
    write = interrupting(postgres_url)

    await copy_desk(postgres_url, target, write)

    assert await content_of(target) == before
    assert len((await content_of(postgres_url))["chat_messages"]) == 1


async def test_a_source_that_goes_away_once_it_was_read_is_not_missed(
    postgres_url: str, tmp_path: Path
) -> None:
    def watch(doing: str, _done: int, _total: int) -> None:
        if doing.startswith("Comparing"):
            execute(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )

    copied = await copy_desk(postgres_url, driver_url(tmp_path / "target.db"), watch)

    assert copied.rows["watchlist"] == 10


def interrupting(url: str) -> Callable[[str, int, int], None]:
    """Return a watch that writes to a desk while it is copied."""
    written: list[str] = []

    def watch(doing: str, _done: int, _total: int) -> None:
        if not written:
            written.append(doing)
            execute(
                url,
                "INSERT INTO chat_messages (id, user_id, role, content, created_at) "
                "VALUES ('m', 'default', 'user', 'late', now())",
            )

    return watch


def tables_of(url: str) -> set[str]:
    """Return the names of the tables, as somebody finds them who looks in."""
    if path := sqlite_path(url):
        return set(read_sqlite(path).tables)
    with psycopg.connect(url.replace("+asyncpg", "")) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        return {name for (name,) in found}


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
