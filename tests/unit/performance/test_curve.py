"""The curve that a journal makes: money is no gain, time decides, and everything adds up."""

import random
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperdesk.portfolio.performance.curve import followed_by
from paperdesk.portfolio.performance.events import Entries, Trade, instant_of
from paperdesk.portfolio.performance.lines import Price
from support.performing import BEGAN, Journal, at, figures, units

NOW = at(40)
UNHURRIED = settings(deadline=None)
"""Whole journals are made: on a busy machine one may take long."""
TICKERS = ("AAPL", "MSFT", "TSLA")
PRICES = {"AAPL": "190.25", "MSFT": "400.5", "TSLA": "0.125"}
HOURS = st.integers(0, 39 * 24).map(lambda hours: at(0, hours))
QUANTITIES = st.integers(-200, 200).filter(bool)
TRADES = st.lists(
    st.tuples(
        st.sampled_from(TICKERS), QUANTITIES, HOURS, st.sampled_from([None, "momentum", "value"])
    ),
    max_size=25,
)
CENTS = st.integers(1, 10**11).map(lambda cents: Decimal(cents) / 100)
FLOWS = st.lists(st.tuples(st.sampled_from(["deposit", "withdrawal"]), CENTS, HOURS), max_size=8)
NOTHING_MOVED = {"simple": 0, "twr": 0, "mwr": 0, "max_drawdown": 0, "profit": 0}


def moved(journal: Journal, flows: Iterable[tuple[str, Decimal, int]]) -> Journal:
    for kind, amount, when in flows:
        journal.cash(kind, amount if kind == "deposit" else -amount, when)
    return journal


def traded(journal: Journal, trades: Iterable[tuple[str, int, int, str | None]]) -> Journal:
    for ticker, quantity, when, strategy in trades:
        journal.trade(ticker, quantity, PRICES[ticker], when, strategy=strategy)
    return journal


def shown(journal: Journal, **more: Any) -> dict[str, Any]:
    told = figures(journal, NOW, **more)
    return {name: getattr(told, name) for name in NOTHING_MOVED}


@UNHURRIED
@given(FLOWS, TRADES, CENTS)
def test_money_that_comes_and_goes_is_no_gain_while_prices_stand_still(
    flows: list[tuple[str, Decimal, int]],
    trades: list[tuple[str, int, int, str | None]],
    opening: Decimal,
) -> None:
    journal = traded(moved(Journal().cash("opening", opening), flows), trades)

    told = shown(journal, quotes=PRICES)

    # Where more was taken out than was there, there is a time without capital, and no more to say.
    assert {name: value or 0 for name, value in told.items()} == NOTHING_MOVED


@UNHURRIED
@given(FLOWS, st.integers(0, 30), st.integers(0, 9))
def test_money_of_any_size_leaves_what_was_earned_before_and_after(
    flows: list[tuple[str, Decimal, int]], day: int, days: int
) -> None:
    """Cash alone earns interest by a tenth before all flows, and by a tenth after them."""
    journal = Journal().cash("opening", 1000).cash("interest", 100, at(1))
    later = [(kind, amount, at(day / 10 + 2, day)) for kind, amount, _ in flows]
    kept = [flow for flow in later if flow[0] == "deposit"]
    moved(journal, kept)
    balance = 1100 + sum(amount for _, amount, _ in kept)
    journal.cash("interest", balance / 10, at(20 + days))

    told = figures(journal, NOW)

    assert told.twr == pytest.approx(Decimal("0.21"), abs=Decimal("0.000002"))
    assert told.income == 100 + round(balance / 10, 6)


