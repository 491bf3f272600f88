"""The arithmetic of returns. Pure: no database, no clock, no input or output.

Amounts are whole numbers of any one unit, as long as it is the same for all; returns are fractions
(0.05 is 5 %). They are ratios, so they are floats inside; a ratio of two whole numbers is rounded
once, and equal amounts give exactly 0. `docs/performance.md` says where each formula comes from.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from paperdesk.ledger.booking import EXACT

PLACES: Final = Decimal("0.000001")
LARGEST: Final = 1e9
"""A figure beyond it says nothing any more, and is none."""

DAYS_A_YEAR: Final = 365.0

_NARROWEST: Final = 1e-13
_STEPS: Final = 200
_WIDEST: Final = 46.0
"""Growth is looked for between e ** -46 and e ** 46, which is about 10 ** -20 and 10 ** 20."""
_LOOKS: Final = 512
_MOST_LOOKED_AT: Final = 500_000
"""Powers that looking for further solutions may take: some tenths of a second."""


class Flow(NamedTuple):
    """Money that came in (positive) or went out, and when: `share` of the span had passed, 0 to 1.

    The value at the start is the first flow in, that at the end the last flow out.
    """

    share: float
    amount: int


def figure(value: float | None) -> Decimal | None:
    """Return a figure to 6 places, half to even; None for none, and for one beyond all reason."""
    if value is None or not math.isfinite(value) or abs(value) > LARGEST:
        return None
    return Decimal(value).quantize(PLACES, ROUND_HALF_EVEN, EXACT) + 0


def simple_return(profit: int, capital: int) -> Decimal | None:
    """Return profit / capital to 6 places; None where there was no capital.

    `capital` is the most that was in at once, see `most_put_in`.
    """
    if capital <= 0:
        return None
    ratio = EXACT.divide(Decimal(profit), Decimal(capital))
    if abs(ratio) > LARGEST:
        return None
    return ratio.quantize(PLACES, ROUND_HALF_EVEN, EXACT) + 0


def most_put_in(flows: Iterable[int]) -> int:
    """Return how much the sum of flows, in their order, was above 0 at its highest; 0 if never."""
    return max(0, max(accumulate(flows), default=0))


def growth(before: int, after: int, flow: int, capital: int, least: int) -> float | None:
    """Return by what factor capital grew over a stretch with flows at unknown values.

    `before` and `after` are the values at its ends, `flow` what came in less what went out.
    `capital` is what was there at the start and the most that was put in on top: as if it came
    before anything moved, and what went out left after. Nothing can be lost that was not there, so
    the factor is at least 0. None where the capital is less than `least`, or nothing.
    """
    if capital < least or capital <= 0:
        return None
    return max(0.0, (capital + after - before - flow) / capital)


def linked(growths: Iterable[float | None]) -> float | None:
    """Return the growth over all stretches; None where none of them has one.

    The time-weighted return is it less 1: flows between the stretches leave no trace.
    """
    known = [each for each in growths if each is not None]
    return math.prod(known) if known else None


def a_year(total: float | None, days: float) -> float | None:
    """Return the return a year that leads to the growth `total` in so many days.

    None for less than a year: there it would say what a few days, again and again, would make.
    """
    if total is None or days < DAYS_A_YEAR:
        return None
    return total ** (DAYS_A_YEAR / days) - 1.0 if total > 0 else -1.0


def money_weighted(flows: Sequence[Flow]) -> float | None:
    """Return the growth over the span at which all flows together are worth nothing at its end.

    That is the internal rate of return, with the span as its unit of time. `flows` are in order of
    time, the value at the start first (in), that at the end last (out, so negative). None where
    there is no such growth, or not just one, or where money went out before any had come in. What
    came in and was lost as a whole has grown by 0.
    """
    given = [flow for flow in flows if flow.amount]
    if not given or given[0].amount < 0:
        return None
    if all(flow.amount > 0 for flow in given):
        return 0.0
    scale = float(max(abs(flow.amount) for flow in given))
    left = [1.0 - flow.share for flow in given]
    amounts = [flow.amount / scale for flow in given]

    def worth(exponent: float) -> float:
        """Return what the flows are worth at the end, each grown by e ** (exponent x the rest)."""
        return math.fsum(
            amount * math.exp(exponent * rest) for amount, rest in zip(amounts, left, strict=True)
        )

    between = _bracket(worth)
    if between is None:
        # Less than 10 ** -20 of it is left: nothing.
        return 0.0 if worth(-_WIDEST) > 0 and worth(_WIDEST) > 0 and amounts[-1] < 0 else None
    exponent = _root(worth, *between)
    if _changes(amounts) == 1 or _stays_invested(amounts, left, exponent):
        return math.exp(exponent)
    is_bearable = _LOOKS * len(given) <= _MOST_LOOKED_AT
    return math.exp(exponent) if is_bearable and _solutions(worth) == 1 else None


def _bracket(worth: Callable[[float], float]) -> tuple[float, float] | None:
    """Return exponents, around 0 and as narrow as may be, at which the worth has two signs."""
    at_zero = worth(0.0)
    reach = 1e-6
    while reach < _WIDEST * 2:
        for edge in (min(reach, _WIDEST), max(-reach, -_WIDEST)):
            value = worth(edge)
            if (value > 0) != (at_zero > 0) or not value:
                return (0.0, edge) if edge > 0 else (edge, 0.0)
        reach *= 4
    return None


def _root(worth: Callable[[float], float], low: float, high: float) -> float:
    """Return where the worth is 0 between two exponents at which its signs differ.

    The Illinois method (Dowell and Jarratt, 1971), with bisection whenever it does not halve what
    is left: so it always ends.
    """
    at_low, at_high = worth(low), worth(high)
    kept = 0
    for step in range(_STEPS):
        if not at_low or not at_high or high - low < _NARROWEST:
            break
        middle = (low + high) / 2
        if step % 3 != 2:  # noqa: PLR2004 - every third step
            guess = high - at_high * (high - low) / (at_high - at_low)
            middle = guess if low < guess < high else middle
        value = worth(middle)
        if (value > 0) == (at_high > 0):
            high, at_high = middle, value
            at_low = at_low / 2 if kept == 1 else at_low
            kept = 1
        else:
            low, at_low = middle, value
            at_high = at_high / 2 if kept == -1 else at_high
            kept = -1
    return low if not at_low else high if not at_high else (low + high) / 2


def _changes(amounts: Sequence[float]) -> int:
    """Return how often the sign changes: there are no more solutions than that (Descartes)."""
    signs = [amount > 0 for amount in amounts]
    return sum(one != other for one, other in pairwise(signs))


def _stays_invested(amounts: Sequence[float], left: Sequence[float], exponent: float) -> bool:
    """Say whether at this growth never more was taken out than was there: then it is the only one.

    Teichroew, Robichek and Montalbano, "An Analysis of Criteria for Investment and Financing
    Decisions under Certainty", Management Science 12 (1965).
    """
    balance, before = 0.0, 1.0
    for amount, rest in zip(amounts[:-1], left[:-1], strict=True):
        balance = balance * math.exp(exponent * (before - rest)) + amount
        before = rest
        if balance < 0:
            return False
    return True


def _solutions(worth: Callable[[float], float]) -> int:
    """Return how many solutions are found by looking at as many exponents as is bearable."""
    edges = [_WIDEST * (2 * n / _LOOKS - 1) ** 3 for n in range(_LOOKS + 1)]
    signs = [value > 0 for value in map(worth, edges) if value]
    return sum(one != other for one, other in pairwise(signs))


def shared_out(total: Decimal, parts: Sequence[int], capital: int) -> list[Decimal]:
    """Return each part / capital to 6 places, so that they add up to `total`, their rounded sum.

    Each is rounded down, and what is missing goes by millionths to those that lost most by it (the
    method of the largest remainder, of Hare and Niemeyer).
    """
    shares = [divmod(part * 10**6, capital) for part in parts]
    missing = int(EXACT.scaleb(total, 6)) - sum(share for share, _ in shares)
    order = sorted(range(len(parts)), key=lambda n: shares[n][1], reverse=True)
    extra = set(order[:missing])
    return [EXACT.scaleb(Decimal(share + (n in extra)), -6) for n, (share, _) in enumerate(shares)]
