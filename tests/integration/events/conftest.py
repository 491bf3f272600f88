"""The whole desk on both databases, and its feed."""

from collections.abc import AsyncIterator

import pytest

from paperdesk.events.feed import Feed
from support.desk import DeskClient, open_desk


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[DeskClient]:
    async with open_desk(database_url) as client:
        yield client


@pytest.fixture
def feed(desk: DeskClient) -> Feed:
    found: Feed = desk.app.state.feed
    return found