@UNHURRIED
@given(FLOWS, TRADES, st.integers(2, 50))
def test_everything_larger_by_a_factor_gives_the_same_returns(
    flows: list[tuple[str, Decimal, int]],
    trades: list[tuple[str, int, int, str | None]],
    factor: int,
) -> None:
    quotes = {"AAPL": "200", "MSFT": "380", "TSLA": "0.25"}
    closes = {"AAPL": {3: "195", 5: "180", 20: "240"}, "MSFT": {3: "401", 9: "390", 20: "370"}}

    def told(by: int) -> dict[str, Any]:
        journal = Journal().cash("opening", 10_000 * by)
        moved(journal, [(kind, amount * by, when) for kind, amount, when in flows])
        traded(journal, [(ticker, q * by, when, s) for ticker, q, when, s in trades])
        for ticker, prices in closes.items():
            journal.close(ticker, prices)
        seen = figures(journal, NOW, quotes=quotes)
        ratios = ("simple", "twr", "mwr", "volatility", "sharpe", "max_drawdown", "exposure")
        return {name: getattr(seen, name) for name in ratios}

    once, more = told(1), told(factor)

    assert once == {
        name: value
        if value is None
        else pytest.approx(value, rel=Decimal("1e-9"), abs=Decimal("0.000002"))
        for name, value in more.items()
    }


@UNHURRIED
@given(TRADES, FLOWS, st.randoms(use_true_random=False))
def test_the_order_of_booking_does_not_matter_and_the_time_does(
    trades: list[tuple[str, int, int, str | None]],
    flows: list[tuple[str, Decimal, int]],
    chance: random.Random,
) -> None:
    apart = [(t, q, when + n, s) for n, (t, q, when, s) in enumerate(trades)]
    journal = traded(moved(Journal().cash("opening", 10_000), flows), apart)
    other = Journal().cash("opening", 10_000)
    later = [*apart]
    chance.shuffle(later)
    moved(traded(other, later), flows)

    assert figures(journal, NOW, quotes=PRICES) == figures(other, NOW, quotes=PRICES)


@UNHURRIED
@given(TRADES, FLOWS)
def test_each_day_is_worth_what_its_entries_make(
    trades: list[tuple[str, int, int, str | None]], flows: list[tuple[str, Decimal, int]]
) -> None:
    journal = traded(moved(Journal().cash("opening", 10_000), flows), trades)
    journal.close("AAPL", {day: 150 + day for day in range(0, 38, 3)})
    curve = journal.curve(NOW)

    for place, total in enumerate(curve.totals):
        end = curve.days.starts[place + 1]
        cash = sum(m.amount for m in journal.movements if m.at < end)
        worth = Fraction(0)
        for ticker in TICKERS:
            own = sorted(t for t in journal.trades if t.ticker == ticker and t.at < end)
            cash -= sum(t.value if t.quantity > 0 else -t.value for t in own)
            if own:
                worth += sum(t.quantity for t in own) * price_at(curve, own, end)
        assert total == cash * 10**12 + worth


def price_at(curve: Any, own: list[Trade], end: int) -> int:
    """Return the last price that was known: of the last trade, or of a close after it."""
    price, known = own[-1].price, own[-1].at
    closes = curve.lines[own[0].ticker].closes
    place = bisect_left(closes.times, end) - 1
    return closes.prices[place] if place >= 0 and closes.times[place] > known else price


@UNHURRIED
@given(TRADES, FLOWS, st.lists(st.tuples(st.sampled_from(TICKERS), HOURS), max_size=4))
def test_contributions_add_up_to_the_profit_and_to_the_simple_return(
    trades: list[tuple[str, int, int, str | None]],
    flows: list[tuple[str, Decimal, int]],
    income: list[tuple[str, int]],
) -> None:
    journal = moved(Journal().cash("opening", 50_000), flows)
    for ticker, quantity, when, strategy in trades:
        journal.trade(ticker, quantity, PRICES[ticker], when, fee="0.01", strategy=strategy)
    for number, (ticker, when) in enumerate(income):
        journal.cash(("dividend", "interest", "fee", "interest")[number], "1.234567", when)
        journal.pay(("dividend", "fee")[number % 2], ticker, ("2.5", "-0.75")[number % 2], when)
    quotes = {"AAPL": "201.111111111", "MSFT": "399.123456789", "TSLA": "0.3"}

    for start, end in ((None, None), (at(5, 7), None), (at(5, 7), at(25, 3)), (None, at(11))):
        told = figures(journal, NOW, start=start, end=end, quotes=quotes)

        assert sum(line.profit for line in told.contributions) == told.profit
        assert told.profit == (told.end_value - told.start_value - told.deposits + told.withdrawals)
        if told.simple is not None:
            assert sum(line.contribution or 0 for line in told.contributions) == told.simple


