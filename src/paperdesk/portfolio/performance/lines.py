"""The line of one ticker: what happened to it, event by event, and what it was worth. Pure."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from copy import copy
from itertools import accumulate
from operator import add, itemgetter, sub
from typing import Any, Final, NamedTuple

from paperdesk.portfolio.performance.events import PER_MONEY, Days

STALE: Final = 4
"""Days after which a closing price is an estimate: a weekend with a holiday is shorter."""


class Price(NamedTuple):
    """A price, since when it was known, and whether a market made it (and not a trade of ours)."""

    at: int
    price: int
    market: bool = True


class Closes(NamedTuple):
    """The closing prices of a ticker: their days (places of `Days`), when and what they were.

    `filled` has the last of them known at the end of each day, from the day `first` on; on the days
    of `stale`, each from one to before another, it was carried for too long.
    """

    days: Sequence[int] = ()
    times: Sequence[int] = ()
    prices: Sequence[int] = ()
    first: int = 0
    filled: Sequence[int] = ()
    stale: Sequence[tuple[int, int]] = ()


class Totals:
    """What is held at the end of each day, its negative values alone, and how much is estimated.

    What stays as it is from one day to another is noted as two changes, at its begin and its end.
    """

    def __init__(self, size: int) -> None:
        self._values = [0] * size
        self._changes = [0] * (size + 1)
        self._short = [0] * size
        self._estimates = [0] * (size + 1)

    def add(self, first: int, end: int, quantity: int, prices: Sequence[int]) -> None:
        """Add a quantity at its prices of the days [first, end)."""
        values = list(map(quantity.__mul__, prices))
        self._values[first:end] = map(add, self._values[first:end], values)
        if quantity < 0:
            self._short[first:end] = map(sub, self._short[first:end], values)

    def add_same(self, first: int, end: int, value: int) -> None:
        """Add a value that is the same on the days [first, end)."""
        self._changes[first] += value
        self._changes[end] -= value
        if value < 0:
            self._short[first:end] = [each - value for each in self._short[first:end]]

    def estimate(self, first: int, end: int) -> None:
        """Note that something is estimated on the days [first, end)."""
        if first < end:
            self._estimates[first] += 1
            self._estimates[end] -= 1

    @property
    def values(self) -> list[int]:
        """What is held at the end of each day."""
        return list(map(add, self._values, accumulate(self._changes)))

    @property
    def gross(self) -> list[int]:
        """The absolute values of what is held."""
        return [value + 2 * short for value, short in zip(self.values, self._short, strict=True)]

    @property
    def estimates(self) -> list[int]:
        """How many holdings are estimated."""
        return list(accumulate(self._estimates[:-1]))


class Line:
    """The events of one ticker, in columns, and its closing prices.

    Of each event: the quantity after it, the price then (0 where unknown), what it brought in cash
    less what it brought in value from outside (`gains`), its fee, the capital that it put in,
    whether it closed something, and what that realised. `income` has, by the place of the event,
    what dividends brought, and `charges` what borrowing cost.
    """

    __slots__ = (
        "charges",
        "closes",
        "closing",
        "fees",
        "gains",
        "income",
        "prices",
        "put_in",
        "quantities",
        "results",
        "sequences",
        "ticker",
        "times",
    )

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.times = array("q")
        self.sequences = array("q")
        # These three may add up to more than 64 bits.
        self.quantities: list[int] = []
        self.gains: list[int] = []
        self.put_in: list[int] = []
        self.prices = array("q")
        self.fees = array("q")
        self.closing = array("b")
        self.results = array("q")
        self.closes = Closes()
        self.income: dict[int, int] = {}
        self.charges: dict[int, int] = {}

    def copy(self) -> "Line":
        """Return an equal line that can be added to apart from this one."""
        line = Line(self.ticker)
        for name in self.__slots__:
            column = getattr(self, name)
            setattr(line, name, copy(column))
        return line

    @property
    def quantity(self) -> int:
        """What is held after the last event."""
        return self.quantities[-1] if self.quantities else 0

    def trade(self, row: Sequence[Any], realized: int | None) -> None:
        """Add a trade; `realized` is what it made, where that is not what it says itself."""
        at, sequence, _, quantity, price, value, fee, said, *_ = row
        before = self.quantity
        after = before + quantity
        opened = abs(after) - abs(before)
        if opened in {quantity, -quantity}:
            put_in = value if opened > 0 else -value
        else:
            put_in = rounded(opened * price, PER_MONEY)
        made = said if realized is None else realized
        self._add(at, sequence, after)
        self.prices.append(price)
        self.gains.append(-value if quantity > 0 else value)
        self.fees.append(fee)
        self.put_in.append(put_in + fee)
        self.closing.append(1 if before * quantity < 0 or made else 0)
        self.results.append(made)

    def change(self, at: int, sequence: int, quantity: int) -> int:
        """Add an event that is no trade and leaves a quantity; return its place."""
        self._add(at, sequence, quantity)
        for column in (self.prices, self.gains, self.fees, self.put_in, self.closing, self.results):
            column.append(0)
        return len(self.times) - 1

    def pay(self, place: int, kind: str, amount: int) -> None:
        """Note that an event brought cash: a dividend, or a fee, which is less than nothing.

        The capital stays in use: it is in the shares.
        """
        self.gains[place] = amount
        if kind == "fee":
            self.charges[place] = -amount
        else:
            self.income[place] = amount

    def held_at(self, instant: int) -> int:
        """Return the quantity after all events before an instant."""
        place = bisect_left(self.times, instant)
        return self.quantities[place - 1] if place else 0

    def known_at(self, instant: int) -> Price | None:
        """Return the last price that was known at an instant: of a close, or of an event before."""
        event = bisect_left(self.times, instant) - 1
        return self._later(event, bisect_right(self.closes.times, instant) - 1)

    def known_before(self, place: int) -> Price | None:
        """Return the last price that was known just before an event."""
        return self._later(place - 1, bisect_right(self.closes.times, self.times[place]) - 1)

    def ends_of_days(self, days: Days) -> list[tuple[int, int, int, int]]:
        """Return what was at the end of each complete day that had events.

        The day, the quantity, the last price of an event, and since when that was known.
        """
        found: list[tuple[int, int, int, int]] = []
        price = known = event = 0
        count = len(self.times)
        while event < count:
            day = days.place(self.times[event])
            if day >= days.complete:
                break
            end = bisect_left(self.times, days.starts[day + 1], event)
            for place in range(event, end):
                if self.prices[place]:
                    price, known = self.prices[place], self.times[place]
            event = end
            found.append((day, self.quantities[end - 1], price, known))
        return found

    def add_to(self, totals: Totals, days: Days, whole: "Line | None" = None) -> None:
        """Add what is held at the end of each complete day.

        Prices of events are those of the `whole` line, where this one is of a part: then all parts
        have the same ones, whoever made them.
        """
        own = self.ends_of_days(days)
        market = own if whole is None else whole.ends_of_days(days)
        ends = [*(day for day, *_ in own[1:]), days.complete]
        for (first, quantity, *_), end in zip(own, ends, strict=False):
            day = first
            place = bisect_right(market, day, key=itemgetter(0)) if quantity else 0
            while quantity and day < end:
                until = min(end, market[place][0]) if place < len(market) else end
                _, _, price, known = market[place - 1]
                self._add_between(totals, day, until, (quantity, price, known))
                day, place = until, place + 1

    def _add_between(self, totals: Totals, day: int, end: int, held: tuple[int, int, int]) -> None:
        """Add a quantity from a day on, until the day `end`.

        It is worth its last price of an event, `known` since then, until a later close.
        """
        quantity, price, known = held
        closes = self.closes
        place = bisect_left(closes.days, day)
        if place and closes.times[place - 1] > known:
            # The events of that day had no price: the last close goes on.
            first = day
        else:
            if place < len(closes.days) and closes.days[place] == day:
                place += closes.times[place] <= known
            first = min(end, closes.days[place]) if place < len(closes.days) else end
            totals.add_same(day, first, quantity * price)
            totals.estimate(day, first)
        if first < end:
            begin = closes.first
            totals.add(first, end, quantity, closes.filled[first - begin : end - begin])
            for since, until in closes.stale:
                if since >= end:
                    break
                totals.estimate(max(first, since), min(end, until))

    def _add(self, at: int, sequence: int, quantity: int) -> None:
        self.times.append(at)
        self.sequences.append(sequence)
        self.quantities.append(quantity)

    def _later(self, event: int, close: int) -> Price | None:
        while event >= 0 and not self.prices[event]:
            event -= 1
        if close >= 0 and (event < 0 or self.closes.times[close] > self.times[event]):
            return Price(self.closes.times[close], self.closes.prices[close])
        return Price(self.times[event], self.prices[event], market=False) if event >= 0 else None


def rounded(numerator: int, denominator: int) -> int:
    """Return a quotient as a whole number, half to even."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient & 1))
