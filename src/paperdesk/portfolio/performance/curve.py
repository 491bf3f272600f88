"""The curve of an account, or of a part of it: what it was worth at the end of each day. Pure.

Values are whole numbers of 10 ** -18 dollars (quantity x price, unrounded) where they are compared,
and of 10 ** -6, each holding rounded half to even, where they are told.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import accumulate
from typing import Final, NamedTuple

from paperdesk.portfolio.performance.adjusting import (
    Effect,
    adjust,
    line_of,
    price,
)
from paperdesk.portfolio.performance.events import (
    A_DAY,
    PER_MONEY,
    Days,
    Entries,
    Events,
    Movement,
)
from paperdesk.portfolio.performance.lines import STALE, Line, Price, Totals, rounded
from paperdesk.portfolio.returns import most_put_in

FLOWS: Final = frozenset({"deposit", "withdrawal", "adjustment"})
"""Movements of cash between the account and the outside; an adjustment is what a reset took."""
FRESH: Final = timedelta(minutes=15)
"""How old a price may be to know what an account was worth when money came or went."""
_FRESH: Final = FRESH // timedelta(microseconds=1)


class Flow(NamedTuple):
    """Money that came in or, negative, went out; `put_in` is what it added to the capital in use.

    For an account the two are the same. A part of one has no cash: there buying puts in and selling
    takes out; what a short sale opens is put in too, although it brings cash.
    """

    at: int
    sequence: int
    amount: int
    put_in: int


@dataclass(frozen=True, slots=True)
class Worth:
    """A curve at one instant.

    `total` and `holdings` are unrounded; `told` and `values` are in money, `values` by ticker.
    `capital` is what is in use: the total of an account, of a part the absolute values of what it
    holds. `estimated` are the tickers without a price of the market, `unpriced` those without a
    current one. `is_fresh`: no price is older than a few minutes.
    """

    total: int
    holdings: int
    capital: int
    told: int
    values: Mapping[str, int]
    estimated: Sequence[str]
    unpriced: Sequence[str]
    is_fresh: bool


@dataclass(slots=True)
class Curve:
    """An account, or a part of it, and what it was worth at the end of each complete day.

    `whole` is the account's curve, for a part of it: its prices are those of all parts. `known`
    says what an account was worth just before money came or went, where that is known.
    """

    days: Days
    lines: dict[str, Line]
    movements: Sequence[Movement] = ()
    effects: Sequence[Effect] = ()
    first: int = 0
    whole: "Curve | None" = None
    flows: Sequence[Flow] = ()
    totals: Sequence[int] = ()
    holdings: Sequence[int] = ()
    capitals: Sequence[int] = ()
    estimates: Sequence[int] = ()
    known: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def end(self) -> int:
        """An instant after everything that was booked."""
        times = [line.times[-1] for line in self.lines.values()]
        times += [each.at for each in self.movements[-1:]]
        return max(times, default=self.first) + 1

    @property
    def chapter(self) -> int:
        """When the account was opened, or just after it was last reset."""
        return max((each.at + 1 for each in self.resets), default=self.first)

    @property
    def resets(self) -> list[Movement]:
        """The movements that took the cash when the account was reset."""
        return [each for each in self.movements if each.kind == "adjustment"]

    def market(self, ticker: str) -> Line | None:
        """Return the account's line of a ticker, for a part that has one of its own."""
        line = self.whole.lines[ticker] if self.whole is not None else None
        return None if line is self.lines[ticker] else line

    def held_at(self, instant: int) -> list[str]:
        """Return the tickers that are held just before an instant."""
        return [ticker for ticker, line in self.lines.items() if line.held_at(instant)]

    def cash_at(self, instant: int) -> int:
        """Return the cash just before an instant, in money; a part of an account has none."""
        if self.whole is not None:
            return 0
        cash = sum(each.amount for each in self.movements if each.at < instant)
        cash += sum(each.moved for each in self.effects if each.adjustment.at < instant)
        for line in self.lines.values():
            place = bisect_left(line.times, instant)
            cash += sum(line.gains[:place]) - sum(line.fees[:place])
        return cash

    def worth_at(
        self,
        instant: int,
        prices: Mapping[str, Price],
        current: frozenset[str] | None = None,
    ) -> Worth:
        """Value it just before an instant.

        `prices` are known then beside its own; the later of two counts. `current` are the tickers
        whose price is of that moment; where it is None, those that a market priced lately.
        """
        cash = self.cash_at(instant)
        values: dict[str, int] = {}
        estimated: list[str] = []
        holdings = gross = 0
        is_fresh = True
        for ticker, line in self.lines.items():
            quantity = line.held_at(instant)
            if not quantity:
                continue
            best, other = (self.market(ticker) or line).known_at(instant), prices.get(ticker)
            if other and (best is None or other.at >= best.at):
                best = other
            if best is None or not best.market or instant - best.at > STALE * A_DAY:
                estimated.append(ticker)
            is_fresh = is_fresh and best is not None and best.market and instant - best.at <= _FRESH
            value = quantity * best.price if best else 0
            holdings += value
            gross += abs(value)
            values[ticker] = rounded(value, PER_MONEY)
        total = cash * PER_MONEY + holdings
        unpriced = estimated if current is None else values.keys() - current
        return Worth(
            total,
            holdings,
            total if self.whole is None else gross,
            cash + sum(values.values()),
            values,
            sorted(estimated),
            sorted(unpriced),
            is_fresh,
        )

    def flows_between(self, start: int, end: int | None) -> Sequence[Flow]:
        """Return the flows from an instant on and before another, or all from there on."""
        first = bisect_left(self.flows, (start,))
        return self.flows[first : bisect_left(self.flows, (end,)) if end is not None else None]