@UNHURRIED
@given(TRADES, st.lists(st.tuples(st.sampled_from(TICKERS), HOURS), max_size=4))
def test_tickers_and_strategies_make_together_what_the_account_makes(
    trades: list[tuple[str, int, int, str | None]], dividends: list[tuple[str, int]]
) -> None:
    journal = Journal().cash("opening", 50_000)
    for ticker, quantity, when, strategy in trades:
        journal.trade(
            ticker, quantity, PRICES[ticker], when, fee="0.01", strategy=strategy or "rest"
        )
    for ticker, when in dividends:
        if held := journal.held(ticker, when + 1):
            # Who is short owes it, and borrowed the shares besides.
            journal.pay("dividend", ticker, held / 4, when)
            journal.pay("fee", ticker, min(held, Decimal(0)) / 8, when)
    quotes = {"AAPL": "201.5", "MSFT": "399", "TSLA": "0.3"}
    whole = figures(journal, NOW, quotes=quotes)

    tickers = [figures(journal, NOW, quotes=quotes, part=(t, None, None)) for t in TICKERS]
    strategies = [
        figures(journal, NOW, quotes=quotes, part=(None, None, s))
        for s in ("rest", "momentum", "value")
    ]

    for parts in (tickers, strategies):
        assert sum(part.profit for part in parts) == whole.profit
        assert sum(part.fees for part in parts) == whole.fees
        assert sum(part.income for part in parts) == whole.income
    for part in (*tickers, *strategies):
        assert sum(line.profit for line in part.contributions) == part.profit
        if part.simple is not None:
            assert sum(line.contribution or 0 for line in part.contributions) == part.simple
        for value in (part.twr, part.mwr, part.max_drawdown):
            assert value is None or value >= -1


def test_two_strategies_in_one_ticker_each_have_a_position_of_their_own() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 10, 100, at(1), strategy="a")
        .trade("AAPL", 10, 120, at(2), strategy="b")
        .trade("AAPL", -10, 130, at(3), strategy="a", realized=200)
    )
    quotes = {"AAPL": 110}

    a = figures(journal, NOW, quotes=quotes, part=(None, None, "a"))
    b = figures(journal, NOW, quotes=quotes, part=(None, None, "b"))

    # For the account the average cost of the shares sold was 110, for the strategy 100.
    assert (a.realized_pnl, a.profit, a.win_rate, a.simple) == (300, 300, 1, Decimal("0.3"))
    assert (b.realized_pnl, b.profit, b.win_rate) == (0, -100, None)
    assert figures(journal, NOW, quotes=quotes).realized_pnl == 200


def test_one_strategy_may_sell_what_another_bought() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 10, 100, at(1), strategy="a")
        .trade("AAPL", -10, 120, at(2), strategy="b", realized=200)
    )
    quotes = {"AAPL": 110}

    a = figures(journal, NOW, quotes=quotes, part=("AAPL", None, "a"))
    b = figures(journal, NOW, quotes=quotes, part=("AAPL", None, "b"))

    assert (a.profit, b.profit) == (100, 100)
    assert (a.end_value, b.end_value) == (1100, -1100)
    assert b.simple == Decimal("0.083333")
    assert b.mwr is None


