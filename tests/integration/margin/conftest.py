"""A desk on each database with one priced ticker, and a process that watches its margins."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.margin.watch import MarginWatch
from paperdesk.runtime.leader import leadership_of
from support.trading import TradingDesk, trading


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        yield desk


@pytest.fixture
async def watching(desk: TradingDesk) -> AsyncIterator[Callable[[], Awaitable[MarginWatch]]]:
    """Begin to watch, as a process that has just become the one that leads."""
    leadership = leadership_of(desk.database, desk.clock)
    await leadership.elect()

    async def is_open() -> bool:
        return True

    async def begun() -> MarginWatch:
        zone = "America/New_York"
        watch = MarginWatch(desk.database, desk.ledger, desk.venue, leadership, zone, is_open)
        await watch.look()
        return watch

    yield begun
    await leadership.close()
