"""The whole desk on both databases, and doors for alerts."""

from collections.abc import AsyncIterator

import pytest

from support.desk import DeskClient, open_desk


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[DeskClient]:
    """A client of a fresh desk: account `default` with $10,000, prices of `support.desk`."""
    async with open_desk(database_url, webhook_rate_per_minute=100_000) as client:
        yield client


@pytest.fixture
async def sqlite_desk(sqlite_url: str) -> AsyncIterator[DeskClient]:
    """The same on SQLite alone, for what does not depend on the database."""
    async with open_desk(sqlite_url, webhook_rate_per_minute=100_000) as client:
        yield client