def test_a_trade_that_gained_less_than_its_fee_did_not_gain() -> None:
    journal = Journal().cash("opening", 10_000).trade("AAPL", 10, 100, at(1))
    for fee in (1, 2, 3):
        journal.trade("AAPL", -2, 101, at(2, fee), fee=fee, realized=2)

    assert figures(journal, NOW).win_rate == Decimal("0.333333")


def test_a_position_that_passes_through_zero_closes_and_opens() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 10, 100, at(1), strategy="a")
        .trade("AAPL", -15, 120, at(2), strategy="a")
        .trade("AAPL", 5, 110, at(3), strategy="a")
    )

    told = figures(journal, NOW, part=(None, None, "a"))
    last = figures(journal, NOW, part=(None, None, "a"), start=at(2, 1))

    assert (told.realized_pnl, told.profit, told.win_rate) == (250, 250, 1)
    assert last.realized_pnl == 50


def test_a_part_that_is_long_and_short_uses_capital_for_both() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 10, 100, at(1), strategy="a")
        .trade("MSFT", -10, 100, at(1, 1), strategy="a")
        .close("AAPL", {1: 100, 2: 110, 3: 121})
        .close("MSFT", {1: 100, 2: 100, 3: 100})
    )
    quotes = {"AAPL": 121, "MSFT": 100}

    told = figures(journal, NOW, quotes=quotes, part=(None, None, "a"))
    later = figures(journal, NOW, quotes=quotes, part=(None, None, "a"), start=at(2, 8))

    # A day of 100 on 2,000, and one of 110 on 2,100.
    assert told.twr == Decimal("0.105000")
    assert later.twr == later.simple == Decimal("0.052381")
    assert told.mwr is None


def test_a_round_trip_within_a_day_earns_on_the_money_that_it_needed() -> None:
    journal = Journal().cash("opening", 10_000)
    for hour in (1, 3):
        journal.trade("AAPL", 10, 100, at(1, hour))
        journal.trade("AAPL", -10, 101, at(1, hour + 1), realized=10)

    told = figures(journal, NOW, part=("AAPL", None, None))

    assert (told.simple, told.twr) == (Decimal("0.02"), Decimal("0.02"))


# What happens in a day when money comes.


def test_money_that_comes_late_on_a_bad_day_hides_nothing_where_prices_are_known() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 100, 100, at(0, 1))
        .cash("deposit", 990_000, at(5, 5))
        .close("AAPL", {0: 100, 4: 100, 5: 90})
    )
    noon = {at(5, 5): {"AAPL": Price(at(5, 5) - 60_000_000, units(90))}}

    old = {at(5, 5): {"AAPL": Price(at(5, 5) - 1_000_000_000, units(90))}}

    assert figures(journal, NOW, known=noon, quotes={"AAPL": 90}).twr == Decimal("-0.1")
    # Where they are not, the money counts as if it had been there since the morning.
    for known in (None, old):
        told = figures(journal, NOW, known=known, quotes={"AAPL": 90})
        assert told.twr == Decimal("-0.001")


def test_money_that_goes_after_a_good_day_multiplies_nothing() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 100, 100, at(0, 1))
        .close("AAPL", {0: 100, 4: 100, 5: 110})
        .trade("AAPL", -99, 110, at(5, 4), realized=990)
        .cash("withdrawal", -10_890, at(5, 5))
    )

    assert figures(journal, NOW, quotes={"AAPL": 110}).twr == Decimal("0.1")


# Times.


def test_an_entry_that_is_dated_back_changes_the_curve_from_its_date_on() -> None:
    journal = Journal().cash("opening", 10_000).close("AAPL", dict.fromkeys(range(40), 100))
    journal.trade("AAPL", 10, 100, at(20))
    before = list(journal.curve(NOW).totals)

    journal.trade("AAPL", 10, 90, at(10))
    after = list(journal.curve(NOW).totals)

    assert after[:10] == before[:10]
    assert [one - other for one, other in zip(after, before, strict=True)][10:] == [
        100 * 10**18
    ] * (len(after) - 10)


