"""The arithmetic of risk, beside another library's, and where it has no answer."""

import empyrical
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paperdesk.portfolio import risk

DAY = st.floats(-0.2, 0.2).map(lambda x: round(x, 6))
RETURNS = st.lists(DAY, min_size=3, max_size=60)


def levels(returns: list[float]) -> list[float]:
    return [1.0, *np.cumprod(1 + np.array(returns))]


@given(RETURNS)
def test_volatility_is_that_of_another_library(returns: list[float]) -> None:
    theirs = empyrical.annual_volatility(np.array(returns), annualization=365)

    assert risk.volatility(returns) == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@given(RETURNS)
def test_sharpe_and_sortino_are_those_of_another_library(returns: list[float]) -> None:
    assume(np.std(returns) > 1e-6)
    assume(min(returns) < -1e-4)

    assert risk.sharpe(returns) == pytest.approx(
        empyrical.sharpe_ratio(np.array(returns), annualization=365), rel=1e-9, abs=1e-12
    )
    assert risk.sortino(returns) == pytest.approx(
        empyrical.sortino_ratio(np.array(returns), annualization=365), rel=1e-9, abs=1e-12
    )


@given(RETURNS)
def test_the_deepest_fall_is_that_of_another_library(returns: list[float]) -> None:
    fall = risk.max_drawdown(levels(returns))

    theirs = empyrical.max_drawdown(np.array(returns))
    assert (fall.depth if fall else 0.0) == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@given(st.lists(st.tuples(DAY, DAY), min_size=3, max_size=60))
def test_beta_correlation_and_alpha_are_those_of_another_library(
    pairs: list[tuple[float, float]],
) -> None:
    own, other = np.array(pairs).T
    assume(np.std(own) > 1e-6)
    assume(np.std(other) > 1e-6)

    relation = risk.relation(own.tolist(), other.tolist())

    assert relation.beta == pytest.approx(empyrical.beta_aligned(own, other), rel=1e-7, abs=1e-9)
    a_day = empyrical.alpha_aligned(own, other, annualization=1)
    assert relation.alpha == pytest.approx(365 * a_day, rel=1e-7, abs=1e-7)
    assert relation.correlation == pytest.approx(np.corrcoef(own, other)[0, 1], abs=1e-7)


@given(RETURNS, st.integers(366, 5000))
def test_calmar_is_growth_over_fall(returns: list[float], days: int) -> None:
    fall = risk.max_drawdown(levels(returns))

    assert risk.calmar(None, fall) is None
    assert risk.calmar(0.1, None) is None
    if fall and fall.depth < -1e-6:
        assert risk.calmar(days / 1e4, fall) == pytest.approx(days / 1e4 / abs(fall.depth))


def test_a_fall_says_when_it_began_ended_and_was_made_good() -> None:
    curve = [1.0, 1.2, 1.2, 0.9, 1.0, 1.19, 1.3, 1.0]

    assert risk.max_drawdown(curve) == (pytest.approx(-0.25), 2, 3, 6)
    assert risk.max_drawdown(curve[:6]) == (pytest.approx(-0.25), 2, 3, None)


@pytest.mark.parametrize("curve", [[], [1.0], [1.0, 1.0], [1.0, 1.1, 1.2]])
def test_a_curve_that_never_fell_has_no_fall(curve: list[float]) -> None:
    assert risk.max_drawdown(curve) is None


def test_a_fall_to_nothing_is_everything() -> None:
    assert risk.max_drawdown([1.0, 0.0, 0.0]) == (-1.0, 0, 1, None)


@pytest.mark.parametrize("returns", [[], [0.1], [0.0] * 50, [1e-12, 0.0, 0.0]])
def test_what_stands_still_has_no_ratio(returns: list[float]) -> None:
    assert risk.sharpe(returns) is None
    assert risk.sortino(returns) is None


def test_what_only_rose_has_no_downside() -> None:
    assert risk.sortino([0.01, 0.02, 0.0]) is None
    assert risk.sharpe([0.01, 0.02, 0.0]) is not None


@pytest.mark.parametrize(
    ("own", "other"),
    [([0.1, 0.2], [0.1, 0.2]), ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0])],
)
def test_two_days_or_a_benchmark_that_stands_still_say_nothing(
    own: list[float], other: list[float]
) -> None:
    assert risk.relation(own, other) == (None, None, None)


def test_an_account_that_stands_still_does_not_go_with_anything() -> None:
    relation = risk.relation([0.0, 0.0, 0.0], [0.1, -0.1, 0.2])

    assert (relation.beta, relation.correlation, relation.alpha) == (0.0, None, 0.0)
