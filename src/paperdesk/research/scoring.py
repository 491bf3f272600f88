"""How the stocks of a domain score against each other. Pure; docs/research.md has the formulas."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

WINDOW: Final = 21
"""Observations that count at the most: the newest, and twenty before it."""


class Factor(StrEnum):
    """What a score is made of."""

    momentum = "momentum"
    relative_strength = "relative_strength"
    volatility = "volatility"
    volume_change = "volume_change"


WEIGHTS: Final[Mapping[Factor, Decimal]] = {
    Factor.momentum: Decimal("0.35"),
    Factor.relative_strength: Decimal("0.25"),
    Factor.volatility: Decimal("0.25"),
    Factor.volume_change: Decimal("0.15"),
}
"""How much each factor counts; together 1."""

NEUTRAL: Final = Decimal(50)
"""The percentile of a factor that is missing, and of a stock that stands alone."""

_BEST: Final = Decimal(100)
_LESS_IS_BETTER: Final = frozenset({Factor.volatility})
_LEAST_RETURNS: Final = 2
_EXACT: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)
_VALUE_PLACES: Final = Decimal("0.000000001")
_SCORE_PLACES: Final = Decimal("0.0001")

Values = dict[Factor, Decimal]
Name = TypeVar("Name", bound=str)


class Observation(NamedTuple):
    """A stock at one instant.

    `close` in US dollars, above zero. `pace` is how many shares change hands in a unit of time,
    None if that is not known; the unit is the same throughout a series.
    """

    close: Decimal
    pace: Decimal | None


class Measure(NamedTuple):
    """A factor of a stock: its value, None if it is missing, and its percentile, 0 to 100."""

    value: Decimal | None
    percentile: Decimal


@dataclass(frozen=True, slots=True)
class Scored:
    """A stock's score, 0 to 100, its rank in the domain, from 1, and what they are made of."""

    ticker: str
    score: Decimal
    rank: int
    factors: Mapping[Factor, Measure]


def scored(domain: Mapping[str, Sequence[Observation]]) -> list[Scored]:
    """Score the stocks of a domain, the best first. Each has its observations, oldest first."""
    with localcontext(_EXACT):
        values = _measured({ticker: series[-WINDOW:] for ticker, series in domain.items()})
        percentiles = {factor: _percentiles(factor, values) for factor in Factor}
        scores = {
            ticker: sum(
                (WEIGHTS[factor] * percentiles[factor].get(ticker, NEUTRAL) for factor in Factor),
                Decimal(0),
            ).quantize(_SCORE_PLACES)
            for ticker in domain
        }
        return [
            Scored(
                ticker,
                scores[ticker],
                rank,
                {
                    factor: Measure(
                        values[ticker].get(factor),
                        percentiles[factor].get(ticker, NEUTRAL).quantize(_SCORE_PLACES),
                    )
                    for factor in Factor
                },
            )
            for rank, ticker in enumerate(ranked(scores), start=1)
        ]


def ranked(scores: Mapping[Name, Decimal]) -> list[Name]:
    """Return the tickers by score, the highest first; those with equal scores by name."""
    return sorted(scores, key=lambda ticker: (-scores[ticker], ticker))


def _measured(domain: Mapping[str, Sequence[Observation]]) -> dict[str, Values]:
    """Return the factors of each stock, without those that its history is too short for."""
    longest = max(map(len, domain.values()), default=0)
    values = {
        # Two weeks say nothing beside the two months of another.
        ticker: _alone(series) if 2 * len(series) >= longest else {}
        for ticker, series in domain.items()
    }
    strengths = [each[Factor.relative_strength] for each in values.values() if each]
    if strengths:
        usual = _mean(strengths)
        for each in filter(None, values.values()):
            each[Factor.relative_strength] = each[Factor.relative_strength] / usual - 1
    return {
        ticker: {factor: value.quantize(_VALUE_PLACES) for factor, value in each.items()}
        for ticker, each in values.items()
    }


def _alone(series: Sequence[Observation]) -> Values:
    """Return what a stock is by itself; its relative strength is Levy's, not yet its domain's."""
    closes = [each.close for each in series]
    found: Values = {}
    if len(closes) < 2:  # noqa: PLR2004 - a change has two ends
        return found
    found[Factor.momentum] = closes[-1] / closes[0] - 1
    found[Factor.relative_strength] = closes[-1] / _mean(closes)
    returns = [later / earlier - 1 for earlier, later in pairwise(closes)]
    if len(returns) >= _LEAST_RETURNS:
        found[Factor.volatility] = _deviation(returns)
    *before, now = (each.pace for each in series)
    known = [pace for pace in before if pace is not None]
    if now is not None and known and (usual := _mean(known)) > 0:
        found[Factor.volume_change] = now / usual - 1
    return found


def _percentiles(factor: Factor, values: Mapping[str, Values]) -> dict[str, Decimal]:
    """Return where each stock that has a factor stands among the others that do, 0 to 100."""
    found = {ticker: each[factor] for ticker, each in values.items() if factor in each}
    if len(found) == 1:
        return dict.fromkeys(found, NEUTRAL)
    ordered = sorted(found.values())
    first: dict[Decimal, int] = {}
    count: dict[Decimal, int] = {}
    for place, value in enumerate(ordered):
        first.setdefault(value, place)
        count[value] = count.get(value, 0) + 1
    result: dict[str, Decimal] = {}
    for ticker, value in found.items():
        worse_than_it = first[value] + Decimal(count[value] - 1) / 2
        percentile = _BEST * worse_than_it / (len(found) - 1)
        result[ticker] = _BEST - percentile if factor in _LESS_IS_BETTER else percentile
    return result


def _mean(values: Iterable[Decimal]) -> Decimal:
    found = list(values)
    return sum(found, Decimal(0)) / len(found)


def _deviation(values: Sequence[Decimal]) -> Decimal:
    """Return the standard deviation of a sample."""
    mean = _mean(values)
    return (sum(((v - mean) ** 2 for v in values), Decimal(0)) / (len(values) - 1)).sqrt()