def test_what_happens_at_the_start_is_in_the_range_and_at_the_end_is_not() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 10, 100, at(3), fee=1)
        .cash("deposit", 500, at(3))
        .trade("AAPL", -10, 110, at(9), fee=1, realized=100)
    )

    first = figures(journal, NOW, start=at(3), end=at(9))
    second = figures(journal, NOW, start=at(9))

    assert (first.start_value, first.deposits, first.fees) == (10_000, 500, 1)
    assert (first.end_value, first.realized_pnl) == (10_499, 0)
    assert (second.start_value, second.realized_pnl, second.fees) == (10_499, 100, 1)
    assert second.end_value == 10_598


def test_the_opening_balance_pays_for_what_is_dated_before_it() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000, at(30))
        .trade("AAPL", 10, 100, at(3))
        .trade("AAPL", -10, 110, at(9), realized=100)
    )

    told = figures(journal, NOW)

    assert (told.simple, told.twr) == (Decimal("0.01"), Decimal("0.01"))
    assert told.start_value == 0
    assert told.days == 38


def test_a_day_is_one_of_the_zone_of_the_desk() -> None:
    late = instant_of(BEGAN.replace(hour=23) + timedelta(hours=5, minutes=30))  # 23:30 in New York
    journal = Journal().cash("opening", 1000).cash("interest", 100, late)
    curve = journal.curve(NOW)

    assert [total // 10**18 for total in curve.totals[:3]] == [1000, 1100, 1100]
    # The clocks go forward on the sixth of them.
    lengths = [b - a for a, b in zip(curve.days.starts, curve.days.starts[1:], strict=False)]
    assert [n for n, length in enumerate(lengths) if length != 86_400_000_000] == [6]


# Accounts that have little to tell.


def test_an_account_of_one_day_has_returns_and_no_statistics() -> None:
    journal = Journal().cash("opening", 10_000).trade("AAPL", 10, 100, at(0, 1))

    told = figures(journal, at(0, 5), quotes={"AAPL": 110})

    assert (told.simple, told.twr, told.mwr) == (Decimal("0.01"),) * 3
    assert [told.cagr, told.volatility, told.sharpe, told.sortino, told.calmar] == [None] * 5
    assert told.days == 1


def test_an_account_without_time_has_nothing() -> None:
    told = figures(Journal().cash("opening", 10_000), at(0))

    assert (told.twr, told.mwr, told.volatility, told.best_day, told.days) == (None,) * 4 + (0,)
    assert told.simple == 0


def test_an_account_without_money_has_nothing() -> None:
    told = figures(Journal().cash("opening", 0), NOW)

    assert (told.simple, told.twr, told.mwr, told.exposure) == (None,) * 4
    assert (told.profit, told.end_value) == (0, 0)


def wiped_out() -> Journal:
    return (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 100, 100, at(0, 1))
        .close("AAPL", {0: 100, 1: 90, 2: "0.000000001"})
    )


def test_an_account_that_lost_everything_says_so_and_no_more() -> None:
    journal = wiped_out().cash("fee", "-0.0000001", at(3))

    told = figures(journal, NOW, quotes={"AAPL": "0.000000001"})

    assert (told.simple, told.twr, told.mwr, told.max_drawdown) == (-1,) * 4
    assert told.drawdown.recovered_at is None


def test_more_than_everything_is_not_lost() -> None:
    journal = (
        Journal()
        .cash("opening", 1_000)
        .trade("AAPL", -10, 100, at(0, 1))
        .close("AAPL", {0: 100, 1: 400, 2: 500})
    )

    told = figures(journal, NOW, quotes={"AAPL": 500})

    assert told.profit == -4000
    assert (told.twr, told.max_drawdown) == (-1, -1)
    assert told.mwr == -1


def test_a_dividend_that_finds_an_empty_account_multiplies_nothing() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .cash("withdrawal", "-9999.99", at(3))
        .cash("dividend", 50, at(9))
    )

    told = figures(journal, NOW)

    assert (told.twr, told.profit, told.simple) == (0, 50, Decimal("0.005"))


