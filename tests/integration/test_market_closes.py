"""Closing prices: the last stored minute of a day or of any stretch, on both databases."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

from paperdesk.db.engine import Database
from paperdesk.market.closes import (
    MINUTE,
    DaysOf,
    Stretch,
    chunks,
    closes_from,
    day_closes,
    first_closes,
    last_closes,
    reaches,
)
from paperdesk.models import PriceBar
from support.databases import START

ZONE = ZoneInfo("America/New_York")


def bar(ticker: str, start: datetime, close: str, timeframe: str = "1m") -> PriceBar:
    price = Decimal(close)
    return PriceBar(
        ticker=ticker,
        timeframe=timeframe,
        start=start,
        open=price,
        high=price,
        low=price,
        close=price,
    )


async def stored(database: Database, *bars: PriceBar) -> None:
    async with database.write() as session:
        session.add_all(bars)


def midnights(first: date, count: int) -> list[datetime]:
    days = [first + timedelta(days=n) for n in range(count)]
    return [datetime.combine(day, time(0), ZONE).astimezone(UTC) for day in days]


async def test_the_last_minute_of_a_stretch_is_its_close(database: Database) -> None:
    await stored(
        database,
        bar("AAPL", START, "1.5"),
        bar("AAPL", START + MINUTE, "2.000000001"),
        bar("AAPL", START + 2 * MINUTE, "3"),
        bar("AAPL", START + MINUTE, "9", timeframe="5m"),
        bar("MSFT", START, "7"),
    )
    stretches = [
        Stretch("AAPL", START, START + 2 * MINUTE),
        Stretch("AAPL", START - MINUTE, START),
        Stretch("MSFT", START - MINUTE, START + 9 * MINUTE),
        Stretch("NONE", START - MINUTE, START + 9 * MINUTE),
    ]

    async with database.read() as session:
        rows = await session.execute(last_closes(database.dialect, stretches))
        found = {close.stretch: (close.at, close.price) for close in closes_from(rows)}
        rows = await session.execute(first_closes(database.dialect, stretches))
        first = {close.stretch: (close.at, close.price) for close in closes_from(rows)}
        reached = map(tuple, await session.execute(reaches(database.dialect, stretches)))

    assert found == {0: (START + 2 * MINUTE, 2_000_000_001), 2: (START + MINUTE, 7 * 10**9)}
    assert first == {0: (START + MINUTE, 1_500_000_000), 2: found[2]}
    assert sorted(row for row in reached if row[1]) == [
        (0, START, START + MINUTE),
        (2, START, START),
    ]


async def test_each_day_of_each_ticker_has_the_close_that_one_finds_by_hand(
    database: Database,
) -> None:
    # The clocks are set back in the night to the 1st of November.
    starts = midnights(date(2026, 10, 25), 15)
    chance = Random(3)
    minutes = {
        ticker: sorted(starts[0] + MINUTE * n for n in chance.sample(range(-500, 22_000), count))
        for ticker, count in (("AAPL", 60), ("MSFT", 9), ("TSLA", 0))
    }
    minutes["AAPL"] += [starts[7] - MINUTE, starts[8] - MINUTE, starts[8], starts[10]]
    bars = {
        (ticker, start): str(chance.randrange(1, 10**6))
        for ticker, times in minutes.items()
        for start in times
    }
    await stored(database, *(bar(*key, close) for key, close in bars.items()))
    wanted = [DaysOf("AAPL", 0, 14), DaysOf("TSLA", 0, 14), DaysOf("MSFT", 3, 9)]

    async with database.read() as session:
        rows = (await session.execute(day_closes(database.dialect, wanted, starts))).all()

    by_hand: list[tuple[int, int, int, int]] = []
    for number, (ticker, first, end) in enumerate(wanted):
        for day, (since, until) in enumerate(pairwise(starts)):
            of_day = [start for start in minutes[ticker] if since <= start < until]
            if of_day and first <= day < end:
                last = max(of_day)
                price = int(bars[ticker, last]) * 10**9
                by_hand.append((number, day, int(last.timestamp()), price))
    assert [tuple(row) for row in rows] == by_hand


def test_stretches_are_asked_for_in_portions() -> None:
    stretches = [Stretch(f"T{n}", START, START) for n in range(4_500)]

    assert [len(some) for some in chunks(stretches)] == [2_000, 2_000, 500]
