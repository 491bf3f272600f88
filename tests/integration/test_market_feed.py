"""The feed: who is priced, how often, what an outage does, and waiting for a first price."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest, PriceUnavailable, UnknownTicker
from paperdesk.market.feed import Market
from paperdesk.market.simulator import Simulator
from paperdesk.models import (
    Order,
    OrderStatus,
    OrderType,
    Position,
    Side,
    Stock,
    TimeInForce,
    UserProfile,
    WatchlistEntry,
)
from paperdesk.orders.lifecycle import TRANSITIONS
from support.databases import START
from support.pricing import Enough, ScriptedSource, SleeplessClock

SECOND = timedelta(seconds=1)
SEEDED = {
    *("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX"),
    *("AMD", "RIVN", "GS"),
}


@pytest.fixture
def source(clock: ManualClock) -> ScriptedSource:
    return ScriptedSource(clock, AAPL="190", MSFT="440")


@pytest.fixture
def market(database: Database, source: ScriptedSource, clock: ManualClock) -> Market:
    return Market(database, source, clock)


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def order(status: OrderStatus) -> Order:
    return Order(
        client_order_id=status.value,
        user_id="second",
        ticker=f"O{status.value[:5].upper()}",
        side=Side.buy,
        type=OrderType.market,
        time_in_force=TimeInForce.gtc,
        status=status,
        quantity=Decimal(1),
        source="test",
        closed_at=None if TRANSITIONS[status] else START,
    )


async def test_every_ticker_that_an_account_needs_is_priced(
    market: Market, source: ScriptedSource, database: Database
) -> None:
    async with database.write() as session:
        session.add(UserProfile(id="second", name="second"))
        await session.flush()
        session.add_all(
            [
                WatchlistEntry(user_id="second", ticker="WATCHED"),
                WatchlistEntry(user_id="second", list_id="other", ticker="LISTED"),
                Position(
                    user_id="second",
                    ticker="HELD",
                    quantity=Decimal(-1),
                    cost_basis=Decimal(-1),
                    avg_cost=Decimal(1),
                ),
                *(order(status) for status in OrderStatus),
            ]
        )
    await market.tick()
    open_orders = {"ONEW", "OACCEP", "OPARTI", "OHELD"}
    assert source.asked[0][1] == SEEDED | {"WATCHED", "LISTED", "HELD"} | open_orders


async def test_the_books_are_read_again_after_a_few_seconds(
    market: Market, source: ScriptedSource, database: Database, clock: ManualClock
) -> None:
    await market.tick()
    async with database.write() as session:
        await session.execute(delete(WatchlistEntry))
        await session.execute(update(Stock).where(Stock.ticker == "AMD").values(ticker="not one"))
    clock.advance(2 * SECOND)
    await market.tick()
    assert source.asked[1][1] == SEEDED
    assert market.board.latest("MSFT")
    async with database.write() as session:
        await session.execute(delete(Stock).where(Stock.ticker == "MSFT"))
    clock.advance(SECOND)
    await market.tick()
    assert source.asked[2][1] == {"AAPL", "NVDA", "GOOGL", "TSLA", "RIVN", "JPM", "GS"}
    assert market.board.latest("MSFT") is None


async def test_books_that_cannot_be_read_do_not_stop_the_prices(
    market: Market, source: ScriptedSource, database: Database, clock: ManualClock
) -> None:
    await market.tick()
    await database.close()
    broken = database.reading_session_maker
    broken.configure(bind=None)
    clock.advance(4 * SECOND)
    with capture_logs() as logs:
        await market.tick()
    assert [line["event"] for line in logs] == ["prices.books_unread"]
    assert source.asked[1][1] == SEEDED


async def test_a_new_ticker_is_priced_at_once_and_not_at_the_next_tick(
    database: Database,
) -> None:
    clock = SleeplessClock(START)
    source = ScriptedSource(clock, AAPL="190", NEW="5")
    market = Market(database, source, clock)
    async with running(market.run_feed):
        await source.was_asked.wait()
        quote = await market.quote("new")
        assert (quote.ticker, quote.price) == ("NEW", 5)
        assert source.asked[1][1] == (SEEDED | {"NEW"}) - {"AAPL"}
        assert b'"NEW"' in market.stream._event


async def test_a_quote_that_is_fresh_needs_no_source(
    market: Market, source: ScriptedSource, clock: ManualClock
) -> None:
    await market.tick()
    source.down = "away"
    clock.advance(10 * SECOND)
    assert (await market.quote("AAPL")).price == 190
    assert source.questions == []


async def test_an_unknown_ticker_is_refused_and_asked_about_once(
    market: Market, source: ScriptedSource, clock: ManualClock
) -> None:
    answers = await asyncio.gather(
        *(market.quote("NOPE") for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(answer, UnknownTicker) for answer in answers)
    assert source.questions == ["NOPE"]
    await market.tick()
    assert "NOPE" not in source.asked[0][1]
    clock.advance(timedelta(minutes=6))
    with pytest.raises(UnknownTicker):
        await market.quote("NOPE")
    assert source.questions == ["NOPE", "NOPE"]
    with pytest.raises(InvalidRequest):
        await market.quote("no pe")


@pytest.mark.parametrize("price", ["0", "-3", "NaN", "1e10"])
async def test_a_price_that_may_not_be_used_is_no_price(
    market: Market, source: ScriptedSource, price: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.market.feed.PATIENCE", 0.02)
    source.prices["BAD"] = Decimal(price)
    async with running(market.run_feed):
        with pytest.raises(PriceUnavailable, match="no current price of BAD"):
            await market.quote("BAD")
        with pytest.raises(PriceUnavailable):
            await market.last_known("BAD")
    assert market.bars.unsaved("BAD") == []


async def test_a_stale_quote_is_shown_and_never_given_to_trade_with(
    market: Market, source: ScriptedSource, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.market.feed.PATIENCE", 0.02)
    await market.tick()
    shown = market.board.latest("AAPL")
    source.down = "Massive refuses the key: check MASSIVE_API_KEY."
    clock.advance(11 * SECOND)
    await market.tick()
    with pytest.raises(PriceUnavailable, match="MASSIVE_API_KEY"):
        await market.quote("AAPL")
    assert await market.last_known("AAPL") == shown
    assert source.questions == []


async def test_an_outage_is_logged_once_and_ends(
    market: Market, source: ScriptedSource, clock: ManualClock
) -> None:
    source.down = "away"
    source.enough_after = 5
    with capture_logs() as logs, pytest.raises(Enough):
        await market.run_feed()
    assert [(line["event"], line.get("reason")) for line in logs] == [("prices.outage", "away")]
    assert market.outage == "away"
    source.down = None
    source.enough_after = None
    await market.tick()
    assert market.outage is None
    assert market.as_of == clock.now()


async def test_the_feed_keeps_pace_and_makes_up_for_nothing_after_a_stall(
    market: Market, source: ScriptedSource, clock: ManualClock
) -> None:
    source.enough_after = 6
    source.takes = SECOND / 4
    stall = iter([0, 0, 3.6, 0, 0, 0])
    fetch = source.fetch

    async def stalling(tickers: frozenset[str]) -> object:
        clock.advance(next(stall, 0) * SECOND)
        return await fetch(tickers)

    source.fetch = stalling  # type: ignore[method-assign,assignment]
    with pytest.raises(Enough):
        await market.run_feed()
    begun = [(at - START).total_seconds() for at, _ in source.asked]
    assert begun == [0, 1, 5.6, 6, 7, 8]


async def test_a_clock_that_is_set_back_does_not_stop_the_feed(
    market: Market, source: ScriptedSource, clock: ManualClock
) -> None:
    source.enough_after = 4
    fetch = source.fetch

    async def setting_back(tickers: frozenset[str]) -> object:
        answer = await fetch(tickers)
        if len(source.asked) == 2:
            clock.advance(timedelta(hours=-1))
        return answer

    source.fetch = setting_back  # type: ignore[method-assign,assignment]
    with pytest.raises(Enough):
        await market.run_feed()
    back = [at - START + timedelta(hours=1) for at, _ in source.asked[2:]]
    assert SECOND < back[0] <= 2 * SECOND
    assert back[1] - back[0] == SECOND


async def test_what_was_asked_for_is_forgotten_after_ten_minutes(
    market: Market, source: ScriptedSource, clock: ManualClock
) -> None:
    source.prices["NEW"] = Decimal(5)
    async with running(market.run_feed):
        await market.quote("NEW")
    await market.tick()
    assert "NEW" in source.asked[-1][1]
    clock.advance(timedelta(minutes=9))
    await market.last_known("NEW")
    clock.advance(timedelta(minutes=9))
    await market.tick()
    assert "NEW" in source.asked[-1][1]
    clock.advance(timedelta(minutes=2))
    await market.tick()
    assert "NEW" not in source.asked[-1][1]
    assert market.board.latest("NEW") is None


async def test_the_thousand_tickers_asked_for_last_are_priced(market: Market) -> None:
    for n in range(1_000):
        market._demand.ask(f"T{n}")
    market._demand.ask("T0")
    market._demand.ask("LAST")
    wanted = market._demand.wanted()
    assert len(wanted) == 1_000
    assert {"T0", "LAST"} <= wanted
    assert "T1" not in wanted


async def test_the_simulator_goes_on_from_stored_prices_unless_it_is_seeded(
    database: Database, clock: ManualClock
) -> None:
    first = Market(database, Simulator(None, clock), clock)
    await first.load()
    first.board.put(
        "AAPL",
        (await ScriptedSource(clock, AAPL="201.37").fetch(["AAPL"]))["AAPL"],
        "simulator",
        clock.now(),
    )
    await first.close()
    clock.advance(SECOND)
    second = Market(database, Simulator(None, clock), clock)
    await second.load()
    quote = second.board.fresh("AAPL")
    assert quote
    assert (quote.price, quote.direction) == (Decimal("201.37"), "flat")
    seeded = Market(database, Simulator(1, clock), clock)
    await seeded.load()
    assert (await seeded.quote("AAPL")).price == Decimal("232.50")
    assert (await seeded.quote("AAPL")).change == 0