def test_growth_beyond_all_reason_is_no_figure() -> None:
    journal = Journal().cash("opening", 2).trade("X", 2 * 10**9, "0.000000001", at(0, 1))

    told = figures(journal, at(300), quotes={"X": 1000})

    assert (told.twr, told.simple, told.mwr) == (None, None, None)
    assert told.profit == 2 * 10**12 - 2


# Adjustments.


def test_a_split_changes_the_shares_and_not_the_worth() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 10, 100, at(1), strategy="a")
        .adjust("stock_split", "AAPL", at(5), numerator=4, denominator=1)
    )

    told = figures(journal, NOW, start=at(3))
    a = figures(journal, NOW, part=(None, None, "a"), quotes={"AAPL": 30})

    assert (told.start_value, told.end_value, told.profit) == (10_000, 10_000, 0)
    assert told.twr == 0
    assert (a.end_value, a.profit) == (1200, 200)


def test_a_new_symbol_goes_on_where_the_old_one_was() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("FB", 10, 100, at(1), strategy="a")
        .close("FB", {1: 110, 2: 120})
        .adjust("symbol_change", "FB", at(5), to="META")
    )

    told = figures(journal, NOW, quotes={"META": 150})

    assert [(line.ticker, line.profit) for line in told.contributions] == [
        ("META", 300),
        ("FB", 200),
        (None, 0),
    ]
    assert told.twr == Decimal("0.05")
    assert figures(journal, NOW, quotes={"META": 150}, part=(None, None, "a")).profit == 500


def test_what_is_spun_off_takes_its_cost_with_it() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("GE", 10, 100, at(1))
        .adjust("spin_off", "GE", at(5), to="GEV", quantity=5, cost=200)
        .close("GE", {1: 100, 5: 80})
    )

    told = figures(journal, NOW, quotes={"GE": 80, "GEV": 44})

    assert [(line.ticker, line.profit) for line in told.contributions] == [
        ("GEV", 20),
        ("GE", 0),
        (None, 0),
    ]
    assert figures(journal, NOW, quotes={"GEV": 44}, part=("GEV", None, None)).simple == Decimal(
        "0.1"
    )


@pytest.mark.parametrize("amount", [0, "250.5"])
def test_shares_that_are_transferred_are_no_gain(amount: Any) -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .adjust("transfer", "AAPL", at(5), quantity=10, cost=900, amount=amount)
    )

    told = figures(journal, NOW)

    assert (told.profit, told.twr) == (0, 0)
    assert told.deposits == 10_900 + Decimal(amount)


def test_a_reset_takes_everything_out_and_the_return_goes_on() -> None:
    journal = (
        Journal()
        .cash("opening", 10_000)
        .trade("AAPL", 50, 100, at(1), strategy="a")
        .close("AAPL", {1: 100, 4: 120, 5: 120})
        .adjust("reset", "AAPL", at(5, 9), quantity=-50, cost=-5000, amount=5000)
        .cash("interest", 1000, at(9))
    )

    told = figures(journal, NOW)

    assert told.twr == Decimal("0.21")
    assert (told.end_value, told.profit) == (11_000, 2000)
    assert figures(journal, NOW, part=(None, None, "a")).profit == 1000
    assert figures(journal, NOW, start=at(20), part=(None, None, "a")).end_value == 0


# Prices.


def test_a_price_of_an_own_trade_is_an_estimate_until_a_market_makes_one() -> None:
    journal = Journal().cash("opening", 10_000).trade("AAPL", 10, 100, at(1))
    assert figures(journal, NOW, quotes={"AAPL": 100}).estimated

    journal.close("AAPL", dict.fromkeys(range(1, 40), 100))
    assert not figures(journal, NOW, quotes={"AAPL": 100}).estimated
    assert not figures(journal, NOW, quotes={"AAPL": 100}, start=at(2)).estimated


