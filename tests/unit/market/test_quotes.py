"""The board: what may be used, what is stale, what changed, and waiting for a first price."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.clock import ManualClock
from paperdesk.errors import InvalidRequest
from paperdesk.market.quotes import Quote, QuoteBoard, Tick
from paperdesk.market.tickers import parse_ticker

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def board(interval: timedelta = SECOND / 2) -> tuple[QuoteBoard, ManualClock]:
    clock = ManualClock(AT)
    return QuoteBoard(clock, interval), clock


def tick(price: str, at: datetime = AT) -> Tick:
    return Tick(Decimal(price), at)


@pytest.mark.parametrize("text", ["aapl", "BRK.B", "btc-usd", "F", "A123456789.ABCDEF"])
def test_tickers_are_upper_cased(text: str) -> None:
    assert parse_ticker(text) == text.upper()


@pytest.mark.parametrize(
    "text",
    ["", " AAPL", "AAPL\n", "1A", "A B", "A.", "A..B", "A1234567890", "\u0131BM", "\uff21", "A/B"],
)
def test_what_is_no_ticker_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_ticker(text)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "sNaN", "Infinity", "1e-10", "1000000001"])
def test_a_price_that_may_not_be_used_leaves_the_last_one(price: str) -> None:
    quotes, _ = board()
    kept = quotes.put("AAPL", tick("10"), "test", AT)
    assert quotes.put("AAPL", tick(price), "test", AT + SECOND) is None
    assert quotes.latest("AAPL") == kept


@given(st.decimals(Decimal("0.000000001"), Decimal(10**9)), st.decimals(Decimal(1), Decimal(10**9)))
def test_change_is_against_the_previous_tick(first: Decimal, second: Decimal) -> None:
    quotes, _ = board()
    before = quotes.put("AAPL", Tick(first, AT), "test", AT)
    after = quotes.put("AAPL", Tick(second, AT + SECOND), "test", AT)
    assert before
    assert after
    assert (before.change, before.change_percent, before.direction) == (0, 0, "flat")
    assert after.change == after.price - before.price
    assert after.direction == (
        "flat" if after.price == before.price else "up" if after.price > before.price else "down"
    )


def test_the_same_trade_once_more_is_confirmed_and_is_no_new_tick() -> None:
    quotes, clock = board()
    quotes.put("AAPL", tick("10"), "test", AT)
    quotes.put("AAPL", tick("11", AT + SECOND), "test", AT)
    clock.advance(timedelta(minutes=1))
    quote = quotes.put("AAPL", tick("11", AT + SECOND), "test", clock.now())
    assert quote
    assert (quote.previous_price, quote.direction) == (10, "up")
    assert quotes.fresh("AAPL") == quote


def test_the_price_of_another_source_is_no_previous_price() -> None:
    quotes, _ = board()
    quotes.put("AAPL", tick("10"), "massive", AT)
    quote = quotes.put("AAPL", tick("230", AT + SECOND), "simulator", AT)
    assert quote
    assert quote.change == 0


@pytest.mark.parametrize(
    ("interval", "patience"), [(SECOND / 2, 10 * SECOND), (15 * SECOND, 45 * SECOND)]
)
@pytest.mark.parametrize("direction", [1, -1])
def test_a_quote_is_stale_after_ten_seconds_or_three_intervals(
    interval: timedelta, patience: timedelta, direction: int
) -> None:
    quotes, clock = board(interval)
    quote = quotes.put("AAPL", tick("10"), "test", AT)
    clock.advance(direction * patience)
    assert quotes.fresh("AAPL") == quote
    clock.advance(direction * timedelta(microseconds=1))
    assert quotes.fresh("AAPL") is None
    assert quotes.latest("AAPL") == quote


async def test_everybody_who_waits_gets_the_first_fresh_quote() -> None:
    quotes, _ = board()
    waiting = [asyncio.create_task(quotes.wait_for("AAPL", 1)) for _ in range(3)]
    await asyncio.sleep(0)
    stale = Quote("AAPL", Decimal(9), Decimal(9), AT, AT - timedelta(hours=1), "test")
    quotes.restore(stale)
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    quote = quotes.put("AAPL", tick("10"), "test", AT)
    assert await asyncio.gather(*waiting) == [quote] * 3
    assert quotes._waiting == {}


async def test_waiting_ends_and_leaves_nothing_behind() -> None:
    quotes, _ = board()
    assert await quotes.wait_for("AAPL", 0.01) is None
    assert quotes._waiting == {}
