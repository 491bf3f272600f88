"""Prices on the processes that follow: the leader's, with the leader's times, and on without it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import func, select

from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.errors import PriceUnavailable
from paperdesk.market import following
from paperdesk.market.feed import Market
from paperdesk.market.quotes import PriceSource
from paperdesk.market.simulator import Simulator
from paperdesk.models import PriceBar, Quote
from paperdesk.runtime.leader import Election
from support.databases import START
from support.electing import candidate, cut_off, holder, until
from support.pricing import ScriptedSource, SleeplessClock

SECOND = timedelta(seconds=1)


@dataclass
class Process:
    """One process's market, with a clock of its own."""

    market: Market
    election: Election
    clock: ManualClock
    source: PriceSource

    def shows(self, ticker: str, price: str) -> bool:
        quote = self.market.board.latest(ticker)
        return quote is not None and quote.price == Decimal(price)


Join = Callable[..., Awaitable[Process]]


@pytest.fixture
async def join(postgres_url: str) -> AsyncIterator[Join]:
    """Let one more process open its market; the first one leads."""
    async with AsyncExitStack() as stack:

        async def join(source: PriceSource | None = None, **prices: str) -> Process:
            clock = SleeplessClock(START)
            election = await stack.enter_async_context(candidate(postgres_url, clock))
            source = source or ScriptedSource(clock, **prices)
            market = Market(election._database, source, clock, election)
            await election.elect()
            await market.load(follows=not election.leads)
            return Process(market, election, clock, source)

        yield join