def test_a_close_lasts_over_a_long_weekend_and_not_longer() -> None:
    def told(days: Iterable[int]) -> bool:
        journal = Journal().cash("opening", 10_000).trade("AAPL", 10, 100, at(0, 1))
        journal.close("AAPL", dict.fromkeys(days, 100))
        return figures(journal, NOW, quotes={"AAPL": 100}).estimated

    assert not told(range(0, 40, 5))
    assert told(range(0, 40, 6))


def test_what_has_no_current_price_is_named_and_valued_at_the_last_known() -> None:
    journal = Journal().cash("opening", 10_000).trade("AAPL", 10, 100, at(1))
    journal.trade("MSFT", 1, 400, at(1)).close("AAPL", {2: 150})

    told = figures(journal, NOW, quotes={"MSFT": 500})

    assert (told.unpriced, told.end_value) == (["AAPL"], 10_000 + 500 + 100)


# A benchmark.


def test_a_benchmark_is_compared_over_the_days_of_its_own_prices() -> None:
    journal = Journal().cash("opening", 10_000).trade("AAPL", 100, 100, at(0, 1))
    prices = {0: 100, 1: 102, 2: 99, 3: 105, 4: 104, 7: 110, 8: 108}
    journal.close("AAPL", prices)
    curve = journal.curve(NOW)
    beside = [Price(curve.days.starts[day + 1], units(price * 2)) for day, price in prices.items()]

    told = figures(journal, NOW, quotes={"AAPL": 108}, benchmark=beside).benchmark

    assert told is not None
    assert told.since == curve.days.starts[1]
    assert told.change == Decimal("0.08")
    assert (told.beta, told.correlation, told.alpha) == (1, 1, 0)


def test_without_prices_a_benchmark_says_nothing() -> None:
    journal = Journal().cash("opening", 10_000)

    told = figures(journal, NOW, benchmark=[]).benchmark

    assert told == (None, None, None, None, None)


# Figures of a known account.


def test_a_year_of_a_known_account() -> None:
    journal = Journal().cash("opening", 10_000).trade("X", 100, 100, at(0, 1))
    closes = {day: 100 + (day % 7) for day in range(730)}
    journal.close("X", closes).trade("X", -50, 106, at(6, 1), fee=2, realized=300)
    journal.cash("dividend", 25, at(100)).cash("fee", -5, at(200))

    told = figures(journal, at(730), quotes={"X": 110})

    assert (told.realized_pnl, told.fees, told.income, told.win_rate) == (300, 7, 25, 1)
    assert told.profit == 300 + 500 + 25 - 7
    assert told.twr == told.simple == Decimal("0.0818")
    assert told.cagr == pytest.approx(Decimal("0.040096"), abs=Decimal("0.00001"))
    assert told.mwr == told.cagr
    assert told.max_drawdown
    assert told.cagr
    assert told.calmar == pytest.approx(told.cagr / -told.max_drawdown, abs=Decimal("0.001"))
    assert told.best_day is not None
    assert told.worst_day is not None
    assert told.best_day.change > 0 > told.worst_day.change
    assert told.exposure == pytest.approx(Decimal("0.49"), abs=Decimal("0.02"))


def test_a_dividend_and_the_fee_for_borrowing_belong_to_their_ticker() -> None:
    journal = Journal().cash("opening", 10_000)
    journal.trade("X", 100, 10, at(1)).trade("Y", -50, 20, at(1))
    journal.pay("dividend", "X", 30, at(2)).pay("fee", "Y", -4, at(3)).cash("interest", 1, at(3))

    told = figures(journal, at(10), quotes={"X": 10, "Y": 20})

    assert (told.income, told.fees, told.profit) == (31, 4, 27)
    assert [(line.ticker, line.profit) for line in told.contributions] == [
        ("X", 30), ("Y", -4), (None, 1)
    ]  # fmt: skip
    assert told.estimated
    part = figures(journal, at(10), quotes={"X": 10, "Y": 20}, part=("X", None, None))
    assert (part.profit, part.income, part.deposits, part.withdrawals) == (30, 30, 1000, 30)


