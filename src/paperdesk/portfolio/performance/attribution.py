"""What each source, or each strategy, made of an account, and what belongs to none. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from paperdesk.portfolio.performance.curve import Curve
from paperdesk.portfolio.performance.events import Events
from paperdesk.portfolio.performance.figures import Money, Span, dollars, money_of


class Share(NamedTuple):
    """What a part made, in dollars, from how many trades; without a name what had none.

    `end_value` is what it holds at the end.
    """

    name: str | None
    profit: Decimal
    realized_pnl: Decimal
    income: Decimal
    fees: Decimal
    end_value: Decimal
    trades: int


class Rest(NamedTuple):
    """What no trade made: interest, fees of the account, shares that were transferred in."""

    profit: Decimal
    income: Decimal
    fees: Decimal
    end_value: Decimal


class Attribution(NamedTuple):
    """The profit of a span, by parts that add up to it with the rest."""

    profit: Decimal
    parts: Sequence[Share]
    rest: Rest
    unpriced: Sequence[str]


class _Made(NamedTuple):
    name: str | None
    money: Money
    end_value: int
    trades: int


def attribution_of(
    whole: Curve,
    parts: Mapping[str | None, Curve],
    span_of: Callable[[Curve], Span],
    trades: Mapping[str | None, int],
) -> Attribution:
    """Return what parts made in a span of the whole; those that did and held nothing are left out.

    `trades` has how many trades of the span each has.
    """
    span = span_of(whole)
    total = money_of(whole, span)
    made: list[_Made] = []
    unpriced = set(span.at_end.unpriced)
    for name, curve in parts.items():
        own = span_of(curve)
        is_shown = own.at_start.values or own.at_end.values
        if is_shown or curve.flows_between(own.start, own.until):
            made.append(_Made(name, money_of(curve, own), own.at_end.told, trades.get(name, 0)))
            unpriced.update(own.at_end.unpriced)
    made.sort(key=lambda part: (-part.money.profit, part.name is None, part.name or ""))
    # What rounding each part on its own leaves is here too, so that it is exact.
    return Attribution(
        dollars(total.profit),
        [_share(part) for part in made],
        Rest(
            dollars(total.profit - sum(part.money.profit for part in made)),
            dollars(total.income - sum(part.money.income for part in made)),
            dollars(total.fees - sum(part.money.fees for part in made)),
            dollars(sum(span.at_end.values.values()) - sum(part.end_value for part in made)),
        ),
        sorted(unpriced),
    )


def trades_by(events: Events, label: int, start: int, until: int | None) -> dict[str | None, int]:
    """Return how many trades each source or strategy has between two instants, or from one on."""
    at = events.columns[0]
    first, end = bisect_left(at, start), len(at) if until is None else bisect_left(at, until)
    counted = Counter(events.columns[label][first:end])
    return {events.text(code): count for code, count in counted.items()}


def _share(part: _Made) -> Share:
    money = part.money
    return Share(
        part.name,
        dollars(money.profit),
        dollars(money.realized),
        dollars(money.income),
        dollars(money.fees),
        dollars(part.end_value),
        part.trades,
    )