@asynccontextmanager
async def running(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def test_a_follower_has_the_quotes_of_the_leader_with_their_own_times(join: Join) -> None:
    leader, follower = await join(AAPL="190.25"), await join(AAPL="7")
    follower.clock.advance(5 * SECOND)
    async with running(follower.market.follow):
        await leader.market.tick()
        await until(lambda: follower.shows("AAPL", "190.25"))
        leader.clock.advance(SECOND)
        leader.source.prices["AAPL"] = Decimal("190.5")  # type: ignore[attr-defined]
        await leader.market.tick()
        await until(lambda: follower.shows("AAPL", "190.5"))
    assert follower.market.board.all() == leader.market.board.all()
    assert follower.market.as_of == START + SECOND
    assert b'"price":190.5' in follower.market.stream._event
    assert follower.source.asked == []  # type: ignore[attr-defined]
    assert follower.market.board.fresh("AAPL")
    # Eleven seconds after the leader had it; that the follower heard of it later counts nothing.
    follower.clock.advance(7 * SECOND)
    assert follower.market.board.fresh("AAPL") is None


async def test_what_is_asked_for_on_a_follower_is_priced_by_the_leader(join: Join) -> None:
    leader, follower = await join(NEW="5", AAPL="190"), await join(NEW="6")
    async with running(leader.market.lead, follower.market.follow, follower.market.tell_demand):
        quote = await follower.market.quote("new")
        assert quote == leader.market.board.latest("NEW")
    assert quote.price == 5
    assert follower.source.asked == []  # type: ignore[attr-defined]


async def test_a_question_that_the_leader_missed_is_heard_the_next_time(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.market.feed.PATIENCE", 0.05)
    leader, follower = await join(NEW="5"), await join(NEW="6")
    async with running(follower.market.follow, follower.market.tell_demand):
        with pytest.raises(PriceUnavailable):
            await follower.market.quote("NEW")
        await until(lambda: "NEW" in leader.market._demand.wanted())
        leader.market._demand._asked.clear()
        monkeypatch.undo()
        async with running(leader.market.lead):
            assert (await follower.market.quote("NEW")).price == 5


@pytest.mark.parametrize("seed", [None, 7])
async def test_the_simulator_goes_on_where_the_last_leader_was(
    join: Join, seed: int | None
) -> None:
    clock = SystemClock()
    first, second = await join(Simulator(seed, clock)), await join(Simulator(seed, clock))
    first.market._demand.ask("ADHOC")
    await first.market.tick()
    for old, new in ((first, second), (second, first), (first, second)):
        # Far from where its path begins, and where the other one's is.
        for path in old.source._paths.values():  # type: ignore[attr-defined]
            path.deviation += 0.2
        await old.market.tick()
        async with running(new.market.follow):
            await until(partial(has_followed, new, old))
        before = {quote.ticker: quote.price for quote in old.market.board.all()}
        assert "ADHOC" in before
        await old.election.close()
        while not new.election.leads:
            await new.election.elect()
        async with running(new.market.lead):
            await until(lambda: not new.market._follows)  # noqa: B023 - awaited within the round
        for _ in range(3):
            await new.market.tick()
        after = {quote.ticker: quote.price for quote in new.market.board.all()}
        assert after.keys() == before.keys()
        for ticker, price in after.items():
            assert abs(price / before[ticker] - 1) < Decimal("0.02"), ticker
        await old.election.elect()


def has_followed(follower: Process, leader: Process) -> bool:
    return follower.market.board.all() == leader.market.board.all()


async def test_a_follower_says_why_there_are_no_prices(join: Join) -> None:
    leader, follower = await join(AAPL="190"), await join()
    async with running(follower.market.follow):
        await leader.market.tick()
        await until(lambda: follower.shows("AAPL", "190"))
        assert follower.market.outage is None
        leader.source.down = "The key is refused."  # type: ignore[attr-defined]
        await leader.market.tick()
        await until(lambda: follower.market.outage == "The key is refused.")
        leader.source.down = None  # type: ignore[attr-defined]
        await leader.market.tick()
        await until(lambda: follower.market.outage is None)
        follower.clock.advance(11 * SECOND)
        follower.market._follower.heard("")
        await until(lambda: follower.market.outage == "No process publishes prices at present.")


async def test_a_price_that_could_not_be_published_is_no_price(
    join: Join, postgresql: Database
) -> None:
    leader = await join(AAPL="190")
    await leader.market.tick()
    known = leader.market.board.all()
    await cut_off(postgresql, await holder(postgresql))
    leader.source.prices["AAPL"] = Decimal(191)  # type: ignore[attr-defined]
    for _ in range(3):
        await leader.market.tick()
    assert leader.market.board.all() == known
    assert leader.market.outage == "The database does not answer."


async def test_lost_notifications_are_made_up_for_by_reading(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SILENCE", 0.02)
    leader, follower = await join(AAPL="190"), await join()
    follower.market._follower._clock = SystemClock()
    await follower.election.close()
    async with running(follower.market.follow):
        for price in ("191", "192"):
            leader.source.prices["AAPL"] = Decimal(price)  # type: ignore[attr-defined]
            await leader.market.tick()
            await until(lambda price=price: follower.shows("AAPL", price))  # type: ignore[misc]


async def test_a_follower_stores_nothing(join: Join, postgresql: Database) -> None:
    leader, follower = await join(AAPL="190"), await join()
    await leader.market.tick()
    async with running(follower.market.follow):
        await until(lambda: follower.shows("AAPL", "190"))
    await follower.market.close()
    assert await counted(postgresql) == (1, 0)
    await leader.market.close()
    assert await counted(postgresql) == (1, 1)


async def test_minutes_from_before_the_lead_was_lost_are_not_stored_over_later_ones(
    join: Join, postgresql: Database
) -> None:
    leader = await join(AAPL="190")
    await leader.market.tick()
    assert leader.market.bars.unsaved()
    async with running(leader.market.follow):
        await asyncio.sleep(0)
        assert leader.market.bars.unsaved() == []
    await leader.market.close()
    assert await counted(postgresql) == (1, 0)


async def counted(database: Database) -> tuple[int, int]:
    async with database.read() as session:
        quotes = await session.scalar(select(func.count()).select_from(Quote))
        bars = await session.scalar(select(func.count()).select_from(PriceBar))
        return quotes or 0, bars or 0
