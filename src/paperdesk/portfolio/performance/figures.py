"""The figures of a range of a curve. Pure: no database, no clock, no input or output.

`docs/performance.md` says what each figure is, and where its formula comes from.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Final, NamedTuple

from paperdesk.ledger.booking import EXACT
from paperdesk.portfolio import returns, risk
from paperdesk.portfolio.performance.benchmark import Beside, beside
from paperdesk.portfolio.performance.curve import FLOWS, Curve, Flow, Worth, by_day, put_in
from paperdesk.portfolio.performance.events import A_DAY, PER_MONEY, Days
from paperdesk.portfolio.performance.lines import Line, Price
from paperdesk.portfolio.returns import figure

LEAST: Final = 10**18
"""A dollar. An account with less has no return: a dividend would multiply it."""

_INCOME: Final = frozenset({"dividend", "interest"})
_MOST_FLOWS: Final = 1_000
"""Flows that are weighted by their own times; more are weighted by day."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a curve: its instants, and the worth at both. `until` bounds what counts.

    It is None where everything that was booked counts, whatever its time.
    """

    start: int
    end: int
    until: int | None
    at_start: Worth
    at_end: Worth
    whole_at_end: Worth


class Day(NamedTuple):
    """A day (its place) and its return."""

    place: int
    change: Decimal


class Contribution(NamedTuple):
    """What a ticker made, in dollars, and as a part of the simple return; cash has no ticker."""

    ticker: str | None
    profit: Decimal
    contribution: Decimal | None


class Fall(NamedTuple):
    """When the deepest fall began, ended and was made good again."""

    peak_at: int | None = None
    trough_at: int | None = None
    recovered_at: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is said of a range. Amounts in dollars, times in microseconds."""

    simple: Decimal | None
    twr: Decimal | None
    mwr: Decimal | None
    cagr: Decimal | None
    max_drawdown: Decimal | None
    drawdown: Fall
    volatility: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None
    calmar: Decimal | None
    win_rate: Decimal | None
    exposure: Decimal | None
    best_day: Day | None
    worst_day: Day | None
    deposits: Decimal
    withdrawals: Decimal
    profit: Decimal
    realized_pnl: Decimal
    fees: Decimal
    income: Decimal
    start_value: Decimal
    end_value: Decimal
    estimated: bool
    unpriced: Sequence[str]
    contributions: Sequence[Contribution]
    benchmark: Beside | None
    days: int


class _Stretch(NamedTuple):
    """A day, or what of it is in the range: its place, its end, its growth, is it whole."""

    place: int
    end: int
    growth: float | None
    is_whole: bool


def figures_of(curve: Curve, span: Span, benchmark: Sequence[Price] | None) -> Figures:
    """Return the figures of a span. `benchmark` are the prices of one at the ends of days.

    The first of them is the last one known at the start of the span, where there is one.
    """
    stretches = list(_stretches(curve, span))
    levels = list(accumulate((s.growth for s in stretches), _grown, initial=1.0))
    total = returns.linked(stretch.growth for stretch in stretches)
    fall = risk.max_drawdown(levels) if total is not None else None
    length = (span.end - span.start) / A_DAY
    cagr = returns.a_year(total, length)
    whole_days = [s.growth - 1.0 for s in stretches if s.is_whole and s.growth is not None]
    money = money_of(curve, span)
    grown = [(s.growth, s.place) for s in stretches if s.growth is not None]
    instants = [span.start, *(stretch.end for stretch in stretches)]
    return Figures(
        simple=money.simple,
        twr=_change(total),
        mwr=_money_weighted(curve, span),
        cagr=figure(cagr),
        max_drawdown=figure(fall.depth if fall else None if total is None else 0.0),
        drawdown=Fall(
            instants[fall.peak],
            instants[fall.trough],
            None if fall.recovered is None else instants[fall.recovered],
        )
        if fall
        else Fall(),
        volatility=figure(risk.volatility(whole_days)),
        sharpe=figure(risk.sharpe(whole_days)),
        sortino=figure(risk.sortino(whole_days)),
        calmar=figure(risk.calmar(cagr, fall)),
        win_rate=money.win_rate,
        exposure=_exposure(curve, span, stretches),
        best_day=_day(max(grown, default=None)),
        worst_day=_day(min(grown, default=None)),
        deposits=dollars(money.came),
        withdrawals=dollars(money.went),
        profit=dollars(money.profit),
        realized_pnl=dollars(money.realized),
        fees=dollars(money.fees),
        income=dollars(money.income),
        start_value=dollars(span.at_start.told),
        end_value=dollars(span.at_end.told),
        estimated=_is_estimated(curve, span, stretches),
        unpriced=span.at_end.unpriced,
        contributions=money.contributions,
        benchmark=None if benchmark is None else _beside(benchmark, span, stretches),
        days=len(stretches),
    )


