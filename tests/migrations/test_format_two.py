"""Entries that an older desk could not prove any more forbid a downgrade, and lose nothing."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from paperdesk.accounts.clone import clone_account
from paperdesk.accounts.reset import ResetAccount
from paperdesk.clock import ManualClock
from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Dividend
from paperdesk.db.engine import Database
from support.migrations import as_in, contents, go
from support.trading import TradingDesk, trading


async def traded(database: Database, clock: ManualClock) -> None:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "2")


async def reset(desk: TradingDesk) -> None:
    await desk.ledger.submit(ResetAccount("default", desk.venue))


async def clone(desk: TradingDesk) -> None:
    async with desk.database.write() as session:
        await session.run_sync(
            clone_account, "default", "Twin", desk.board, desk.clock.now(), account_id="twin"
        )


async def pay(desk: TradingDesk) -> None:
    now = desk.clock.now()
    await desk.ledger.submit(Dividend(Notice("default", "paid", now, now), "AAPL", Decimal(1)))


async def sell(desk: TradingDesk) -> None:
    await desk.trade("sell", "1")


@pytest.mark.parametrize(
    ("act", "revision", "said"),
    [
        (reset, "0010", "reset"),
        (clone, "0010", "transfer"),
        (pay, "0009", "name a ticker"),
        (sell, "0007", "in a way that 0007 cannot prove"),
    ],
)
async def test_a_downgrade_that_would_lose_what_is_hashed_is_refused(
    database: Database,
    database_url: str,
    clock: ManualClock,
    act: Callable[[TradingDesk], Awaitable[None]],
    revision: str,
    said: str,
) -> None:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "2")
        await act(desk)
    await database.close()
    before = await contents(database_url)
    with pytest.raises(RuntimeError, match=said):
        await go(database_url, "downgrade", revision)
    await go(database_url, "upgrade", "head")
    assert await contents(database_url) == before


async def test_what_opened_positions_alone_goes_down_and_up(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    await traded(database, clock)
    await database.close()
    before = await contents(database_url)
    await go(database_url, "downgrade", "0007")
    lower = await contents(database_url)
    await go(database_url, "upgrade", "head")
    after = await contents(database_url)
    assert as_in(after, lower) == as_in(before, lower)
    assert {name: rows for name, rows in after.items() if name != "audit_logs"} == {
        name: rows for name, rows in before.items() if name != "audit_logs"
    }
