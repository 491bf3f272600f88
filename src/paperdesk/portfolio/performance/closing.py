"""The closing prices of the days of a desk, kept while the day lasts. Used by one thread."""

import queue
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from paperdesk.market.closes import (
    DAYS_AT_ONCE,
    DaysOf,
    Stretch,
    chunks,
    day_closes,
    reaches,
)
from paperdesk.portfolio.performance.curve import Curve
from paperdesk.portfolio.performance.events import Days, midnight, moment_of
from paperdesk.portfolio.performance.lines import STALE, Closes, Price

_MOST: Final = 4_000_000
"""Days of tickers that are kept; each takes 8 bytes, and 24 more where it has a close."""

Breathe = Callable[[], None]
"""Is called between pieces of work; what it raises ends it."""

_Span = tuple[int, int]
"""Days by their ordinals, from one to before another."""


class _Kept(NamedTuple):
    """The closes of a ticker over some days: the days' ordinals, when they were known, prices.

    `filled` has the last price known at the end of each day of the span, `stale` the days on which
    that is too old.
    """

    span: _Span
    days: "array[int]"
    times: "array[int]"
    prices: "array[int]"
    filled: "array[int]"
    stale: list[_Span]


class DayCloses:
    """The last stored minute of each complete day of a ticker, read once a day."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._today = 0
        self._kept: dict[str, _Kept] = {}
        self._given: dict[str, tuple[_Kept, int, Closes]] = {}
        self._forgotten: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def forget(self, ticker: str | None) -> None:
        """Note that a ticker, or where none is named any, has other minutes. From any thread."""
        self._forgotten.put(ticker)

    def look(self) -> None:
        """Let go of what was noted. Call it before a session of which closes are read begins.

        Later, that session may not see yet what is noted meanwhile, and its closes would stay.
        """
        while not self._forgotten.empty():
            ticker = self._forgotten.get()
            for each in list(self._kept) if ticker is None else [ticker]:
                self._kept.pop(each, None)

    def give(self, session: Session, curve: Curve, breathe: Breathe) -> None:
        """Give each line its closes from its first day on. Blocks.

        Not only as long as it is held: a part may hold what the account does not.
        """
        begin, complete = curve.days.first, curve.days.complete
        wanted = {
            ticker: (begin + first, begin + complete)
            for ticker, line in curve.lines.items()
            if (first := curve.days.place(line.times[0])) < complete
        }
        self._read(session, wanted, curve.days, breathe)
        for ticker in wanted:
            curve.lines[ticker].closes = self._since(ticker, begin)

    def of(self, session: Session, ticker: str, days: Days, breathe: Breathe) -> list[Price]:
        """Return the closes of a ticker, at least those of some complete days. Blocks."""
        self._read(session, {ticker: (days.first, days.first + days.complete)}, days, breathe)
        kept = self._kept[ticker]
        return list(map(Price, kept.times, kept.prices))

    def _since(self, ticker: str, begin: int) -> Closes:
        """Return the closes of a ticker with their days counted from one on."""
        kept = self._kept[ticker]
        given = self._given.get(ticker)
        if given is None or given[0] is not kept or given[1] != begin:
            closes = Closes(
                array("q", (day - begin for day in kept.days)),
                kept.times,
                kept.prices,
                kept.span[0] - begin,
                kept.filled,
                [(first - begin, end - begin) for first, end in kept.stale],
            )
            given = self._given[ticker] = (kept, begin, closes)
        return given[2]

    def _read(
        self, session: Session, wanted: Mapping[str, _Span], days: Days, breathe: Breathe
    ) -> None:
        today = days.first + days.complete
        if today != self._today or sum(len(each.filled) for each in self._kept.values()) > _MOST:
            self._kept.clear()
            self._given.clear()
            self._today = today
        missing: dict[str, _Span] = {}
        for ticker, (first, end) in wanted.items():
            known = self._kept[ticker].span if ticker in self._kept else (first, first)
            if first < known[0] or end > known[1] or ticker not in self._kept:
                missing[ticker] = min(first, known[0]), max(end, known[1])
        dialect = session.get_bind().dialect.name
        asked = self._days_with_minutes(session, dialect, missing, breathe)
        first = min((each.first for each in asked), default=0)
        last = max((each.end for each in asked), default=0)
        starts = [self._begin(day) for day in range(first, last + 1)] if asked else []
        found: dict[str, _Kept] = {}
        for some in _portions([DaysOf(t, a - first, b - first) for t, a, b in asked]):
            breathe()
            rows: Any = session.execute(day_closes(dialect, some, starts)).all()
            for number, of_ticker in groupby(rows, itemgetter(0)):
                ticker = some[int(number)].ticker
                _, days_of, seconds, prices = zip(*of_ticker, strict=True)
                ordinals = array("q", map(first.__add__, days_of))
                found[ticker] = _kept(missing[ticker], ordinals, seconds, prices)
        for ticker, span in missing.items():
            self._kept[ticker] = found.get(ticker) or _kept(span, array("q"), (), ())

    def _days_with_minutes(
        self, session: Session, dialect: str, spans: Mapping[str, _Span], breathe: Breathe
    ) -> list[DaysOf]:
        """Return the days of tickers from that of their first stored minute to that of the last."""
        whole = [
            Stretch(ticker, self._begin(first), self._begin(end))
            for ticker, (first, end) in spans.items()
            if first < end
        ]
        found: list[DaysOf] = []
        for some in chunks(whole):
            breathe()
            rows: Any = session.execute(reaches(dialect, some)).all()
            for number, oldest, newest in rows:
                if oldest is not None:
                    first = oldest.astimezone(self._zone).toordinal()
                    last = newest.astimezone(self._zone).toordinal()
                    found.append(DaysOf(some[int(number)].ticker, first, last + 1))
        return found

    def _begin(self, day: int) -> datetime:
        return moment_of(midnight(self._zone, day))


def _kept(span: _Span, days: "array[int]", seconds: Sequence[int], prices: Sequence[int]) -> _Kept:
    """Return what is kept of closes: their days, when their minutes began, what they were.

    The price of a minute is known at its end.
    """
    filled = array("q")
    stale: list[_Span] = []
    for price, (day, following) in zip(prices, pairwise([*days, span[1]]), strict=True):
        filled.extend(repeat(price, following - day))
        if following > day + STALE + 1:
            stale.append((day + STALE + 1, following))
    # Before the first close there is none, and nobody asks for it.
    filled = array("q", repeat(0, span[1] - span[0] - len(filled))) + filled
    times = array("q", [(each + 60) * 1_000_000 for each in seconds])
    return _Kept(span, days, times, array("q", prices), filled, stale)


def _portions(wanted: Sequence[DaysOf]) -> Iterator[list[DaysOf]]:
    """Give tickers in portions of not too many days."""
    portion: list[DaysOf] = []
    size = 0
    for each in wanted:
        portion.append(each)
        size += each.end - each.first
        if size >= DAYS_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
