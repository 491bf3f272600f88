"""A fetch stores what is usable of every stock, in one transaction, and says what it did."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.market.quotes import SourceUnavailable
from paperdesk.models import Domain, ScoreSnapshot, Stock
from paperdesk.research import service
from paperdesk.research.queries import trouble
from paperdesk.research.rescoring import Done, Rescored, rescore
from paperdesk.research.scoring import WINDOW, Observation
from support.stocks import SEEDED, Ranker, ScriptedStocks

MINUTE = timedelta(minutes=1)


async def snapshots(database: Database) -> Sequence[ScoreSnapshot]:
    query = select(ScoreSnapshot).order_by(ScoreSnapshot.fetched_at, ScoreSnapshot.ticker)
    async with database.read() as session:
        return (await session.scalars(query)).all()


async def of(database: Database, ticker: str) -> list[ScoreSnapshot]:
    return [row for row in await snapshots(database) if row.ticker == ticker]


async def said(database: Database) -> str | None:
    async with database.read() as session:
        return await trouble(session)


def outcomes(done: Rescored) -> dict[str, str]:
    return {outcome.ticker: outcome.done.value for outcome in done.outcomes}


async def test_every_stock_gets_a_row_of_one_call(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    stocks.prices["NVDA"], stocks.volumes["NVDA"] = Decimal("176.123456789"), Decimal("12.5")

    done = await ranker.rescore()

    assert stocks.asked == [list(SEEDED)]
    assert outcomes(done) == dict.fromkeys(SEEDED, "scored")
    assert (done.fetched_at, done.error, done.observations) == (clock.now(), None, 1)
    rows = await snapshots(database)
    assert [row.ticker for row in rows] == list(SEEDED)
    assert {row.fetched_at for row in rows} == {clock.now()}
    (nvidia,) = await of(database, "NVDA")
    assert (nvidia.close_price, nvidia.volume) == (Decimal("176.123456789"), Decimal("12.5"))
    # Nothing is known yet: all are in the middle, by ticker.
    assert {row.score for row in rows} == {50.0}
    assert (nvidia.rank, (await of(database, "AAPL"))[0].rank) == (5, 1)
    async with database.read() as session:
        assert set(await session.scalars(select(Stock.last_updated))) == {clock.now()}


async def test_scores_follow_from_the_fetches_before(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    for price in (100, 101, 103):
        stocks.prices["AMD"] = Decimal(price)
        stocks.volumes = dict.fromkeys(SEEDED, Decimal(1000)) | {"AMD": Decimal(price * 10)}
        done = await ranker.rescore()
        clock.advance(5 * MINUTE)

    best = next(outcome for outcome in done.outcomes if outcome.ticker == "AMD")
    assert (best.rank, done.observations) == (1, 3)
    last = (await of(database, "AMD"))[-1]
    assert (last.rank, last.close_price) == (1, 103)
    assert last.factors is not None
    assert last.factors["momentum"] == {"value": Decimal("0.03"), "percentile": 100}
    assert last.factors["volatility"]["percentile"] == 0
    assert last.factors["source"] == "scripted"
    assert last.score == float(best.score or 0)


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-5", "1E+10"])
async def test_a_price_that_is_none_is_never_stored(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock, bad: str
) -> None:
    await ranker.rescore()
    clock.advance(5 * MINUTE)
    stocks.prices["GS"] = Decimal(bad)
    del stocks.prices["RIVN"]

    done = await ranker.rescore()

    assert {t for t, what in outcomes(done).items() if what == Done.no_price} == {"GS", "RIVN"}
    assert [row.close_price for row in await of(database, "GS")] == [100]
    assert len(await of(database, "JPM")) == 2
    assert done.error == "scripted has no usable price of GS, RIVN: their last scores stay."
    assert await said(database) == done.error


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "0", "-5", "1E+10", "1E-12"])
async def test_a_volume_that_is_none_is_stored_as_none(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, bad: str
) -> None:
    stocks.volumes = {"GS": Decimal(bad), "JPM": Decimal(7)}

    await ranker.rescore()

    assert [row.volume for row in await of(database, "GS")] == [None]
    assert [row.volume for row in await of(database, "JPM")] == [7]


async def test_a_fetch_that_fails_leaves_the_last_scores_and_says_why(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    await ranker.rescore()
    before = [(row.id, row.score) for row in await snapshots(database)]
    clock.advance(5 * MINUTE)
    for trouble_, down in (("It is away.", "It is away."), ("no usable price", None)):
        stocks.down = down
        stocks.prices = {}
        with pytest.raises(SourceUnavailable, match=trouble_):
            await ranker.rescore()
        assert trouble_ in (await said(database) or "")

    assert [(row.id, row.score) for row in await snapshots(database)] == before

    stocks.down, stocks.prices = None, dict.fromkeys(SEEDED, Decimal(101))
    await ranker.rescore()
    assert await said(database) is None


async def test_prices_of_another_source_are_no_history(
    ranker: Ranker, stocks: ScriptedStocks, clock: ManualClock
) -> None:
    await ranker.rescore()
    clock.advance(5 * MINUTE)
    stocks.made_by = "another"

    assert (await ranker.rescore()).observations == 1
    clock.advance(5 * MINUTE)
    assert (await ranker.rescore()).observations == 2


async def test_a_source_that_knows_the_past_is_believed(
    ranker: Ranker, stocks: ScriptedStocks
) -> None:
    stocks.histories = {
        ticker: [Observation(Decimal(n), None) for n in range(10, 15)] for ticker in SEEDED
    }

    assert (await ranker.rescore()).observations == 5


async def test_a_stock_that_is_removed_or_moved_meanwhile_is_left_alone(
    database: Database, clock: ManualClock
) -> None:
    class Meddling(ScriptedStocks):
        async def fetch(self, tickers: object) -> object:  # type: ignore[override]
            async with database.write() as session:
                await service.remove_stock(session, "GS", clock)
                await service.put_stock(session, "TSLA", None, "AI/Tech", clock)
            return await super().fetch(tickers)  # type: ignore[arg-type]

    done = await rescore(database, Meddling(), clock)  # type: ignore[arg-type]

    changed = {ticker for ticker, what in outcomes(done).items() if what == Done.changed}
    assert changed == {"GS", "TSLA"}
    assert not await of(database, "GS")
    assert not await of(database, "TSLA")
    async with database.read() as session:
        assert (await session.get_one(Stock, "TSLA")).last_updated is None


async def test_nothing_is_open_while_the_source_is_asked(
    database: Database, clock: ManualClock, stocks: ScriptedStocks
) -> None:
    writing = False

    @asynccontextmanager
    async def write() -> AsyncIterator[AsyncSession]:
        nonlocal writing
        writing = True
        async with database.write() as session:
            yield session
        writing = False

    fetch = stocks.fetch

    async def asked(tickers: list[str]) -> object:
        assert not writing
        async with database.write() as session:
            await session.execute(update(Domain).values(name=Domain.name))
        return await fetch(tickers)

    stocks.fetch = asked  # type: ignore[method-assign,assignment]
    await rescore(database, stocks, clock, write=write)


async def test_a_desk_without_stocks_asks_nobody(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        for ticker in SEEDED:
            await service.remove_stock(session, ticker, clock)

    done = await ranker.rescore()

    assert (done.outcomes, stocks.asked) == ((), [])


async def test_many_fetches_are_cut_to_the_window(
    ranker: Ranker, clock: ManualClock, stocks: ScriptedStocks
) -> None:
    for n in range(24):
        stocks.prices["AMD"] = Decimal(100 + n)
        await ranker.rescore()
        clock.advance(5 * MINUTE)

    assert (await ranker.rescore()).observations == 21


async def domain_id(database: Database, name: str) -> str:
    async with database.read() as session:
        return (await service.domain_named(session, name)).id


async def test_a_domain_is_fetched_and_scored_by_itself(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    del stocks.prices["RIVN"]
    await ranker.rescore()
    trouble = await said(database)
    assert trouble
    clock.advance(MINUTE)
    finance = await domain_id(database, "Finance")

    done = await rescore(database, stocks, clock, domain_id=finance)

    assert stocks.asked[-1] == ["GS", "JPM"]
    assert outcomes(done) == {"GS": "scored", "JPM": "scored"}
    assert {row.ticker for row in await snapshots(database) if row.fetched_at == clock.now()} == {
        "GS",
        "JPM",
    }
    # What the others could not have is not mended by that.
    assert await said(database) == trouble
    stocks.down = "It is away."
    with pytest.raises(SourceUnavailable):
        await rescore(database, stocks, clock, domain_id=finance)
    assert await said(database) == trouble


async def test_fetches_of_one_domain_leave_the_history_of_the_others(
    ranker: Ranker, stocks: ScriptedStocks, database: Database, clock: ManualClock
) -> None:
    for price in (100, 110, 121):
        stocks.prices |= dict.fromkeys(SEEDED, Decimal(price))
        await ranker.rescore()
        clock.advance(MINUTE)
    finance = await domain_id(database, "Finance")
    for _ in range(WINDOW + 5):
        clock.advance(MINUTE)
        await rescore(database, stocks, clock, domain_id=finance)

    stocks.prices |= dict.fromkeys(SEEDED, Decimal(200))
    clock.advance(MINUTE)
    await ranker.rescore()

    [tesla] = [row for row in await of(database, "TSLA") if row.fetched_at == clock.now()]
    assert (tesla.factors or {})["momentum"]["value"] == 1
    [jpm] = [row for row in await of(database, "JPM") if row.fetched_at == clock.now()]
    assert (jpm.factors or {})["momentum"]["value"] == Decimal("0.652892562")