def account_curve(events: Events, days: Days, first: int) -> Curve:
    """Return the curve of a whole account from an instant on, without its prices: see `priced`."""
    lines: dict[str, Line] = {}
    effects: list[Effect] = []
    done = 0
    for change in (*events.adjustments, None):
        end = events.trades_before(change)
        for row in events.trades(done, end):
            line_of(lines, events.texts[row[2]]).trade(row, None)
        done = end
        if change is not None:
            effects.append(adjust(lines, change))
    return Curve(days, lines, events.movements, effects, first)


def followed_by(curve: Curve, entries: Entries) -> Curve | None:
    """Return the curve of an account with entries that were booked after those that it has.

    None where they change more than the day in progress: then it has to be made anew.
    """
    first = entries.first
    if entries.adjustments or not entries.is_in_order:
        return None
    if first is None or first < max(curve.days.starts[-1], curve.end - 1):
        return None
    lines = dict(curve.lines)
    for ticker in dict.fromkeys(trade.ticker for trade in entries.trades):
        lines[ticker] = lines[ticker].copy() if ticker in lines else Line(ticker)
    for trade in entries.trades:
        lines[trade.ticker].trade(trade, None)
    return replace(
        curve,
        lines=lines,
        movements=(*curve.movements, *entries.movements),
        flows=[*curve.flows, *_moved(entries.movements)],
        known=dict(curve.known),
    )


def priced(curve: Curve) -> Curve:
    """Value each day, after the lines were given their closing prices."""
    for effect in curve.effects:
        price(effect)
    flowing(curve)
    totals = Totals(curve.days.complete)
    for ticker, line in curve.lines.items():
        line.add_to(totals, curve.days, curve.market(ticker))
    curve.holdings, curve.estimates = totals.values, totals.estimates
    if curve.whole is None:
        cash = accumulate(_cash_of_days(curve)[:-1])
        curve.totals = [
            money * PER_MONEY + held for money, held in zip(cash, curve.holdings, strict=True)
        ]
        curve.capitals = curve.totals
    else:
        curve.totals, curve.capitals = curve.holdings, totals.gross
    return curve


def flowing(curve: Curve) -> Curve:
    """Note what came and went: enough to know what a curve made between two instants."""
    curve.flows = sorted(_flows(curve))
    return curve


def note_known(curve: Curve, prices: Mapping[int, Mapping[str, Price]]) -> None:
    """Note what an account was worth just before flows, where all prices then are fresh.

    `prices` are those of the minutes before each such instant.
    """
    for at, then in prices.items():
        worth = curve.worth_at(at, then)
        if worth.is_fresh:
            curve.known[at] = worth.total


def by_day(flows: Sequence[Flow], days: Days) -> Iterator[tuple[int, Sequence[Flow]]]:
    """Give the place of each complete day that has flows, and these."""
    first = 0
    while first < len(flows):
        day = days.place(flows[first].at)
        if day >= days.complete:
            return
        end = bisect_left(flows, (days.starts[day + 1],), first)
        yield day, flows[first:end]
        first = end


def put_in(flows: Sequence[Flow]) -> int:
    """Return the most capital that flows put in, in money."""
    return most_put_in(flow.put_in for flow in flows)


def _flows(curve: Curve) -> Iterator[Flow]:
    if curve.whole is None:
        yield from _moved(curve.movements)
        for effect in curve.effects:
            if effect.moved:
                change = effect.adjustment
                yield Flow(change.at, change.sequence, effect.moved, effect.moved)
        return
    for line in curve.lines.values():
        for at, sequence, gain, fee, capital in zip(
            line.times, line.sequences, line.gains, line.fees, line.put_in, strict=True
        ):
            yield Flow(at, sequence, fee - gain, capital)


def _moved(movements: Iterable[Movement]) -> Iterator[Flow]:
    for each in movements:
        if each.kind in FLOWS:
            yield Flow(each.at, each.sequence, each.amount, each.amount)


def _cash_of_days(curve: Curve) -> list[int]:
    days = curve.days
    cash = [0] * (days.complete + 1)
    for line in curve.lines.values():
        for at, gain, fee in zip(line.times, line.gains, line.fees, strict=True):
            cash[days.place(at)] += gain - fee
    for each in curve.movements:
        cash[days.place(each.at)] += each.amount
    for effect in curve.effects:
        cash[days.place(effect.adjustment.at)] += effect.moved
    return cash
