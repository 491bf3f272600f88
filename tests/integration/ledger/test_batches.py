"""What one batch may hold: several accounts, a position opened again, a COMMIT that fails."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, event, select

from paperdesk.clock import ManualClock
from paperdesk.db.closing import RollingBack
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, InsufficientShares, UnknownOutcome
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.lane.writer import Booked
from paperdesk.models import Position, Trade
from support.trading import TradingDesk, assert_books_hold, trading


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        yield desk


async def position(database: Database) -> Position:
    async with database.read() as session:
        return (await session.scalars(select(Position))).one()


async def test_a_position_closed_and_opened_in_one_batch_keeps_its_row(
    desk: TradingDesk, clock: ManualClock
) -> None:
    await desk.trade("buy", "2")
    before = await position(desk.database)
    clock.advance(timedelta(seconds=1))

    await asyncio.gather(desk.trade("sell", "2"), desk.trade("buy", "3"), desk.trade("buy", "1"))

    after = await position(desk.database)
    assert (after.id, after.quantity, after.cost_basis) == (before.id, 4, 400)
    assert after.opened_at == clock.now() > before.opened_at
    await assert_books_hold(desk.database)


async def test_a_position_opened_and_closed_in_one_batch_leaves_no_row(desk: TradingDesk) -> None:
    await asyncio.gather(desk.trade("buy", "2"), desk.trade("sell", "1"), desk.trade("sell", "1"))

    async with desk.database.read() as session:
        assert (await session.scalars(select(Position))).all() == []
    await assert_books_hold(desk.database)


async def test_a_batch_sees_what_it_has_booked_already(desk: TradingDesk) -> None:
    results = await asyncio.gather(
        desk.trade("sell", "1"),
        desk.trade("buy", "2"),
        desk.trade("sell", "2"),
        desk.trade("sell", "1"),
        return_exceptions=True,
    )

    assert [type(r) for r in results] == [InsufficientShares, Booked, Booked, InsufficientShares]


async def test_accounts_in_one_batch_are_booked_side_by_side(desk: TradingDesk) -> None:
    async with desk.database.write() as session:
        now = desk.clock.now()
        names = [
            await session.run_sync(open_account, f"bot {n}", Decimal(1000), now) for n in range(5)
        ]

    results = await asyncio.gather(
        *(desk.trade("buy", str(n), account_id=name) for n in (1, 2) for name in names)
    )

    assert {booked.account.id for booked in results} == set(names)
    for name in names:
        view = await desk.ledger.account(name)
        assert (view.cash_balance, view.sequence) == (700, 3)
        await assert_books_hold(desk.database, name)


async def booked_trades(database: Database) -> int:
    async with database.read() as session:
        return len((await session.scalars(select(Trade.id))).all())


def fail_the_next_commit(monkeypatch: pytest.MonkeyPatch, code: int, *, after: bool) -> None:
    commit = RollingBack.commit

    def failing(connection: RollingBack) -> None:
        monkeypatch.setattr(RollingBack, "commit", commit)
        if after:
            commit(connection)
        error = sqlite3.OperationalError("as if the disk had failed")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(RollingBack, "commit", failing, raising=False)


async def test_nobody_is_answered_while_the_commit_is_under_way(
    sqlite: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(sqlite, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "1")
        commit, begun, goes_on = RollingBack.commit, threading.Event(), threading.Event()

        def slow(connection: RollingBack) -> None:
            begun.set()
            goes_on.wait(30)
            commit(connection)

        monkeypatch.setattr(RollingBack, "commit", slow, raising=False)
        answer = asyncio.create_task(desk.trade("buy", "1"))
        assert await asyncio.to_thread(begun.wait, 30)
        await asyncio.sleep(0.05)

        assert not answer.done()
        assert await booked_trades(sqlite) == 1
        goes_on.set()
        assert isinstance(await answer, Booked)


@pytest.mark.parametrize("after", [False, True], ids=["lost", "made"])
async def test_a_commit_of_unknown_outcome_is_told_as_such_and_settled_by_the_key(
    sqlite: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    async with trading(sqlite, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "1")
        fail_the_next_commit(monkeypatch, sqlite3.SQLITE_IOERR_FSYNC, after=after)

        orders = [desk.order("buy", "1", client_order_id=f"key {n}") for n in range(3)]
        lost = await asyncio.gather(
            *(desk.ledger.submit(order) for order in orders), return_exceptions=True
        )
        again = await asyncio.gather(*(desk.ledger.submit(order) for order in orders))

    assert {type(error) for error in lost} == {UnknownOutcome}
    assert [booked.result.replayed for booked in again] == [after] * 3
    assert await booked_trades(sqlite) == 4
    await assert_books_hold(sqlite)


async def test_a_commit_that_was_surely_taken_back_is_told_as_busy(
    sqlite: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(sqlite, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "1")
        fail_the_next_commit(monkeypatch, sqlite3.SQLITE_FULL, after=False)

        with pytest.raises(Busy):
            await desk.trade("buy", "1")

        assert await booked_trades(sqlite) == 1
        assert (await desk.ledger.account("default")).cash_balance == 9_900


async def test_a_deadlock_is_tried_again_as_a_whole(
    postgresql: Database, clock: ManualClock
) -> None:
    failures = ["40P01", "40001"]

    def fail(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "INSERT INTO trades" in statement and failures:
            # The server itself refuses the transaction.
            connection.exec_driver_sql(
                f"DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '{failures.pop()}'; END $$"
            )

    event.listen(postgresql.lane.sync_engine, "before_cursor_execute", fail)
    async with trading(postgresql, clock) as desk:
        desk.price("AAPL", "100")
        results = await asyncio.gather(*(desk.trade("buy", "1") for _ in range(3)))

    assert failures == []
    assert len({booked.result.trade.id for booked in results}) == 3
    assert await booked_trades(postgresql) == 3
    await assert_books_hold(postgresql)
