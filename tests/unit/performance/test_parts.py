"""Parts of an account: each at the prices that all others have, so that they add up."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paperdesk.portfolio.performance.parts import part_of
from support.performing import Journal, at, figures

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
