"""The writer itself: batches, neighbours, callers that go away, and stopping."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import IntegrityError

from paperdesk.audit.trail import Action, Line
from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, InsufficientCash, InvalidState, Refused
from paperdesk.ids import new_id
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.holdings import Holding
from paperdesk.ledger.lane.account_book import BooksDisagree
from paperdesk.ledger.lane.books import Batch, Books
from paperdesk.ledger.lane.waiting import Command
from paperdesk.ledger.lane.writer import Booked, Ledger
from paperdesk.models import CashMovement, CashMovementKind, DeskMeta, Trade, UserProfile
from support.databases import START
from support.trading import TradingDesk, assert_books_hold, trading


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        yield desk


@dataclass(frozen=True)
class Clumsy:
    """A command with a bug: it changes the books, then refuses."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        account = books.session.get_one(UserProfile, self.account_id)
        account.cash_balance += 1_000_000
        raise InvalidState("too late")


@dataclass(frozen=True)
class Sneaky:
    """A command whose change is flushed by a query before it refuses."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        account = books.session.get_one(UserProfile, self.account_id)
        account.cash_balance += 1_000_000
        books.session.scalars(select(Trade)).all()
        raise InvalidState("too late")


@dataclass(frozen=True)
class Hasty:
    """A command that enters something into the journal, then refuses."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        books.account(self.account_id).enter(deposit("1000000", "hasty"), START)
        raise InvalidState("too late")


@dataclass(frozen=True)
class Confused:
    """A command that enters a deposit and says that shares came with it."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        shares = {"AAPL": Holding(Decimal(1), Decimal(1))}
        books.account(self.account_id).enter(deposit("1", "confused"), START, shares)
        books.note(Line(Action.cash_moved, "Confused."))


@dataclass(frozen=True)
class Broken:
    """A command that the database refuses at the flush."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        books.session.add(DeskMeta(key="seeded_at", value="twice"))


def deposit(amount: str, key: str) -> CashMovement:
    return CashMovement(
        id=new_id(),
        kind=CashMovementKind.deposit,
        amount=Decimal(amount),
        key=key,
        effective_at=START,
        created_at=START,
    )


FAILURES = {
    Clumsy(): InvalidState,
    Sneaky(): InvalidState,
    Hasty(): InvalidState,
    Confused(): BooksDisagree,
    Broken(): IntegrityError,
}


async def booked_trades(desk: TradingDesk) -> int:
    async with desk.database.read() as session:
        return await session.scalar(select(func.count()).select_from(Trade)) or 0


@pytest.mark.parametrize(("spoiler", "failure"), FAILURES.items(), ids=repr)
async def test_a_command_that_fails_late_spoils_no_neighbour(
    desk: TradingDesk, spoiler: Command[None], failure: type[Exception]
) -> None:
    results = await asyncio.gather(
        *(desk.trade("buy", "1") for _ in range(5)),
        desk.ledger.submit(spoiler),
        *(desk.trade("buy", "1") for _ in range(5)),
        return_exceptions=True,
    )

    failed = [r for r in results if not isinstance(r, Booked)]
    assert [type(error) for error in failed] == [failure]
    assert await booked_trades(desk) == 10
    assert (await desk.ledger.account("default")).cash_balance == 9_000
    await assert_books_hold(desk.database)


async def test_refusals_and_bookings_in_one_batch_do_not_touch_each_other(
    desk: TradingDesk,
) -> None:
    results = await asyncio.gather(
        *(desk.trade("buy", "1" if n % 2 else "1000") for n in range(20)), return_exceptions=True
    )

    assert [type(r) for r in results] == [InsufficientCash, Booked] * 10
    assert await booked_trades(desk) == 10
    await assert_books_hold(desk.database)


async def test_duplicates_in_flight_get_the_first_answer(desk: TradingDesk) -> None:
    results = await asyncio.gather(
        *(desk.trade("buy", "1", client_order_id="same") for _ in range(12))
    )

    assert len({booked.result.trade.id for booked in results}) == 1
    assert [booked.result.replayed for booked in results] == [False] + [True] * 11
    assert await booked_trades(desk) == 1


