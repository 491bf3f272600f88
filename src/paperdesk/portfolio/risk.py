"""The arithmetic of risk, from the returns of days. Pure: no database, clock, input or output.

Returns are fractions (0.05 is 5 %). All of it is statistics, so floats; what has no answer is None,
never NaN. `docs/performance.md` says where each formula comes from.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import Final, NamedTuple

from paperdesk.portfolio.returns import DAYS_A_YEAR

FEWEST: Final = 2
"""Returns without which there is no deviation."""

FEWEST_PAIRS: Final = 3
"""Pairs of returns without which there is no relation: two always lie on a line."""

_STILL: Final = 5e-7
"""A volatility that is answered as 0: nothing is divided by it."""


class Drawdown(NamedTuple):
    """The deepest fall: by which fraction (0 or less), and the places of its points.

    `recovered` is the first place at which the peak was reached again, None while it was not.
    """

    depth: float
    peak: int
    trough: int
    recovered: int | None


class Relation(NamedTuple):
    """How returns go with those of a benchmark; `alpha` is a year's."""

    beta: float | None
    correlation: float | None
    alpha: float | None


def max_drawdown(levels: Sequence[float]) -> Drawdown | None:
    """Return the deepest fall of a curve from its highest point so far; None where it never fell.

    The first of several that are equally deep.
    """
    peaks = list(accumulate(levels, max))
    depths = [
        level / peak - 1.0 if peak > 0 else 0.0 for level, peak in zip(levels, peaks, strict=True)
    ]
    depth = min(depths, default=0.0)
    if depth >= 0:
        return None
    trough = depths.index(depth)
    top = peaks[trough]
    recovered = (at for at in range(trough + 1, len(levels)) if levels[at] >= top)
    # The last time it stood that high before it fell.
    peak = max(at for at in range(trough) if levels[at] == top)
    return Drawdown(depth, peak, trough, next(recovered, None))


def volatility(returns: Sequence[float], a_year: float = DAYS_A_YEAR) -> float | None:
    """Return the standard deviation (of a sample, so n - 1) of returns, a year; None for too few.

    `a_year` is how many such returns a year has.
    """
    if len(returns) < FEWEST:
        return None
    mean = math.fsum(returns) / len(returns)
    squares = math.fsum((each - mean) ** 2 for each in returns)
    return math.sqrt(squares / (len(returns) - 1) * a_year)


def sharpe(returns: Sequence[float], a_year: float = DAYS_A_YEAR) -> float | None:
    """Return the mean return a year over the volatility; the risk-free rate is 0.

    None where there is no volatility.
    """
    return _over(returns, volatility(returns, a_year), a_year)


def sortino(returns: Sequence[float], a_year: float = DAYS_A_YEAR) -> float | None:
    """Return the mean return a year over the downside deviation a year; the target is 0.

    None where nothing fell.
    """
    if len(returns) < FEWEST:
        return None
    squares = math.fsum(min(each, 0.0) ** 2 for each in returns)
    return _over(returns, math.sqrt(squares / len(returns) * a_year), a_year)


def calmar(cagr: float | None, drawdown: Drawdown | None) -> float | None:
    """Return the growth a year over the deepest fall; None where there is no one or the other."""
    if cagr is None or drawdown is None or drawdown.depth > -_STILL:
        return None
    return cagr / -drawdown.depth


def relation(
    returns: Sequence[float], benchmark: Sequence[float], a_year: float = DAYS_A_YEAR
) -> Relation:
    """Return how returns go with those of a benchmark over the same stretches of time.

    `beta` is their covariance over the benchmark's variance, `alpha` what the mean return is above
    beta x the benchmark's mean (Jensen), a year. None where one of them stands still.
    """
    count = len(returns)
    if count < FEWEST_PAIRS:
        return Relation(None, None, None)
    own_mean, mean = math.fsum(returns) / count, math.fsum(benchmark) / count
    own = [each - own_mean for each in returns]
    other = [each - mean for each in benchmark]
    squares, own_squares = math.fsum(map(mul, other, other)), math.fsum(map(mul, own, own))
    together = math.fsum(map(mul, own, other))
    if math.sqrt(squares / count * a_year) < _STILL:
        return Relation(None, None, None)
    beta = together / squares
    correlation = None
    if math.sqrt(own_squares / count * a_year) >= _STILL:
        correlation = max(-1.0, min(1.0, together / math.sqrt(squares * own_squares)))
    return Relation(beta, correlation, (own_mean - beta * mean) * a_year)


def _over(returns: Sequence[float], deviation: float | None, a_year: float) -> float | None:
    if deviation is None or deviation < _STILL:
        return None
    return math.fsum(returns) / len(returns) * a_year / deviation
