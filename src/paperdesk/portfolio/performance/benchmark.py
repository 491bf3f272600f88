"""A benchmark: its prices over a span, and how a curve goes with it. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from paperdesk.portfolio import returns, risk
from paperdesk.portfolio.performance.events import A_DAY, Days
from paperdesk.portfolio.performance.lines import Price
from paperdesk.portfolio.returns import figure


class Beside(NamedTuple):
    """A benchmark: its return since it had a price, and how the curve goes with it."""

    since: int | None
    change: Decimal | None
    beta: Decimal | None
    correlation: Decimal | None
    alpha: Decimal | None


def beside(prices: Sequence[Price], levels: Mapping[int, float], cut: Collection[int]) -> Beside:
    """Set a curve beside a benchmark. Days without a price of it count with the next that has one.

    `levels` are those of the curve, by instant, and have those of all prices but the first. What of
    a day is in the span, but not all of it, or before the first price, counts for the return of the
    benchmark alone: such days begin or end at the instants in `cut`.
    """
    if len(prices) < 2:  # noqa: PLR2004 - a return needs two
        return Beside(prices[0].at if prices else None, None, None, None, None)
    own: list[float] = []
    other: list[float] = []
    days = 0.0
    if prices[0].at not in levels:
        cut = {*cut, prices[0].at}
    for one, following in pairwise(prices):
        if one.at not in cut and following.at not in cut and levels[one.at]:
            own.append(levels[following.at] / levels[one.at] - 1.0)
            other.append(following.price / one.price - 1.0)
            days += (following.at - one.at) / A_DAY
    relation = risk.relation(own, other, returns.DAYS_A_YEAR * len(own) / days if days else 0.0)
    return Beside(
        prices[0].at,
        returns.simple_return(prices[-1].price - prices[0].price, prices[0].price),
        figure(relation.beta),
        figure(relation.correlation),
        figure(relation.alpha),
    )


def benchmark_prices(
    closes: Iterable[Price],
    days: Days,
    span: tuple[int, int],
    *,
    first: Price | None,
    last: Price | None,
) -> list[Price]:
    """Return the prices of a benchmark: at the start of a span, at the ends of days, at its end.

    `closes` are those of complete days, in their order; `first` and `last` are what was known at
    the start and at the end. Each is dated to the instant that it stands for; the first one, where
    it was known only later, to that.
    """
    start, end = span
    found = [first._replace(at=max(start, first.at))] if first else []
    for close in closes:
        place = days.place(close.at - 1)
        since = found[0].at if found else start
        if place < days.complete and since < days.starts[place + 1] < end:
            found.append(close._replace(at=days.starts[place + 1]))
    if last is not None and (found[-1].at if found else start) < end:
        found.append(last._replace(at=end))
    return found
