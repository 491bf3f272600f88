"""What callers are told is what became of their commands, whatever the database does."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, InsufficientCash, PaperdeskError, UnknownOutcome
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.lane.books import Batch, Books
from paperdesk.ledger.lane.outcomes import TransactionLost
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.models import CashMovementKind, UserProfile
from support.trading import assert_books_hold, row_counts


def move(clock: ManualClock, amount: int = 1, **rest: Any) -> MoveCash:
    kind = CashMovementKind.deposit if amount > 0 else CashMovementKind.withdrawal
    account_id = rest.pop("account_id", "default")
    return MoveCash(account_id, kind, Decimal(abs(amount)), clock, **rest)


def swallow(connection: Connection, _batch: Batch) -> None:
    """Make the database take the transaction back, and say nothing: a hook with a bug."""
    conflict = "INSERT OR ROLLBACK INTO desk_meta SELECT * FROM desk_meta"
    try:
        connection.exec_driver_sql(
            "SELECT 1/0" if connection.dialect.name != "sqlite" else conflict
        )
    except DBAPIError:
        pass
    else:
        raise AssertionError("nothing failed")


async def test_what_the_database_took_back_is_not_acknowledged(
    database: Database, clock: ManualClock
) -> None:
    ledger = Ledger(database, [swallow])

    with pytest.raises((DBAPIError, TransactionLost)):
        await ledger.submit(move(clock))
    await ledger.close()

    async with database.read() as session:
        cash = await session.scalar(text("SELECT cash_balance FROM users_profile"))
    assert cash == 10_000 * 10**6
    assert (await Ledger(database).account("default")).cash_balance == 10_000


async def held_row(database: Database, stack: AsyncExitStack) -> None:
    """Keep the row of the account `default` locked, as a process that was stopped does."""
    session = await stack.enter_async_context(database.async_session_maker())
    await session.execute(text("SELECT 1 FROM users_profile WHERE id = 'default' FOR UPDATE"))


async def other_account(database: Database, clock: ManualClock) -> str:
    async with database.write() as session:
        return await session.run_sync(open_account, "other", Decimal(100), clock.now())


async def test_an_account_that_is_locked_keeps_no_other_from_trading(
    postgresql: Database, clock: ManualClock
) -> None:
    other = await other_account(postgresql, clock)
    ledger = Ledger(postgresql)
    async with AsyncExitStack() as stack:
        await held_row(postgresql, stack)
        began = time.monotonic()
        locked = [asyncio.create_task(ledger.submit(move(clock))) for _ in range(100)]
        free = [ledger.submit(move(clock, account_id=other)) for _ in range(3)]
        booked = await asyncio.gather(*free)
        refusals = await asyncio.gather(*locked, return_exceptions=True)
        took = time.monotonic() - began

    assert booked[-1].account.cash_balance == 103
    assert [type(refusal).__mro__[1] for refusal in refusals] == [Busy] * 100
    # Not three seconds for each batch of them.
    assert took < 15
    assert (await ledger.submit(move(clock))).account.cash_balance == 10_001
    await ledger.close()
    await assert_books_hold(postgresql)


async def test_readers_keep_no_connection_from_the_writer(
    postgresql: Database, clock: ManualClock
) -> None:
    ledger = Ledger(postgresql)
    async with AsyncExitStack() as stack:
        for _ in range(10):
            session = await stack.enter_async_context(postgresql.read())
            await session.execute(text("SELECT 1"))
        async with asyncio.timeout(5):
            assert (await ledger.submit(move(clock))).account.cash_balance == 10_001
    await ledger.close()


async def test_a_refused_neighbour_of_an_unknown_outcome_was_refused(
    postgresql: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = AsyncConnection.commit

    async def commit_and_break(connection: AsyncConnection) -> None:
        await commit(connection)
        raise ConnectionResetError

    ledger = Ledger(postgresql)
    with monkeypatch.context() as patch:
        patch.setattr(AsyncConnection, "commit", commit_and_break)
        unknown, refused = await asyncio.gather(
            ledger.submit(move(clock, key="a")),
            ledger.submit(move(clock, -99_999, key="b")),
            return_exceptions=True,
        )

    assert isinstance(unknown, UnknownOutcome)
    assert isinstance(refused, InsufficientCash)
    again = await ledger.submit(move(clock, key="a"))
    assert again.result.replayed
    assert again.account.cash_balance == 10_001
    await ledger.close()


@dataclass(frozen=True)
class Fatal:
    """A command that ends the lane itself."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:  # noqa: ARG002
        raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_nobody_waits_for_a_lane_that_ended(
    sqlite: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.ledger.lane.lanes.LARGEST_BATCH", 2)
    ledger = Ledger(sqlite)

    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(
            *(ledger.submit(c) for c in (move(clock), Fatal(), move(clock))),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [UnknownOutcome, UnknownOutcome, Busy]
        assert (await ledger.submit(move(clock))).account.cash_balance == 10_001
    await ledger.close()
    assert (await row_counts(sqlite))["cash_movements"] == 2


async def test_a_server_that_became_read_only_is_busy(
    postgresql: Database, clock: ManualClock
) -> None:
    ledger = Ledger(postgresql)
    name = postgresql.lane.url.database
    alter = "ALTER DATABASE {} SET default_transaction_read_only = {}"
    async with postgresql.write() as session:
        await session.execute(text(alter.format(f'"{name}"', "on")))
    await postgresql.lane.dispose()

    with pytest.raises(PaperdeskError) as refused:
        await ledger.submit(move(clock))
    assert isinstance(refused.value, Busy)

    async with postgresql.write() as session:
        await session.execute(text(alter.format(f'"{name}"', "off")))
    await postgresql.lane.dispose()
    assert (await ledger.submit(move(clock))).account.cash_balance == 10_001
    await ledger.close()


async def test_a_database_that_was_set_back_is_shown_as_it_is(
    postgresql: Database, clock: ManualClock
) -> None:
    ledger = Ledger(postgresql)
    booked = [await ledger.submit(move(clock, 100)) for _ in range(4)]
    earlier = booked[1].account.head
    async with postgresql.write() as session:
        account = await session.get_one(UserProfile, "default")
        account.head_sequence, account.head_hash = earlier.sequence, earlier.hash
        account.cash_balance = earlier.cash_balance

    assert (await ledger.account("default")).head == earlier
    assert (await ledger.account("default")).cash_balance == 10_200
    await ledger.close()


async def test_a_look_that_a_booking_overtakes_shows_the_booking(
    postgresql: Database, clock: ManualClock
) -> None:
    ledger = Ledger(postgresql)
    await ledger.submit(move(clock))
    for number in range(2, 30):
        seen, booked = await asyncio.gather(ledger.account("default"), ledger.submit(move(clock)))
        assert seen.cash_balance in {10_000 + number - 1, 10_000 + number}
        assert (await ledger.account("default")).head == booked.account.head
    await ledger.close()
