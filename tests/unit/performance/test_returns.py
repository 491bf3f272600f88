"""The arithmetic of returns: what it says, what it leaves open, and that it always ends."""

import math
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
import pyxirr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paperdesk.portfolio import returns
from paperdesk.portfolio.returns import Flow

AMOUNTS = st.integers(1, 10**15)
SIGNED = st.integers(-(10**15), 10**15)


def test_a_return_is_profit_over_what_was_in() -> None:
    assert returns.simple_return(1, 3) == Decimal("0.333333")
    assert returns.simple_return(-3, 3) == -1
    assert returns.simple_return(0, 3) == 0


@pytest.mark.parametrize("capital", [0, -1])
def test_without_capital_there_is_no_return(capital: int) -> None:
    assert returns.simple_return(5, capital) is None


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1e73, -2e9])
def test_what_says_nothing_is_no_figure(value: float | None) -> None:
    assert returns.figure(value) is None


def test_a_figure_has_six_places_and_no_negative_zero() -> None:
    assert str(returns.figure(-1e-9)) == "0.000000"
    assert returns.figure(0.1234565) == Decimal("0.123456")


def test_the_most_that_was_in_is_the_highest_of_the_sums() -> None:
    assert returns.most_put_in([5, -3, 4, -6, 1]) == 6
    assert returns.most_put_in([-5, 5]) == 0
    assert returns.most_put_in([]) == 0


@given(AMOUNTS, SIGNED)
def test_money_that_comes_or_goes_while_nothing_moves_is_no_growth(before: int, flow: int) -> None:
    capital = before + returns.most_put_in([flow])

    assert returns.growth(before, before + flow, flow, capital, 1) == 1.0


@given(AMOUNTS, st.lists(SIGNED, max_size=6), SIGNED)
def test_no_more_than_everything_is_ever_lost(before: int, flows: list[int], profit: int) -> None:
    came = sum(flows)
    capital = before + returns.most_put_in(flows)

    grown = returns.growth(before, before + came + profit, came, capital, 1)

    assert grown is not None
    assert grown >= 0.0
    assert math.isfinite(grown)


@pytest.mark.parametrize(("capital", "least"), [(0, 0), (-5, 0), (99, 100)])
def test_nothing_grows_from_nothing(capital: int, least: int) -> None:
    assert returns.growth(0, 50, 0, capital, least) is None


@given(st.lists(AMOUNTS, min_size=2, max_size=8))
def test_linking_does_not_depend_on_where_the_cuts_are(values: list[int]) -> None:
    steps = [returns.growth(one, other, 0, one, 1) for one, other in pairwise(values)]

    total = returns.linked(steps)

    assert total == pytest.approx(values[-1] / values[0], rel=1e-12)


def test_stretches_without_growth_are_left_out_of_the_link() -> None:
    assert returns.linked([None, 1.5, None, 2.0]) == 3.0
    assert returns.linked([None, None]) is None
    assert returns.linked([]) is None


def test_less_than_a_year_is_not_told_as_a_year() -> None:
    assert returns.a_year(1.05, 364.9) is None
    assert returns.a_year(1.05, 365) == pytest.approx(0.05)
    assert returns.a_year(1.21, 730) == pytest.approx(0.1)
    assert returns.a_year(0.0, 730) == -1.0
    assert returns.a_year(None, 730) is None


# The money-weighted return.


def dated(flows: list[tuple[int, int]]) -> tuple[list[Flow], list[date], list[float]]:
    """Return flows (day of the year, amount) as ours, and as dates and amounts of an investor."""
    first, last = flows[0][0], flows[-1][0]
    ours = [Flow((day - first) / (last - first), amount) for day, amount in flows]
    dates = [date(2026, 1, 1) + timedelta(days=day) for day, _ in flows]
    return ours, dates, [-float(amount) for _, amount in flows]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 364), st.integers(1, 10**6)), max_size=12),
    st.integers(1, 10**6),
    st.integers(1, 10**8),
)
def test_it_is_the_rate_that_another_library_finds(
    paid: list[tuple[int, int]], first: int, last: int
) -> None:
    ours, dates, amounts = dated([(0, first), *sorted(paid), (365, -last)])

    grown = returns.money_weighted(ours)
    theirs = pyxirr.xirr(dates, amounts)

    assert grown is not None
    if theirs is not None:  # it gives up where nearly all was lost, or much was made of little
        assert grown - 1 == pytest.approx(theirs, rel=1e-6, abs=1e-9)
    if grown:
        worth = sum(flow.amount * grown ** (1 - flow.share) for flow in ours)
        assert worth == pytest.approx(0, abs=1e-6 * max(abs(flow.amount) for flow in ours))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 364), st.integers(-(10**6), 10**6)), max_size=12),
    st.integers(-(10**6), 10**6),
    st.integers(-(10**8), 10**8),
)
@example([(100, -230), (200, 132)], 100, 0)
def test_it_always_ends_and_what_it_finds_is_a_solution(
    paid: list[tuple[int, int]], first: int, last: int
) -> None:
    ours, _, _ = dated([(0, first), *sorted(paid), (365, -last)])

    grown = returns.money_weighted(ours)

    if grown:
        worth = math.fsum(flow.amount * grown ** (1 - flow.share) for flow in ours)
        scale = math.fsum(abs(flow.amount) * grown ** (1 - flow.share) for flow in ours)
        assert abs(worth) <= 1e-6 * scale


def test_without_flows_in_between_it_is_the_plain_growth() -> None:
    assert returns.money_weighted([Flow(0, 100), Flow(1, -125)]) == pytest.approx(1.25)
    assert returns.money_weighted([Flow(0, 100), Flow(1, -100)]) == pytest.approx(1.0, abs=1e-12)


def test_two_solutions_are_no_answer() -> None:
    # 100 x^2 - 230 x + 132 is 0 at 1.1 and at 1.2.
    flows = [Flow(0, 100), Flow(0.5, -230), Flow(1, 132)]

    assert returns.money_weighted(flows) is None


def test_money_that_came_back_for_a_while_leaves_one_answer() -> None:
    flows = [Flow(0, 100), Flow(0.5, -50), Flow(0.6, 50), Flow(1, -110)]

    grown = returns.money_weighted(flows)

    assert grown is not None
    assert 100 * grown - 50 * grown**0.5 + 50 * grown**0.4 == pytest.approx(110)


def test_what_came_in_and_is_gone_has_grown_by_nothing() -> None:
    assert returns.money_weighted([Flow(0, 100), Flow(0.5, 20), Flow(1, 0)]) == 0.0
    assert returns.money_weighted([Flow(0, 100), Flow(1, 5)]) == 0.0


@pytest.mark.parametrize("flows", [[], [Flow(0, 0), Flow(1, 0)], [Flow(0, -5), Flow(1, 6)]])
def test_where_nothing_was_put_in_there_is_no_answer(flows: list[Flow]) -> None:
    assert returns.money_weighted(flows) is None


# Shares that add up.


@given(st.lists(SIGNED, min_size=1, max_size=30), AMOUNTS)
def test_shares_add_up_to_the_rounded_whole(parts: list[int], capital: int) -> None:
    total = returns.simple_return(sum(parts), capital)
    if total is None:  # beyond all reason
        return

    shares = returns.shared_out(total, parts, capital)

    assert sum(shares) == total
    for part, share in zip(parts, shares, strict=True):
        assert abs(share - Decimal(part) / capital) < Decimal("0.000001")
