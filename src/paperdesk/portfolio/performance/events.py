"""A journal in whole units, in order of time: what a curve is made of. Pure.

Money is in millionths of a dollar, quantities and prices in billionths, times in microseconds since
1970 in UTC. Trades are kept in columns: there may be very many of them.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

PER_MONEY: Final = 10**12
"""quantity x price has 18 places, money has 6."""

A_DAY: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Trade(NamedTuple):
    """A trade; `quantity` is negative for a sale. `realized` is before its fee."""

    at: int
    sequence: int
    ticker: str
    quantity: int
    price: int
    value: int
    fee: int
    realized: int
    source: str
    strategy: str | None


class Movement(NamedTuple):
    """Cash that came or, negative, went other than by a trade."""

    at: int
    sequence: int
    kind: str
    amount: int
    opening: bool = False


class Adjustment(NamedTuple):
    """A change of a position without a trade, as the journal has it; or cash that one brought.

    `price` is what a share was worth that came or went, where that was known.
    """

    at: int
    sequence: int
    kind: str
    ticker: str
    new_ticker: str | None
    numerator: int | None
    denominator: int | None
    quantity: int
    cost: int
    amount: int
    price: int | None = None


def paid(at: int, sequence: int, kind: str, ticker: str, amount: int) -> Adjustment:
    """Return a movement of cash that comes from a position: a dividend, a fee for borrowing."""
    return Adjustment(at, sequence, kind, ticker, None, None, None, 0, 0, amount)


class Entries(NamedTuple):
    """Entries of a journal in the order of their booking, up to `sequence`."""

    sequence: int
    trades: Sequence[Trade] = ()
    movements: Sequence[Movement] = ()
    adjustments: Sequence[Adjustment] = ()

    @property
    def is_in_order(self) -> bool:
        """Say whether they happened in the order in which they were booked."""
        times = sorted((e.sequence, e.at) for of_kind in self[1:] for e in of_kind)
        return all(one[1] <= following[1] for one, following in pairwise(times))

    @property
    def first(self) -> int | None:
        """The time of the earliest of them."""
        return min((entry.at for of_kind in self[1:] for entry in of_kind), default=None)


def _columns() -> "tuple[array[int], ...]":
    return tuple(array("q") for _ in Trade._fields)


_TEXTS: Final = tuple(Trade._fields.index(name) for name in ("ticker", "source", "strategy"))
_NOTHING: Final = -1


@dataclass(frozen=True, slots=True)
class Events:
    """The entries of an account up to `sequence`. Immutable once it is made."""

    sequence: int = 0
    columns: "tuple[array[int], ...]" = field(default_factory=_columns)
    movements: tuple[Movement, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self.columns[0]) + len(self.movements) + len(self.adjustments)

    @property
    def first(self) -> int | None:
        """The time of the earliest entry."""
        times = [self.columns[0][0]] if self.columns[0] else []
        times += [entry.at for entry in (*self.movements[:1], *self.adjustments[:1])]
        return min(times, default=None)

    def code(self, text: str | None) -> int:
        """Return the number that stands for a ticker, source or strategy; -1 for none of them."""
        return self.texts.index(text) if text is not None and text in self.texts else _NOTHING

    def text(self, code: int) -> str | None:
        """Return the ticker, source or strategy of a number; None for that of none."""
        return self.texts[code] if code >= 0 else None

    def followed_by(self, entries: Entries) -> "Events":
        """Return these entries and later ones, again in order of time."""
        codes = {text: code for code, text in enumerate(self.texts)}
        columns = tuple(array("q", column) for column in self.columns)
        for trade in entries.trades:
            for place, (column, value) in enumerate(zip(columns, trade, strict=True)):
                if place in _TEXTS:
                    column.append(
                        _NOTHING if value is None else codes.setdefault(str(value), len(codes))
                    )
                else:
                    column.append(value)  # pyright: ignore[reportArgumentType]
        at, numbers = columns[:2]
        if any(one > other for one, other in pairwise(at)):
            order = sorted(range(len(at)), key=lambda n: (at[n], numbers[n]))
            columns = tuple(array("q", map(column.__getitem__, order)) for column in columns)
        moved = _by_time(self.movements, entries.movements)
        adjusted = _by_time(self.adjustments, entries.adjustments)
        times = [*at[:1], *(entry.at for entry in (*moved[:1], *adjusted[:1]))]
        # The opening balance was booked before all else, so it has paid for what is dated earlier.
        moved = tuple(entry._replace(at=min(times)) if entry.opening else entry for entry in moved)
        return Events(entries.sequence, columns, _by_time(moved, ()), adjusted, tuple(codes))

    def trades_before(self, change: "Movement | Adjustment | None") -> int:
        """Return how many trades were before another entry, in time and then in the journal."""
        at, sequences = self.columns[:2]
        if change is None:
            return len(at)
        first, end = bisect_left(at, change.at), bisect_right(at, change.at)
        return bisect_left(sequences, change.sequence, first, end)

    def trades(
        self, first: int, end: int, chosen: Sequence[int] = (_NOTHING,) * len(_TEXTS)
    ) -> Iterator[tuple[int, ...]]:
        """Give the columns of the trades from one place to before another.

        `chosen` are the codes of ticker, source and strategy; -1 leaves open which.
        """
        rows = zip(*(column[first:end] for column in self.columns), strict=True)
        asked = [(p, c) for p, c in zip(_TEXTS, chosen, strict=True) if c != _NOTHING]
        if not asked:
            return rows
        return (row for row in rows if all(row[place] == code for place, code in asked))


_Entry = TypeVar("_Entry", Movement, Adjustment)


def _by_time(known: Sequence[_Entry], new: Sequence[_Entry]) -> tuple[_Entry, ...]:
    return tuple(sorted((*known, *new), key=lambda entry: (entry.at, entry.sequence)))


def instant_of(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment_of(instant: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


class Days:
    """The days of a zone, from that of the first instant to that of the last one, in progress.

    `starts` are their midnights. What is before or after them counts to the first or the last.
    """

    def __init__(self, zone: ZoneInfo, first: int, last: int) -> None:
        self.first = _day_of(zone, first)
        today = max(self.first, _day_of(zone, last))
        self.starts = [midnight(zone, self.first + n) for n in range(today - self.first + 1)]

    @property
    def complete(self) -> int:
        """How many days are over: the place of the day in progress."""
        return len(self.starts) - 1

    def place(self, instant: int) -> int:
        """Return the place of the day of an instant."""
        return max(0, bisect_right(self.starts, instant) - 1)

    def date(self, place: int) -> date:
        """Return which day is at a place."""
        return date.fromordinal(self.first + place)


def _day_of(zone: ZoneInfo, instant: int) -> int:
    return moment_of(instant).astimezone(zone).toordinal()


def midnight(zone: ZoneInfo, ordinal: int) -> int:
    """Return when a day, by its ordinal, begins in a zone."""
    return instant_of(datetime.combine(date.fromordinal(ordinal), time(0), zone))