def _stretches(curve: Curve, span: Span) -> Iterator[_Stretch]:
    """Give the days of a span, the first and the last as far as they are in it.

    A day that the curve began in is whole: before, there was nothing.
    """
    if span.end <= span.start:
        return
    starts = curve.days.starts
    first = bisect_right(starts, span.start)
    last = bisect_left(starts, span.end) - 1
    begun = span.start <= curve.first or starts[first - 1] == span.start
    before = span.at_start.total, span.at_start.capital
    if last < first:
        after = span.at_end.total
        growth = _growth(curve, before, after, curve.flows_between(span.start, span.until))
        whole = begun and first < len(starts) and starts[first] == span.end
        yield _Stretch(curve.days.place(span.start), span.end, growth, whole)
        return
    of_day = dict(by_day(curve.flows, curve.days))
    flows = curve.flows_between(span.start, starts[first])
    for place in range(max(0, first - 1), last):
        after = curve.totals[place]
        growth = _growth(curve, before, after, flows)
        yield _Stretch(place, starts[place + 1], growth, begun)
        before, begun = (after, curve.capitals[place]), True
        flows = of_day.get(place + 1, ())
    growth = _growth(
        curve, before, span.at_end.total, curve.flows_between(starts[last], span.until)
    )
    is_whole = last + 1 < len(starts) and starts[last + 1] == span.end
    yield _Stretch(last, span.end, growth, is_whole)


def _growth(
    curve: Curve, before: tuple[int, int], after: int, flows: Sequence[Flow]
) -> float | None:
    """Return the growth of a stretch: flow by flow where it is known what the account was worth."""
    total, capital = before
    least = LEAST if curve.whole is None else 1
    if not flows:
        return returns.growth(total, after, 0, capital, least)
    if curve.whole is not None or any(f.at not in curve.known for f in flows):
        came = sum(flow.amount for flow in flows) * PER_MONEY
        return returns.growth(total, after, came, capital + put_in(flows) * PER_MONEY, least)
    parts: list[float | None] = []
    at = None
    for flow in flows:
        if flow.at != at:
            at = flow.at
            parts.append(returns.growth(total, curve.known[at], 0, total, least))
            total = curve.known[at]
        total += flow.amount * PER_MONEY
    parts.append(returns.growth(total, after, 0, total, least))
    return returns.linked(parts)


def _day(grown: tuple[float, int] | None) -> Day | None:
    change = _change(grown[0]) if grown else None
    return Day(grown[1], change) if grown and change is not None else None


def _grown(level: float, growth: float | None) -> float:
    return level if growth is None else level * growth


def _change(growth: float | None) -> Decimal | None:
    return figure(None if growth is None else growth - 1.0)


class Money(NamedTuple):
    """What a span brought, in money."""

    simple: Decimal | None
    came: int
    went: int
    profit: int
    realized: int
    fees: int
    income: int
    win_rate: Decimal | None
    contributions: Sequence[Contribution]


