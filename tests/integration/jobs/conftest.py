"""A desk with a worker on both databases; whatever a test did, the counters are the sums."""

from collections.abc import AsyncIterator

import pytest

from support.desk import DeskClient, open_desk
from support.jobs import assert_counted


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[DeskClient]:
    async with open_desk(database_url) as client:
        await client.app.state.worker.started.wait()
        yield client
        await assert_counted(client.app.state.database)
