"""When stocks are fetched, by whom, and what is pruned."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select

from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.ids import new_id
from paperdesk.market.feed import Market
from paperdesk.market.simulator import Simulator
from paperdesk.models import ScoreSnapshot, Stock
from paperdesk.research import fetcher as fetchers
from paperdesk.research import service
from paperdesk.research.desk_prices import DeskPrices
from paperdesk.research.fetcher import CHUNK, ENOUGH, LOOK, WARMING, ResearchFetcher
from paperdesk.research.retention import outdated
from paperdesk.runtime.leader import Leadership
from support.databases import START
from support.desk import DeskClient, open_desk
from support.electing import candidate
from support.pricing import ScriptedSource
from support.stocks import SEEDED, ScriptedStocks

MINUTE = timedelta(minutes=1)
INTERVAL = 5 * MINUTE


async def is_open() -> bool:
    return True


def fetching(
    database: Database, stocks: ScriptedStocks, clock: ManualClock, leadership: Leadership
) -> ResearchFetcher:
    return ResearchFetcher(database, stocks, leadership, clock, INTERVAL, is_open)


@pytest.fixture
def fetcher(database: Database, stocks: ScriptedStocks, clock: ManualClock) -> ResearchFetcher:
    return fetching(database, stocks, clock, Leadership(database, clock))


async def grown(fetcher: ResearchFetcher, clock: ManualClock) -> None:
    """Fetch until there is enough history for every factor."""
    for _ in range(ENOUGH):
        await fetcher.look()
        clock.advance(WARMING)


async def test_the_first_fetches_come_soon_and_the_others_at_the_interval(
    fetcher: ResearchFetcher, stocks: ScriptedStocks, clock: ManualClock
) -> None:
    asked = list[int]()
    for _ in range(12 * 12):
        before = len(stocks.asked)
        await fetcher.look()
        if len(stocks.asked) > before:
            asked.append(int((clock.now() - START).total_seconds()))
        clock.advance(timedelta(seconds=LOOK))

    assert asked == [0, 15, 30, 45, 345, 645]
    assert {len(tickers) for tickers in stocks.asked} == {len(SEEDED)}


async def test_a_desk_without_scores_tries_again_soon_but_less_and_less_often(
    fetcher: ResearchFetcher, stocks: ScriptedStocks, clock: ManualClock
) -> None:
    stocks.down = "No prices yet."
    asked = list[int]()
    for _ in range(20 * 12):
        before = len(stocks.asked)
        await fetcher.look()
        if len(stocks.asked) > before:
            asked.append(int((clock.now() - START).total_seconds()))
        clock.advance(timedelta(seconds=LOOK))

    # Never less often than the interval.
    assert asked == [0, 15, 45, 105, 225, 465, 765, 1065]
    stocks.down = None
    clock.advance(INTERVAL)
    await fetcher.look()
    clock.advance(WARMING)
    await fetcher.look()
    assert len(stocks.asked) == 10


async def test_a_stock_that_is_new_is_fetched_at_once_and_asked_for_once(
    fetcher: ResearchFetcher, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    await grown(fetcher, clock)
    stocks.asked.clear()
    for price in (None, Decimal(7)):
        ticker = "NEW" if price else "NONE"
        async with database.write() as session:
            await service.put_stock(session, ticker, None, "EV", clock)
        if price:
            stocks.prices[ticker] = price
        for _ in range(5):
            clock.advance(timedelta(seconds=LOOK))
            await fetcher.look()
    assert len(stocks.asked) == 2

    async with database.write() as session:
        await service.put_stock(session, "NEW", None, "Finance", clock)
    await fetcher.look()
    assert len(stocks.asked) == 3


@pytest.mark.parametrize("waiting", [False, True])
async def test_a_fetch_that_fails_is_tried_again_at_the_next_interval(
    fetcher: ResearchFetcher,
    stocks: ScriptedStocks,
    database: Database,
    clock: ManualClock,
    *,
    waiting: bool,
) -> None:
    await grown(fetcher, clock)
    stocks.down = "It is away."
    stocks.asked.clear()
    if waiting:
        async with database.write() as session:
            await service.put_stock(session, "NEW", None, "EV", clock)
    for _ in range(11 * 12):
        clock.advance(timedelta(seconds=LOOK))
        await fetcher.look()
    # A stock that waits is asked for once before that.
    assert len(stocks.asked) == 2 + waiting

    stocks.down = None
    clock.advance(INTERVAL)
    await fetcher.look()
    assert len(stocks.asked) == 3 + waiting


async def test_a_restart_waits_for_the_rest_of_the_interval(
    database: Database, stocks: ScriptedStocks, clock: ManualClock, fetcher: ResearchFetcher
) -> None:
    await grown(fetcher, clock)
    stocks.asked.clear()
    again = fetching(database, stocks, clock, Leadership(database, clock))

    await again.look()
    assert stocks.asked == []
    clock.advance(INTERVAL)
    await again.look()
    assert len(stocks.asked) == 1


async def test_a_clock_that_is_set_back_delays_for_no_longer_than_an_interval(
    fetcher: ResearchFetcher, stocks: ScriptedStocks, clock: ManualClock
) -> None:
    await grown(fetcher, clock)
    stocks.asked.clear()
    clock.advance(-timedelta(days=400))
    await fetcher.look()
    clock.advance(INTERVAL)
    await fetcher.look()
    assert len(stocks.asked) == 1


async def test_a_database_that_is_away_stops_no_later_fetch(
    database: Database, stocks: ScriptedStocks, clock: ManualClock
) -> None:
    leadership = Leadership(database, clock)
    write, fails = leadership.write, True

    def failing() -> object:
        if fails:
            raise OSError("no route to host")
        return write()

    leadership.write = failing  # type: ignore[method-assign,assignment]
    fetcher = fetching(database, stocks, clock, leadership)
    await fetcher.look()
    fails = False
    await fetcher.look()
    assert len(stocks.asked) == 1
    clock.advance(INTERVAL)
    await fetcher.look()
    assert len(stocks.asked) == 2


async def test_a_process_that_follows_stores_nothing(
    postgres_url: str, postgresql: Database, stocks: ScriptedStocks, clock: ManualClock
) -> None:
    async with (
        candidate(postgres_url, SystemClock()) as first,
        candidate(postgres_url, SystemClock()) as second,
    ):
        await first.elect()
        await second.elect()
        await fetching(postgresql, stocks, clock, second).look()
        assert await count(postgresql) == 0
        await fetching(postgresql, stocks, clock, first).look()
        assert await count(postgresql) == len(SEEDED)


async def count(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(ScoreSnapshot)) or 0


async def test_old_fetches_go_a_few_at_a_time_but_the_last_of_each_stock(
    fetcher: ResearchFetcher, database: Database
) -> None:
    fetches = [START - timedelta(days=3) + n * MINUTE for n in range(100)]
    ancient = START - timedelta(days=1000)
    rows = [
        {"id": new_id(), "ticker": t, "fetched_at": at, "close_price": Decimal(1)}
        for at in [ancient, *fetches]
        for t in ("AAPL", "AMD", "GS")
    ]
    async with database.write() as session:
        await session.execute(insert(ScoreSnapshot), rows)
        for stock in await session.scalars(select(Stock)):
            stock.last_updated = ancient if stock.ticker == "GS" else START
    stays = {at for at in fetches if at not in outdated(fetches, START)}

    await fetcher.look()

    async with database.read() as session:
        left = (
            await session.execute(
                select(ScoreSnapshot.ticker, ScoreSnapshot.fetched_at).where(
                    ScoreSnapshot.fetched_at < START
                )
            )
        ).all()
    assert len(rows) > CHUNK
    assert 1 < len(stays) < 4
    assert set(map(tuple, left)) == {(t, at) for t in ("AAPL", "AMD", "GS") for at in stays} | {
        ("GS", ancient)
    }


async def test_a_domain_that_was_fetched_by_itself_takes_nothing_of_the_others(
    fetcher: ResearchFetcher, database: Database
) -> None:
    """Of an hour the last fetch stays of each domain, not of the desk."""
    hour = START.replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    whole, of_finance = hour + 10 * MINUTE, hour + 50 * MINUTE
    rows = [
        {"id": new_id(), "ticker": t, "fetched_at": at, "close_price": Decimal(1)}
        for at, t in [(whole, "AAPL"), (whole, "GS"), (of_finance, "GS")]
    ]
    async with database.write() as session:
        await session.execute(insert(ScoreSnapshot), rows)

    await fetcher.look()

    old = select(ScoreSnapshot.ticker, ScoreSnapshot.fetched_at).where(
        ScoreSnapshot.fetched_at < START
    )
    async with database.read() as session:
        left = (await session.execute(old)).all()
    assert set(map(tuple, left)) == {("AAPL", whole), ("GS", of_finance)}


async def test_the_desks_prices_are_those_of_the_board_with_the_volume_since(
    database: Database, clock: ManualClock
) -> None:
    market = Market(database, Simulator(7, clock), clock)
    prices = DeskPrices(market)
    await market.tick()
    first = await prices.fetch(["AAPL", "NOPE"])
    for _ in range(20):
        clock.advance(timedelta(milliseconds=500))
        await market.tick()

    asked = market.source._fetches  # type: ignore[attr-defined]
    second = await prices.fetch(["AAPL", "NOPE"])
    clock.advance(timedelta(seconds=0.5))
    too_soon = await prices.fetch(["AAPL"])

    assert market.source._fetches == asked  # type: ignore[attr-defined]
    assert first.keys() == second.keys() == {"AAPL"}
    assert (first["AAPL"].volume, too_soon["AAPL"].volume) == (None, None)
    assert second["AAPL"].close == market.board.price_of("AAPL")
    assert second["AAPL"].volume
    assert second["AAPL"].pace == second["AAPL"].volume / 10
    assert (second["AAPL"].source, prices.name) == ("simulator", "simulator")


async def test_volumes_are_not_known_across_a_gap(database: Database, clock: ManualClock) -> None:
    market = Market(database, Simulator(7, clock), clock)
    prices = DeskPrices(market)
    await market.tick()
    clock.advance(timedelta(hours=1))
    await market.tick()

    assert (await prices.fetch(["AAPL"]))["AAPL"].volume is None


async def test_stale_prices_are_none(database: Database, clock: ManualClock) -> None:
    source = ScriptedSource(clock, AAPL="190")
    market = Market(database, source, clock)
    prices = DeskPrices(market)
    await market.tick()
    assert (await prices.fetch(["AAPL"])).keys() == {"AAPL"}
    source.down = "It is away."
    clock.advance(MINUTE)
    await market.tick()

    with pytest.raises(fetchers.SourceUnavailable, match="It is away"):
        await prices.fetch(["AAPL"])


async def test_a_desk_shows_rankings_soon_after_it_started(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first prices may come later than the first look, on a machine that has much to do.
    monkeypatch.setattr(fetchers, "SETTLING", 0.1)
    monkeypatch.setattr(fetchers, "LOOK", 0.2)
    monkeypatch.setattr(fetchers, "WARMING", timedelta(seconds=0.2))
    async with open_desk(database_url) as desk:

        async def fetched() -> bool:
            shown = (await desk.get("/api/rankings")).json()
            return shown["last_fetched"] is not None

        async with asyncio.timeout(60):
            while not await fetched():  # noqa: ASYNC110 - another task fetches
                await asyncio.sleep(0.05)
        await _looks_well(desk)


async def _looks_well(desk: DeskClient) -> None:
    shown = (await desk.get("/api/rankings")).json()
    assert shown["source"] == "scripted"
    assert shown["best_overall"]["score"] == 50
    tech = shown["domains"][0]
    assert tech["domain"] == "AI/Tech"
    assert [each["ticker"] for each in tech["top"]][:2] == ["AAPL", "MSFT"]
    assert "NVDA" in shown["error"]
    assert desk.app.state.desk.in_trouble() == []
