"""The simulator: a run that repeats, tickers that do not disturb each other, sane prices."""

import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log, sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from paperdesk.clock import ManualClock
from paperdesk.market.quotes import usable
from paperdesk.market.simulator import Simulator
from paperdesk.market.tickers import TICKER

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
TICKERS = st.from_regex(TICKER, fullmatch=True)
SEEDS = st.integers(-(2**70), 2**70)


def simulator(seed: int | None, at: datetime = AT) -> Simulator:
    return Simulator(seed, ManualClock(at))


async def path(source: Simulator, ticker: str, ticks: int, others: Iterable[str] = ()) -> list[str]:
    asked = [*others, ticker]
    return [str((await source.fetch(asked))[ticker].price) for _ in range(ticks)]


@given(SEEDS, TICKERS, st.sets(TICKERS, max_size=5))
async def test_a_seeded_path_does_not_depend_on_other_tickers(
    seed: int, ticker: str, others: set[str]
) -> None:
    others.discard(ticker)
    alone = await path(simulator(seed), ticker, 20)
    assert await path(simulator(seed), ticker, 20, sorted(others)) == alone


@given(SEEDS, TICKERS, st.integers(0, 30))
async def test_a_seeded_path_does_not_depend_on_when_it_begins(
    seed: int, ticker: str, before: int
) -> None:
    late = simulator(seed, AT + timedelta(days=before))
    await path(late, "OTHER" if ticker != "OTHER" else "ANOTHER", before)
    assert await path(late, ticker, 20) == await path(simulator(seed), ticker, 20)


def test_a_seeded_path_is_the_same_in_every_process() -> None:
    program = (
        "import asyncio; from datetime import *; from paperdesk.clock import ManualClock;"
        "from paperdesk.market.simulator import Simulator;"
        "s = Simulator(7, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)));"
        "walk = [asyncio.run(s.fetch({'AAPL', 'JPM', 'XYZ'})) for _ in range(50)][-1];"
        "print(sorted((t, str(tick.price)) for t, tick in walk.items()))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(answers) == 1
    assert "AAPL" in answers.pop()


async def test_seeds_differ_and_no_seed_never_repeats() -> None:
    walks = [await path(simulator(seed), "AAPL", 50) for seed in (1, 2, None, None)]
    assert len({tuple(walk) for walk in walks}) == 4


@given(TICKERS)
async def test_every_valid_ticker_is_known_and_has_a_price_that_may_be_used(ticker: str) -> None:
    source = simulator(1)
    assert await source.knows(ticker)
    tick = (await source.fetch([ticker]))[ticker]
    assert usable(tick.price)
    assert tick.price >= 1
    assert tick.timestamp == AT


async def test_what_is_no_ticker_is_neither_known_nor_priced() -> None:
    source = simulator(1)
    assert not await source.knows("not a ticker")
    assert await source.fetch(["not a ticker"]) == {}


async def test_the_watchlist_begins_at_realistic_prices() -> None:
    ticks = await simulator(None).fetch(["AAPL", "NFLX", "V", "RIVN", "GS"])
    assert {ticker: str(tick.price) for ticker, tick in ticks.items()} == {
        "AAPL": "232.50",
        "NFLX": "112.60",
        "V": "345.10",
        "RIVN": "13.85",
        "GS": "715.40",
    }


@settings(max_examples=15, deadline=None)
@given(
    SEEDS,
    st.decimals(Decimal("0.000000001"), Decimal(1_000_000_000), places=9, allow_nan=False),
)
async def test_prices_stay_positive_and_rounded_from_any_start(seed: int, start: Decimal) -> None:
    source = simulator(seed)
    source.start_at({"X": start})
    for _ in range(1_000):
        price = (await source.fetch(["X"]))["X"].price
        assert usable(price)
        assert price == round(price, 2 if price >= 1 else 4)


async def test_a_long_run_stays_near_its_start() -> None:
    source = simulator(3)
    lowest = highest = Decimal("13.85")
    for _ in range(100_000):
        price = (await source.fetch(["RIVN"]))["RIVN"].price
        lowest, highest = min(lowest, price), max(highest, price)
    assert Decimal(5) < lowest < highest < Decimal(40)


async def test_a_deviation_is_clamped_whatever_happens() -> None:
    source = simulator(3)
    await source.fetch(["AAPL"])
    source._paths["AAPL"].deviation = 1e6
    assert (await source.fetch(["AAPL"]))["AAPL"].price == Decimal("4669.89")
    source._paths["AAPL"].deviation = -1e6
    assert (await source.fetch(["AAPL"]))["AAPL"].price == Decimal("11.58")


async def test_jumps_are_rare_and_of_two_to_five_percent() -> None:
    source = simulator(11)
    tickers = [f"T{n}" for n in range(40)]
    last: dict[str, Decimal] = {}
    jumps: list[float] = []
    for _ in range(5_000):
        for ticker, tick in (await source.fetch(tickers)).items():
            moved = abs(log(tick.price / last.get(ticker, tick.price)))
            last[ticker] = tick.price
            if moved > 0.01:
                jumps.append(moved)
    assert 1 <= len(jumps) <= 15
    assert all(0.018 < jump < 0.053 for jump in jumps)


def correlation(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    together = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return together / sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


async def test_a_sector_moves_together_more_than_the_market() -> None:
    source = simulator(5)
    prices: dict[str, list[Decimal]] = {"GS": [], "JPM": [], "MSFT": []}
    for _ in range(30_000):
        for ticker, tick in (await source.fetch(prices)).items():
            prices[ticker].append(tick.price)
    # Over 20 ticks, so that rounding to cents does not matter.
    moves = {
        ticker: [log(b / a) for a, b in zip(walk[::20], walk[20::20], strict=False)]
        for ticker, walk in prices.items()
    }
    moves = {t: [max(-0.01, min(0.01, m)) for m in walk] for t, walk in moves.items()}
    within = correlation(moves["GS"], moves["JPM"])
    across = correlation(moves["GS"], moves["MSFT"])
    assert within > across + 0.15
    assert across > 0.15


async def test_without_a_seed_it_goes_on_from_given_prices() -> None:
    source = simulator(None)
    source.start_at({"AAPL": Decimal("201.37"), "JPM": Decimal(9000)})
    ticks = await source.fetch(["AAPL", "JPM", "V"])
    assert [str(ticks[t].price) for t in ("AAPL", "JPM", "V")] == ["201.37", "9000.00", "345.10"]


async def test_what_is_forgotten_to_bound_memory_is_what_nobody_asks_for() -> None:
    source = simulator(1)
    await path(source, "AAPL", 10)
    for n in range(70):
        await source.fetch([f"A{n}X{i}" for i in range(100)])
        await source.fetch(["AAPL"])
    assert len(source._paths) < 7_000
    assert source._paths["AAPL"].taken == 80