async def test_a_caller_that_goes_away_does_not_stop_its_booking(desk: TradingDesk) -> None:
    callers = [
        asyncio.create_task(desk.trade("buy", "1", client_order_id=f"gone-{n}")) for n in range(8)
    ]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)

    asked_again = await asyncio.gather(
        *(desk.trade("buy", "1", client_order_id=f"gone-{n}") for n in range(8))
    )

    assert all(booked.result.replayed for booked in asked_again)
    assert await booked_trades(desk) == 8


async def test_closing_books_what_was_accepted_and_refuses_the_rest(desk: TradingDesk) -> None:
    accepted = [asyncio.create_task(desk.trade("buy", "1")) for _ in range(30)]
    await asyncio.sleep(0)

    await desk.ledger.close()

    assert not desk.ledger._lane._queue
    assert all(isinstance(booked, Booked) for booked in await asyncio.gather(*accepted))
    assert await booked_trades(desk) == 30
    with pytest.raises(Busy):
        await desk.trade("buy", "1")


async def test_what_is_asked_for_at_the_same_time_is_one_commit(desk: TradingDesk) -> None:
    commits: list[Connection] = []
    is_sqlite = desk.database.dialect == "sqlite"
    engine = desk.database.sync_engine if is_sqlite else desk.database.lane.sync_engine
    event.listen(engine, "commit", commits.append)

    await asyncio.gather(*(desk.trade("buy", "1") for _ in range(30)))

    assert len(commits) == 1


async def test_an_order_that_is_being_checked_while_the_desk_stops_is_refused(
    database: Database, clock: ManualClock
) -> None:
    checking, goes_on = asyncio.Event(), asyncio.Event()

    async def check() -> None:
        checking.set()
        await goes_on.wait()

    desk = TradingDesk(database, clock)
    desk.price("AAPL", "100")
    await desk.trade("buy", "1")
    await desk.ledger.close()
    for books_before in (False, True):
        ledger = Ledger(database, check=check)
        if books_before:
            goes_on.set()
            await ledger.submit(desk.order("buy", "1"))
        checking.clear()
        goes_on.clear()
        late = asyncio.create_task(ledger.submit(desk.order("buy", "1")))
        await checking.wait()
        await ledger.close()
        goes_on.set()
        with pytest.raises(Busy):
            await asyncio.wait_for(late, 5)


