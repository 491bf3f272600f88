"""The whole desk in the test's own process, for folders that make no desk of their own."""

from collections.abc import AsyncIterator

import pytest

from support.databases import START
from support.desk import DeskClient, open_desk
from support.pricing import SleeplessClock


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[DeskClient]:
    """A client of a fresh desk: account `default` with $10,000, prices of `support.desk`."""
    async with open_desk(database_url) as client:
        yield client


@pytest.fixture
async def sqlite_desk(sqlite_url: str) -> AsyncIterator[DeskClient]:
    """The same on SQLite alone, for what does not depend on the database."""
    async with open_desk(sqlite_url) as client:
        yield client


@pytest.fixture
async def timed(database_url: str) -> AsyncIterator[DeskClient]:
    """A desk whose time stands at START until the test moves it."""
    async with open_desk(database_url, clock=SleeplessClock(START)) as client:
        await client.app.state.market.tick()
        yield client
