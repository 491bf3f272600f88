"""Entries that an older desk could not prove any more forbid a downgrade, and lose nothing."""

from decimal import Decimal

import pytest

from paperdesk.clock import ManualClock
from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Dividend
from paperdesk.db.engine import Database
from support.migrations import contents, go
from support.trading import trading


async def traded(database: Database, clock: ManualClock) -> None:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "2")


@pytest.mark.parametrize(
    ("revision", "said"), [("0009", "name a ticker"), ("0007", "in a way that 0007 cannot prove")]
)
async def test_a_downgrade_that_would_lose_what_is_hashed_is_refused(
    database: Database, database_url: str, clock: ManualClock, revision: str, said: str
) -> None:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "2")
        if revision == "0009":
            now = clock.now()
            notice = Notice("default", "paid", now, now)
            await desk.ledger.submit(Dividend(notice, "AAPL", Decimal(1)))
        else:
            await desk.trade("sell", "1")
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
    await go(database_url, "upgrade", "head")
    assert await contents(database_url) == before
