"""Reading bars: every timeframe equals what one would compute from the minutes by hand."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.market.bars import Bar, Timeframe, floor
from paperdesk.market.feed import Market
from paperdesk.market.history import bars_of
from paperdesk.market.quotes import LARGEST_PRICE
from paperdesk.market.recorder import store_absent
from support.databases import START
from support.pricing import ScriptedSource

ZONE = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)


def by_hand(
    ticks: list[tuple[datetime, Decimal]],
    timeframe: Timeframe,
    since: datetime | None,
    before: datetime | None,
) -> list[Bar]:
    bars: dict[datetime, list[Decimal]] = {}
    for at, price in sorted(ticks):
        bars.setdefault(floor(at, timeframe, ZONE), []).append(price)
    return [
        Bar("AAPL", start, prices[0], max(prices), min(prices), prices[-1])
        for start, prices in sorted(bars.items(), reverse=True)
        if (since is None or start >= since) and (before is None or start < before)
    ]


@pytest.mark.parametrize("timeframe", Timeframe)
async def test_bars_are_what_one_computes_by_hand(
    database: Database, clock: ManualClock, timeframe: Timeframe
) -> None:
    random = Random(4)
    market = Market(database, ScriptedSource(clock), clock)
    ticks: list[tuple[datetime, Decimal]] = []
    at = START - timedelta(days=40)
    while at < START:
        # Runs of minutes, then times when the desk was off: hours, or days.
        at += MINUTE * random.choice([1, 1, 1, 2, 3, 7, 60, 500, 4_000])
        ticks.append((at, Decimal(random.randint(100, 200))))
    for place, (at, price) in enumerate(ticks):
        market.bars.add("AAPL", price, at)
        market.bars.add("MSFT", price + 1_000, at)
        if place == len(ticks) - 5:
            await market.flush()

    middle = ticks[len(ticks) // 2][0] + timedelta(seconds=90)
    for since, before in (
        (None, None),
        (middle, None),
        (None, middle),
        (middle, middle + 900 * MINUTE),
    ):
        expected = by_hand(ticks, timeframe, since, before)
        for limit in (1, 3, 500):
            async with database.read() as session:
                found = await bars_of(
                    session,
                    "AAPL",
                    timeframe,
                    ZONE,
                    unsaved=market.bars.unsaved("AAPL"),
                    since=since,
                    before=before,
                    limit=limit,
                )
            assert found == expected[:limit]


async def test_pages_follow_each_other_without_gap_or_repetition(
    database: Database, clock: ManualClock
) -> None:
    market = Market(database, ScriptedSource(clock), clock)
    ticks = [(START + 7 * n * MINUTE, Decimal(n + 1)) for n in range(60)]
    for at, price in ticks:
        market.bars.add("AAPL", price, at)
    await market.flush()
    pages: list[Bar] = []
    before = None
    while True:
        async with database.read() as session:
            found = await bars_of(
                session,
                "AAPL",
                Timeframe.quarter,
                ZONE,
                unsaved=[],
                since=None,
                before=before,
                limit=7,
            )
        if not found:
            break
        pages += found
        before = found[-1].start
    assert pages == by_hand(ticks, Timeframe.quarter, None, None)


async def test_a_minute_that_is_half_stored_is_shown_whole(
    database: Database, clock: ManualClock
) -> None:
    market = Market(database, ScriptedSource(clock), clock)
    market.bars.add("AAPL", Decimal(10), START)
    market.bars.add("AAPL", Decimal(15), START)
    await market.flush()
    market.bars.add("AAPL", Decimal(9), START)
    for timeframe in Timeframe:
        async with database.read() as session:
            (bar,) = await bars_of(
                session,
                "AAPL",
                timeframe,
                ZONE,
                unsaved=market.bars.unsaved("AAPL"),
                since=None,
                before=None,
                limit=10,
            )
        assert (bar.open, bar.high, bar.low, bar.close) == (10, 15, 9, 9)


async def test_volumes_beyond_64_bits_add_up(database: Database) -> None:
    volume = LARGEST_PRICE - Decimal("0.000000001")
    one = Decimal(1)
    bars = [Bar("AAPL", START + n * MINUTE, one, one, one, one, volume) for n in range(20)]
    async with database.write() as session:
        assert await store_absent(await session.connection(), bars) == 20
    for timeframe in (Timeframe.hour, Timeframe.day):
        async with database.read() as session:
            (bar,) = await bars_of(
                session,
                "AAPL",
                timeframe,
                ZONE,
                unsaved=[],
                since=None,
                before=None,
                limit=10,
            )
        assert bar.volume == 20 * volume


@pytest.mark.parametrize("minute", range(5))
async def test_a_bar_that_begins_in_time_is_whole_whatever_cuts_through_it(
    database: Database, clock: ManualClock, minute: int
) -> None:
    market = Market(database, ScriptedSource(clock), clock)
    market.bars.add("AAPL", Decimal(10), START + minute * MINUTE)
    await market.flush()
    for seconds in (1, 60, 150, 299, 300):
        async with database.read() as session:
            found = await bars_of(
                session,
                "AAPL",
                Timeframe.five_minutes,
                ZONE,
                unsaved=[],
                since=START,
                before=START + timedelta(seconds=seconds),
                limit=10,
            )
        assert [bar.start for bar in found] == [START]