def test_a_dividend_gives_no_price() -> None:
    """A close of before goes on to count, and nothing is estimated for it."""
    journal = Journal().cash("opening", 10_000).trade("X", 10, 100, at(1)).close("X", {3: 120})
    journal.close("X", {1: 110, 2: 115})
    without = figures(journal, at(6))
    told = figures(journal.pay("dividend", "X", 5, at(4)), at(6))
    assert (told.profit, told.estimated) == (without.profit + 5, without.estimated) == (205, False)


def test_a_dividend_takes_no_capital_out_of_a_part() -> None:
    journal = Journal().cash("opening", 10_000).trade("X", 10, 100, at(1))
    journal.pay("dividend", "X", 50, at(2)).trade("X", 10, 100, at(3))
    part = figures(journal, at(4), quotes={"X": 100}, part=("X", None, None))
    assert (part.profit, part.simple) == (50, Decimal("0.025"))


def test_entries_can_be_added_to_those_that_are_known() -> None:
    journal = Journal().cash("opening", 10_000)
    journal.trade("AAPL", 10, 100, at(9)).trade("MSFT", 1, 400, at(3), strategy="a")
    whole = journal.events
    first = replace(journal, trades=journal.trades[:1], booked=2).events

    both = first.followed_by(Entries(3, journal.trades[1:]))

    assert both == replace(whole, texts=both.texts)


@UNHURRIED
@given(TRADES, FLOWS, TRADES, FLOWS)
def test_a_curve_goes_on_as_one_that_is_made_anew(
    trades: list[tuple[str, int, int, str | None]],
    flows: list[tuple[str, Decimal, int]],
    new_trades: list[tuple[str, int, int, str | None]],
    new_flows: list[tuple[str, Decimal, int]],
) -> None:
    """Of entries of the day in progress; others would change the days before it."""
    journal = traded(moved(Journal().cash("opening", 10_000), flows), trades)
    curve = journal.curve(NOW)
    known, lines = journal.booked, {t: list(line.times) for t, line in curve.lines.items()}
    today = sorted((NOW + when % 10**9, t, quantity) for t, quantity, when, _ in new_trades)
    for when, ticker, quantity in today:
        journal.trade(ticker, quantity, PRICES[ticker], when)
    moved(journal, [(kind, amount, NOW + 10**9) for kind, amount, _ in new_flows])
    new = Entries(
        journal.booked,
        [each for each in journal.trades if each.sequence > known],
        [each for each in journal.movements if each.sequence > known],
    )

    longer = followed_by(curve, new)
    anew = journal.curve(NOW)

    if new.first is None:
        assert longer is None
        return
    assert longer is not None
    assert longer.worth_at(longer.end, {}) == anew.worth_at(anew.end, {})
    assert (longer.totals, longer.flows, longer.end) == (anew.totals, anew.flows, anew.end)
    # Whoever still uses the first one is not disturbed.
    assert {ticker: list(line.times) for ticker, line in curve.lines.items()} == lines


@pytest.mark.parametrize(
    "entries",
    [
        lambda j: j.trade("AAPL", 1, 100, at(39)),
        lambda j: j.trade("AAPL", 1, 100, NOW + 9).trade("AAPL", 1, 100, NOW + 5),
        lambda j: j.cash("deposit", 1, at(1)),
        lambda j: j.adjust("stock_split", "AAPL", NOW + 9, numerator=2, denominator=1),
    ],
    ids=["earlier", "out of order", "earlier money", "a split"],
)
def test_a_curve_whose_past_changes_is_made_anew(entries: Any) -> None:
    journal = Journal().cash("opening", 10_000)
    curve = journal.curve(NOW)
    journal.movements.clear()

    assert followed_by(curve, entries(journal).entries) is None