async def test_what_waits_behind_a_locked_database_does_not_wait_for_it_again(
    sqlite: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.db.engine.PATIENCE", 0.5)
    monkeypatch.setattr("paperdesk.ledger.lane.lanes.LARGEST_BATCH", 4)
    async with trading(sqlite, clock) as desk:
        desk.price("AAPL", "100")
        async with sqlite.write() as session:
            session.add(DeskMeta(key="slow", value="writer"))
            await session.flush()
            started = time.monotonic()
            refused = await asyncio.gather(
                *(desk.trade("buy", "1") for _ in range(100)), return_exceptions=True
            )
        waited = time.monotonic() - started

        assert {type(error) for error in refused} == {Busy}
        assert waited < 5 * 0.5
        assert isinstance(await desk.trade("buy", "1"), Booked)


async def test_readers_are_told_when_the_look_they_wait_for_is_cancelled(
    postgresql: Database, clock: ManualClock
) -> None:
    async with trading(postgresql, clock) as desk:
        await desk.ledger.account("default")
        asking = asyncio.create_task(desk.ledger.account("default"))
        await asyncio.sleep(0)
        look = desk.ledger._current._looking
        assert look
        look.cancel()

        with pytest.raises(Busy):
            await asyncio.wait_for(asking, 5)
        assert (await desk.ledger.account("default")).cash_balance == 10_000


async def test_a_script_can_open_an_account_beside_the_desk(
    postgresql: Database, clock: ManualClock
) -> None:
    def as_script() -> str:
        with postgresql.sync_session() as session:
            opened = open_account(session, "script", Decimal(500), clock.now())
            session.commit()
            return opened

    async with trading(postgresql, clock) as desk:
        desk.price("AAPL", "100")
        opened = await asyncio.to_thread(as_script)
        await desk.trade("buy", "2", account_id=opened)

    await assert_books_hold(postgresql, opened)


async def test_an_answer_comes_only_after_the_commit(desk: TradingDesk) -> None:
    for n in range(1, 4):
        await desk.trade("buy", "1")
        assert await booked_trades(desk) == n


async def test_a_full_queue_is_refused_and_nothing_is_booked(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.ledger.lane.waiting.LONGEST_QUEUE", 5)

    results = await asyncio.gather(
        *(desk.trade("buy", "1") for _ in range(60)), return_exceptions=True
    )

    booked = [r for r in results if isinstance(r, Booked)]
    refused = [r for r in results if isinstance(r, Busy)]
    assert len(booked) + len(refused) == 60
    assert refused
    assert await booked_trades(desk) == len(booked)


async def test_a_batch_that_finds_the_database_busy_is_refused_at_once(
    sqlite: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.db.engine.PATIENCE", 0.3)
    async with trading(sqlite, clock) as desk:
        desk.price("AAPL", "100")
        async with sqlite.write() as session:
            session.add(DeskMeta(key="slow", value="writer"))
            await session.flush()
            started = time.monotonic()
            refused = await asyncio.gather(
                *(desk.trade("buy", "1") for _ in range(8)), return_exceptions=True
            )
        waited = time.monotonic() - started

        assert [type(error) for error in refused] == [Busy] * 8
        assert waited < 8 * 0.3
        assert isinstance(await desk.trade("buy", "1"), Booked)


async def test_views_follow_the_bookings(desk: TradingDesk) -> None:
    before = await desk.ledger.account("default")
    booked = await desk.trade("buy", "2")
    after = await desk.ledger.account("default")

    assert before.positions == ()
    assert after == booked.account
    assert after.sequence == before.sequence + 1
    assert [(p.ticker, p.quantity) for p in after.positions] == [("AAPL", Decimal(2))]


async def test_a_view_sees_what_another_process_booked(
    postgresql: Database, clock: ManualClock
) -> None:
    async with trading(postgresql, clock) as one, trading(Database(postgresql.url), clock) as two:
        one.price("AAPL", "100")
        await two.ledger.account("default")
        await one.trade("buy", "2")

        assert (await two.ledger.account("default")).cash_balance == 9_800
        await two.database.close()


async def test_a_hook_that_fails_takes_its_batch_back(
    database: Database, clock: ManualClock
) -> None:
    def fail(_connection: Connection, batch: Batch) -> None:
        if batch.accounts:
            raise Refused("the hook could not")

    desk = TradingDesk(database, clock)
    desk.ledger = Ledger(database, hooks=[fail])
    desk.price("AAPL", "100")
    with pytest.raises(Refused):
        await desk.trade("buy", "1")
    await desk.ledger.close()

    assert await booked_trades(desk) == 0


async def test_readers_of_one_moment_share_one_look(
    postgresql: Database, clock: ManualClock
) -> None:
    looks: list[str] = []
    looked = asyncio.Event()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "head_sequence" in statement:
            looks.append(statement)
            looked.set()

    async with trading(postgresql, clock) as one, trading(Database(postgresql.url), clock) as two:
        one.price("AAPL", "100")
        await two.ledger.account("default")
        event.listen(two.database.reader.sync_engine, "before_cursor_execute", note)

        early = [asyncio.create_task(two.ledger.account("default")) for _ in range(20)]
        await looked.wait()
        await one.trade("buy", "2")
        late = await asyncio.gather(*(two.ledger.account("default") for _ in range(20)))
        await asyncio.gather(*early)

        assert {view.cash_balance for view in late} == {Decimal(9_800)}
        assert len(looks) < 10
        await two.database.close()


async def test_a_look_that_fails_is_told_to_all_and_the_next_one_works(
    postgresql: Database, clock: ManualClock
) -> None:
    async with trading(postgresql, clock) as desk:
        await desk.ledger.account("default")

        def fail(*_: object) -> None:
            raise ConnectionResetError("as if the server had gone")

        event.listen(postgresql.reader.sync_engine, "before_cursor_execute", fail)
        failed = await asyncio.gather(
            *(desk.ledger.account("default") for _ in range(5)), return_exceptions=True
        )
        event.remove(postgresql.reader.sync_engine, "before_cursor_execute", fail)

        assert {type(error) for error in failed} == {ConnectionResetError}
        assert (await desk.ledger.account("default")).cash_balance == 10_000
