"""What arrives when a desk is copied: all of it, exact, as it was at one instant."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.models import (
    Signal,
)
from paperdesk.settings import database_url as driver_url
from paperdesk.settings import sqlite_path
from paperdesk.transfer import copy_desk
from support.copying import content_of, execute, fill, ignored, migrated
from support.trading import assert_books_hold, state_of, trading


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
    assert (await state_of(database))["sequence"] == 7
    await assert_books_hold(database)
    await database.close()


@pytest.mark.parametrize("kept", [0, 1])
async def test_numbers_that_were_given_are_not_given_again(
    sqlite_url: str, empty_postgres: str, tmp_path: Path, kept: int
) -> None:
    source = Database(sqlite_url)
    async with source.write() as session:
        session.add_all(Signal(signal_id=str(n) * 64) for n in range(5))
        await session.flush()
        await session.execute(delete(Signal).where(Signal.id > kept))
    await source.close()
    back = driver_url(tmp_path / "back.db")

    await copy_desk(sqlite_url, empty_postgres, ignored)
    await copy_desk(empty_postgres, back, ignored)

    for url in (empty_postgres, back):
        database = Database(url)
        async with database.write() as session:
            signal = Signal(signal_id="f" * 64)
            session.add(signal)
            await session.flush()
            assert signal.id == 6
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
