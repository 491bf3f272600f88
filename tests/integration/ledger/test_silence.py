"""A PostgreSQL that falls silent: no word, and no end of the connection either."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from paperdesk.clock import ManualClock
from paperdesk.db import engine
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, UnknownOutcome
from paperdesk.ledger.lane.writer import Booked
from support.trading import assert_books_hold, trading


class Wire:
    """What lies between a desk and its server, and can be cut without a sound."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self.folder = folder
        self.is_whole = asyncio.Event()
        self.is_whole.set()
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connect, self.folder / ".s.PGSQL.5432")

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, back = await asyncio.open_unix_connection(f"{self._server}/.s.PGSQL.5432")
        for source, sink in ((reader, back), (beyond, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self.is_whole.wait()
            sink.write(data)
        sink.close()

    async def close(self) -> None:
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)


@pytest.fixture
async def wire(postgres_url: str, tmp_path: Path) -> AsyncIterator[Wire]:
    server = make_url(postgres_url).query["host"]
    assert isinstance(server, str)
    wire = Wire(server, tmp_path)
    async with await wire.open():
        yield wire
        await wire.close()


async def test_a_server_that_falls_silent_is_given_up_and_booking_goes_on(
    postgres_url: str, wire: Wire, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SILENCE", 1.0)
    monkeypatch.setattr(engine, "PATIENCE", 2.0)
    url = make_url(postgres_url).update_query_dict({"host": str(wire.folder)})
    database = Database(url.render_as_string(hide_password=False))
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "1", client_order_id="before")

        wire.is_whole.clear()
        with pytest.raises((Busy, UnknownOutcome)):
            await asyncio.wait_for(desk.trade("buy", "1", client_order_id="silent"), 30)
        wire.is_whole.set()

        again = await asyncio.wait_for(desk.trade("buy", "1", client_order_id="silent"), 30)
        assert isinstance(again, Booked)
        assert (await desk.ledger.account("default")).cash_balance == 9_800
        await assert_books_hold(database)
    await database.close()