def money_of(curve: Curve, span: Span) -> Money:
    """Return what a span of a curve brought."""
    flows = curve.flows_between(span.start, span.until)
    came = sum(flow.amount for flow in flows if flow.amount > 0)
    went = -sum(flow.amount for flow in flows if flow.amount < 0)
    profit = span.at_end.told - span.at_start.told - came + went
    capital = span.at_start.capital + put_in(flows) * PER_MONEY
    simple = returns.simple_return(profit * PER_MONEY, capital)
    moved = [m for m in curve.movements if m.kind not in FLOWS and _is_in(m.at, span)]
    made: list[tuple[str | None, int]] = []
    fees = realized = closed = won = income = charges = 0
    for ticker, line in curve.lines.items():
        places = _places(line, span)
        if not places and ticker not in span.at_end.values and ticker not in span.at_start.values:
            continue
        gain = sum(line.gains[places.start : places.stop])
        fees += sum(line.fees[places.start : places.stop])
        realized += sum(line.results[places.start : places.stop])
        income += sum(amount for place, amount in line.income.items() if place in places)
        charges += sum(amount for place, amount in line.charges.items() if place in places)
        for place in places:
            if line.closing[place]:
                closed += 1
                won += line.results[place] > line.fees[place]
        held = span.at_end.values.get(ticker, 0) - span.at_start.values.get(ticker, 0)
        made.append((ticker, held + gain))
    made.sort(key=lambda line: (-line[1], line[0] or ""))
    made.append((None, sum(movement.amount for movement in moved) - fees))
    fees += charges - sum(movement.amount for movement in moved if movement.kind == "fee")
    shares: Sequence[Decimal | None] = [None] * len(made)
    if simple is not None:
        parts = [each * PER_MONEY for _, each in made]
        shares = returns.shared_out(simple, parts, capital)
    return Money(
        simple,
        came,
        went,
        profit,
        realized,
        fees,
        income + sum(movement.amount for movement in moved if movement.kind in _INCOME),
        figure(won / closed) if closed else None,
        [
            Contribution(ticker, dollars(each), share)
            for (ticker, each), share in zip(made, shares, strict=True)
        ],
    )


def _is_in(at: int, span: Span) -> bool:
    return at >= span.start and (span.until is None or at < span.until)


def _places(line: Line, span: Span) -> range:
    first = bisect_left(line.times, span.start)
    end = len(line.times) if span.until is None else bisect_left(line.times, span.until)
    return range(first, max(first, end))


def _money_weighted(curve: Curve, span: Span) -> Decimal | None:
    """Return the money-weighted return: of the span where that is less than a year, else a year's.

    None for a part that was ever short: there money comes before it is put in.
    """
    length = span.end - span.start
    if length <= 0:
        return None
    if curve.whole is not None and (
        span.at_start.total < span.at_start.capital
        or any(
            line.quantities[at] < 0 for line in curve.lines.values() for at in _places(line, span)
        )
    ):
        return None
    flows = curve.flows_between(span.start, span.until)
    moved: dict[int, int] = {}
    for flow in flows:
        at = flow.at if len(flows) <= _MOST_FLOWS else _start_of_day(curve.days, flow.at)
        at = min(max(at, span.start), span.end)
        moved[at] = moved.get(at, 0) + flow.amount * PER_MONEY
    total = returns.money_weighted(
        [
            returns.Flow(0.0, span.at_start.total),
            *(returns.Flow((at - span.start) / length, moved[at]) for at in sorted(moved)),
            returns.Flow(1.0, -span.at_end.total),
        ]
    )
    if total is None:
        return None
    days = length / A_DAY
    return figure(returns.a_year(total, days) if days >= returns.DAYS_A_YEAR else total - 1.0)


def _start_of_day(days: Days, at: int) -> int:
    return days.starts[days.place(at)]


def _exposure(curve: Curve, span: Span, stretches: Sequence[_Stretch]) -> Decimal | None:
    """Return the mean part of the account's total that was in positions, at the ends of days."""
    whole = curve.whole or curve
    parts = [
        curve.holdings[stretch.place] / whole.totals[stretch.place]
        for stretch in stretches[:-1]
        if whole.totals[stretch.place] >= LEAST
    ]
    if span.whole_at_end.total >= LEAST:
        parts.append(span.at_end.holdings / span.whole_at_end.total)
    return figure(math.fsum(parts) / len(parts)) if parts else None


def _is_estimated(curve: Curve, span: Span, stretches: Sequence[_Stretch]) -> bool:
    if span.at_start.estimated or span.at_end.estimated:
        return True
    return any(curve.estimates[stretch.place] for stretch in stretches[:-1])


def _beside(prices: Sequence[Price], span: Span, stretches: Sequence[_Stretch]) -> Beside:
    at = span.start
    levels = {at: 1.0}
    cut: set[int] = set()
    for stretch in stretches:
        levels[stretch.end] = _grown(levels[at], stretch.growth)
        if not stretch.is_whole:
            # The first day or the last: the other end of it begins, or ends, a whole one.
            cut.add(span.start if at == span.start else span.end)
        at = stretch.end
    return beside(prices, levels, cut)


def dollars(money: int) -> Decimal:
    """Return money in dollars."""
    return EXACT.scaleb(Decimal(money), -6)
