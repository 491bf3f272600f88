"""A desk on each database with one priced ticker."""

from collections.abc import AsyncIterator

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from support.trading import TradingDesk, trading


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        yield desk
