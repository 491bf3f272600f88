"""Storing quotes and bars: upserts, restarts within a minute, failures, shutdown."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy
from paperdesk.market.feed import Market
from paperdesk.models import PriceBar, Quote
from support.databases import START
from support.pricing import ScriptedSource

SECOND = timedelta(seconds=1)


async def tick(market: Market, clock: ManualClock, price: str, ticker: str = "AAPL") -> None:
    clock.advance(SECOND)
    source = market.source
    assert isinstance(source, ScriptedSource)
    source.prices[ticker] = Decimal(price)
    await market.tick()


def desk(database: Database, clock: ManualClock, **prices: str) -> Market:
    return Market(database, ScriptedSource(clock, **prices), clock)


async def stored_quotes(database: Database) -> list[Quote]:
    async with database.read() as session:
        return list(await session.scalars(select(Quote).order_by(Quote.ticker)))


async def stored_bars(database: Database) -> list[tuple[str, str, list[str]]]:
    async with database.read() as session:
        rows = await session.scalars(select(PriceBar).order_by(PriceBar.start, PriceBar.ticker))
        return [
            (b.ticker, f"{b.start:%H:%M}", [f"{p:.2f}" for p in (b.open, b.high, b.low, b.close)])
            for b in rows
        ]


async def test_the_latest_quote_and_the_bars_are_stored(
    database: Database, clock: ManualClock
) -> None:
    market = desk(database, clock, AAPL="190.12", MSFT="0.000000001")
    await market.tick()
    await market.flush()
    await tick(market, clock, "190.5")
    await tick(market, clock, "189.99")
    await market.flush()
    apple, microsoft = await stored_quotes(database)
    assert (apple.price, apple.previous_price) == (Decimal("189.99"), Decimal("190.5"))
    assert (apple.timestamp, apple.received_at) == (START + 2 * SECOND, START + 2 * SECOND)
    assert (apple.source, microsoft.price) == ("scripted", Decimal("0.000000001"))
    bars = await stored_bars(database)
    assert bars[0] == ("AAPL", "15:00", ["190.12", "190.50", "189.99", "189.99"])


async def test_a_restart_within_the_minute_continues_its_bar(
    database: Database, clock: ManualClock
) -> None:
    market = desk(database, clock, AAPL="190")
    for price in ("190", "195", "188"):
        await tick(market, clock, price)
    await market.close()
    market = desk(database, clock, AAPL="190")
    await market.load()
    for price in ("189", "191"):
        await tick(market, clock, price)
    await market.flush()
    assert await stored_bars(database) == [
        ("AAPL", "15:00", ["190.00", "195.00", "188.00", "191.00"])
    ]
    await tick(market, clock, "199")
    await tick(market, clock, "180")
    clock.advance(timedelta(minutes=1))
    await tick(market, clock, "185")
    await market.flush()
    assert await stored_bars(database) == [
        ("AAPL", "15:00", ["190.00", "199.00", "180.00", "180.00"]),
        ("AAPL", "15:01", ["185.00", "185.00", "185.00", "185.00"]),
    ]


async def test_stored_quotes_come_back_and_are_stale_until_confirmed(
    database: Database, clock: ManualClock
) -> None:
    market = desk(database, clock, AAPL="190.12")
    await market.tick()
    await market.close()
    clock.advance(timedelta(minutes=5))
    market = desk(database, clock, AAPL="191")
    await market.load()
    restored = market.board.latest("AAPL")
    assert restored
    assert (restored.price, restored.timestamp) == (Decimal("190.12"), START)
    assert market.board.fresh("AAPL") is None
    await market.tick()
    quote = market.board.fresh("AAPL")
    assert quote
    assert quote.change == Decimal("0.88")


async def test_what_is_no_longer_priced_is_no_longer_stored(
    database: Database, clock: ManualClock
) -> None:
    market = desk(database, clock, AAPL="190", NEW="5")
    market._demand.ask("NEW")
    await market.tick()
    await market.flush()
    assert [q.ticker for q in await stored_quotes(database)] == ["AAPL", "NEW"]
    clock.advance(timedelta(minutes=11))
    await market.tick()
    await market.flush()
    assert [q.ticker for q in await stored_quotes(database)] == ["AAPL"]
    assert ("NEW", "15:00", ["5.00"] * 4) in await stored_bars(database)


async def test_nothing_is_written_when_nothing_changed(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = desk(database, clock, AAPL="190")
    await market.tick()
    await market.flush()
    monkeypatch.setattr(database, "write", None)
    await market.flush()


async def test_what_could_not_be_stored_is_stored_later(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = desk(database, clock, AAPL="190")
    await market.tick()

    @asynccontextmanager
    async def busy():  # type: ignore[no-untyped-def]  # noqa: ANN202
        async with Database.write(database) as session:
            yield session
            raise Busy("no")

    monkeypatch.setattr(database, "write", busy)
    with pytest.raises(Busy):
        await market.flush()
    recorder = asyncio.create_task(market.run_recorder())
    with capture_logs() as logs:
        while not logs:  # noqa: ASYNC110 - the log line is what there is to wait for
            await asyncio.sleep(0.005)
    assert logs[0]["event"] == "prices.not_stored"
    assert await stored_bars(database) == []
    monkeypatch.undo()
    recorder.cancel()
    await market.close()
    assert await stored_bars(database) == [("AAPL", "15:00", ["190.00"] * 4)]


async def test_a_cancelled_recorder_finishes_its_write_and_shutdown_adds_the_rest(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = desk(database, clock, AAPL="190")
    await market.tick()
    writing, go_on = asyncio.Event(), asyncio.Event()
    begun = ended = 0

    @asynccontextmanager
    async def slow():  # type: ignore[no-untyped-def]  # noqa: ANN202
        nonlocal begun, ended
        assert begun == ended
        begun += 1
        writing.set()
        await go_on.wait()
        async with Database.write(database) as session:
            yield session
        ended += 1

    monkeypatch.setattr(database, "write", slow)
    recorder = asyncio.create_task(market.flush())
    await writing.wait()
    recorder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recorder
    await tick(market, clock, "192")
    closing = asyncio.create_task(market.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    go_on.set()
    await closing
    assert (begun, ended) == (2, 2)
    assert await stored_bars(database) == [
        ("AAPL", "15:00", ["190.00", "192.00", "190.00", "192.00"])
    ]
    assert isinstance(market.source, ScriptedSource)
    assert market.source.closed
    assert market.stream.closed


async def test_the_same_trade_confirmed_again_makes_no_new_bar(
    database: Database, clock: ManualClock
) -> None:
    market = desk(database, clock, AAPL="190")
    assert isinstance(market.source, ScriptedSource)
    market.source.timestamp = START - timedelta(hours=3)
    await market.tick()
    await market.flush()
    for _ in range(3):
        clock.advance(timedelta(minutes=1))
        await market.tick()
    assert market.board.fresh("AAPL")
    assert market.bars.unsaved() == []
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(PriceBar)) == 1
