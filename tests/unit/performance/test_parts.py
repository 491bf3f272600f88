"""Parts of an account: each at the prices that all others have, so that they add up."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paperdesk.portfolio.performance.parts import SOURCE, STRATEGY, part_of
from support.performing import Journal, at, attribution, figures

NOW = at(40)
TICKERS = ("AAPL", "TSLA")
NAMES = ("a", "b", "c")
UNHURRIED = settings(deadline=None)
"""Whole journals are made: on a busy machine one may take long."""
HOURS = st.integers(0, 39 * 24).map(lambda hours: at(0, hours))
TRADES = st.lists(
    st.tuples(
        st.sampled_from(TICKERS),
        st.integers(-20, 20).filter(bool),
        st.integers(1, 500),
        HOURS,
        st.sampled_from(NAMES),
    ),
    max_size=25,
)
CLOSES = st.dictionaries(st.integers(0, 39), st.integers(1, 500), max_size=12)
SPLITS = st.lists(st.tuples(st.sampled_from(TICKERS), HOURS), max_size=2)


def of(strategy: str | None = None, ticker: str | None = None) -> tuple[str | None, ...]:
    return ticker, None, strategy


def crossed(**more: Any) -> Journal:
    """One strategy bought what another sold: the account holds nothing."""
    journal = Journal().cash("opening", 10_000).trade("TSLA", 10, 100, at(1), strategy="a", **more)
    return journal.trade("TSLA", -10, 120, at(3), strategy="b", realized=200)


@UNHURRIED
@given(TRADES, CLOSES, SPLITS)
def test_strategies_are_worth_together_what_the_account_is_at_each_time(
    trades: list[tuple[str, int, int, int, str]],
    closes: dict[int, int],
    splits: list[tuple[str, int]],
) -> None:
    journal = Journal().cash("opening", 50_000).close("TSLA", closes)
    for ticker, quantity, price, when, strategy in trades:
        journal.trade(ticker, quantity, price, when, fee="0.01", strategy=strategy)
    for ticker, when in splits:
        if journal.held(ticker, when):
            journal.adjust("stock_split", ticker, when, numerator=2, denominator=1)
    whole = journal.curve(NOW)
    parts = [part_of(whole, journal.events, *of(name)) for name in NAMES]

    assert [sum(day) for day in zip(*(part.holdings for part in parts), strict=True)] == list(
        whole.holdings
    )
    for start, end, quotes in ((None, None, {"TSLA": "123.45"}), (at(5, 7), at(25, 3), {})):
        told = [
            figures(journal, NOW, start=start, end=end, quotes=quotes, part=part)
            for part in (None, *map(of, NAMES))
        ]
        assert sum(part.profit for part in told[1:]) == told[0].profit
        assert sum(part.end_value for part in told[1:]) == sum(
            figures(journal, NOW, start=start, end=end, quotes=quotes, part=of(ticker=t)).end_value
            for t in TICKERS
        )


def test_what_one_bought_and_another_sold_is_worth_the_same_to_both() -> None:
    journal = crossed()
    for end, price in ((None, 120), (at(2), 100), (at(5), 120)):
        a, b = [figures(journal, NOW, end=end, part=of(name)) for name in "ab"]
        assert (a.end_value, b.end_value) == (10 * price, -10 * price if price > 100 else 0)

    journal.close("TSLA", {6: 150, 7: 90})
    later = [figures(journal, NOW, start=at(6, 8), end=at(7, 8), part=of(name)) for name in "ab"]
    last = [figures(journal, NOW, quotes={"TSLA": 80}, part=of(name)) for name in "ab"]

    assert [part.profit for part in later] == [-600, 600]
    assert [part.profit for part in last] == [-200, 400]
    assert [part.unpriced for part in last] == [[], []]
    assert sum(part.profit for part in last) == figures(journal, NOW).profit == 200


def test_a_trade_of_another_strategy_is_a_price_of_the_day() -> None:
    journal = crossed().trade("TSLA", 1, 300, at(9), strategy="c")
    whole = journal.curve(NOW)
    a, b = [part_of(whole, journal.events, *of(name)) for name in "ab"]
    day = whole.days.place(at(9))

    assert [a.holdings[place] // 10**18 for place in (day - 1, day)] == [1200, 3000]
    assert [one + other for one, other in zip(a.holdings, b.holdings, strict=True)][day] == 0


def test_a_reset_ends_also_what_only_parts_held() -> None:
    journal = crossed().cash("adjustment", "-10200", at(5)).cash("deposit", 10_000, at(5))
    journal.close("TSLA", {4: 130, 6: 500})

    a, b = [figures(journal, NOW, part=of(name)) for name in "ab"]
    after = figures(journal, NOW, start=at(5, 1), part=of("a"))

    assert (a.profit, a.end_value, b.profit, b.end_value) == (300, 0, -100, 0)
    assert (after.start_value, after.profit) == (0, 0)


@UNHURRIED
@given(TRADES, CLOSES, SPLITS, st.lists(st.tuples(st.sampled_from(TICKERS), HOURS), max_size=4))
def test_profits_of_all_parts_and_the_rest_are_that_of_the_account(
    trades: list[tuple[str, int, int, int, str]],
    closes: dict[int, int],
    splits: list[tuple[str, int]],
    income: list[tuple[str, int]],
) -> None:
    """With shares and prices of all the places that there are, so that each value is rounded."""
    journal = Journal().cash("opening", 50_000)
    journal.close("TSLA", {day: f"{close}.123456789" for day, close in closes.items()})
    for ticker, quantity, price, when, strategy in trades:
        none = None if strategy == "c" else strategy
        journal.trade(ticker, f"{quantity}.3333333", price, when, fee="0.01", strategy=none)
    for number, (ticker, when) in enumerate(income):
        journal.cash(("interest", "fee", "deposit", "interest")[number], "-1.234567", when)
        journal.pay(("dividend", "fee")[number % 2], ticker, ("2.5", "-0.75")[number % 2], when)
    for ticker, when in splits:
        journal.adjust("stock_split", ticker, when, numerator=3, denominator=7)
        journal.adjust("transfer", ticker, when, quantity="0.123456789", cost=7)
    quotes = {"TSLA": "123.456789123", "AAPL": "0.987654321"}

    for start, end in ((None, None), (at(5, 7), None), (at(5, 7), at(25, 3))):
        whole = figures(journal, NOW, start=start, end=end, quotes=quotes)
        for label in (STRATEGY, SOURCE):
            told = attribution(journal, NOW, label, start=start, end=end, quotes=quotes)
            parts = [*told.parts, told.rest]
            assert sum(part.profit for part in parts) == told.profit == whole.profit
            assert sum(part.fees for part in parts) == whole.fees
            assert sum(part.income for part in parts) == whole.income
            until = journal.booked * at(99) if end is None else end
            booked = [t for t in journal.trades if (start or 0) <= t.at < until]
            assert sum(part.trades for part in told.parts) == len(booked)
            if label == STRATEGY:
                for part in told.parts:
                    if part.name is not None:
                        same = figures(
                            journal, NOW, start=start, end=end, quotes=quotes, part=of(part.name)
                        )
                        assert part[1:6] == (
                            same.profit, same.realized_pnl, same.income, same.fees, same.end_value
                        )  # fmt: skip


def test_what_belongs_to_no_trade_is_the_rest_and_what_has_no_strategy_a_part() -> None:
    journal = crossed(source="replay").trade("AAPL", 5, 50, at(4), fee=1)
    journal.cash("interest", 3, at(5)).cash("fee", -2, at(6))
    journal.adjust("transfer", "MSFT", at(7), quantity=1, cost=100)
    quotes = {"TSLA": 110, "AAPL": 60, "MSFT": 140}

    told = attribution(journal, NOW, STRATEGY, quotes=quotes)
    by_source = attribution(journal, NOW, SOURCE, quotes=quotes)
    later = attribution(journal, NOW, STRATEGY, start=at(10), quotes=quotes)

    assert told.profit == 290
    assert told.parts == [
        ("a", 100, 0, 0, 0, 1100, 1),
        ("b", 100, 0, 0, 0, -1100, 1),
        (None, 49, 0, 0, 1, 300, 1),
    ]
    assert told.rest == (41, 3, 2, 140)
    assert [(part.name, part.profit, part.trades) for part in by_source.parts] == [
        ("api", 149, 2),
        ("replay", 100, 1),
    ]
    assert [(part.name, part.trades) for part in later.parts] == [("b", 0), (None, 0), ("a", 0)]
    assert told.unpriced == []


def test_a_part_that_neither_traded_nor_held_is_left_out() -> None:
    journal = Journal().cash("opening", 10_000).trade("AAPL", 5, 50, at(1), strategy="a")
    journal.trade("AAPL", -5, 51, at(2), strategy="a", realized=5)

    assert attribution(journal, NOW, STRATEGY, start=at(3)).parts == []
    assert attribution(journal, NOW, STRATEGY).parts == [("a", 5, 5, 0, 0, 0, 2)]
    assert attribution(journal, NOW, STRATEGY, end=at(2)).rest == (Decimal(0),) * 4


def test_a_part_goes_on_under_a_new_symbol_and_takes_its_split() -> None:
    journal = Journal().cash("opening", 10_000).trade("FB", 10, 100, at(1), strategy="a")
    journal.adjust("symbol_change", "FB", at(5), to="META")
    journal.adjust("stock_split", "META", at(6), numerator=2, denominator=1)
    quotes = {"META": 70}

    told = attribution(journal, NOW, STRATEGY, quotes=quotes)

    assert told.parts == [("a", 400, 0, 0, 0, 1400, 1)]
    assert told.rest == (0, 0, 0, 0)
    assert figures(journal, NOW, quotes=quotes, part=of("a")).end_value == 1400
