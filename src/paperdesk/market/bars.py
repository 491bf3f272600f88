"""Price bars: minutes made from ticks, and longer ones made from minutes. No database here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

_MOST_UNSAVED = 50_000


class Timeframe(StrEnum):
    """How long a bar is. Minutes and hours are those of UTC, a day is one of the desk's zone."""

    minute = "1m"
    five_minutes = "5m"
    quarter = "15m"
    hour = "1h"
    day = "1d"


_LENGTHS = {
    Timeframe.minute: timedelta(minutes=1),
    Timeframe.five_minutes: timedelta(minutes=5),
    Timeframe.quarter: timedelta(minutes=15),
    Timeframe.hour: timedelta(hours=1),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices of a ticker in US dollars from `start` (UTC) on; `volume` in shares, 0 if unknown."""

    ticker: str
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)

    def followed_by(self, later: "Bar") -> "Bar":
        """Return this bar with a later part of the same stretch of time added."""
        return replace(
            self,
            high=max(self.high, later.high),
            low=min(self.low, later.low),
            close=later.close,
        )


class BarMaker:
    """Makes minute bars from ticks, and keeps what is not stored yet.

    After a bar was stored, the next tick of the same minute begins a new part of it; storing and
    reading put the parts together (`Bar.followed_by`), just as after a restart.
    """

    def __init__(self) -> None:
        self._unsaved: dict[tuple[str, datetime], Bar] = {}

    def add(self, ticker: str, price: Decimal, at: datetime) -> None:
        """Take a tick: a price in US dollars and when the market made it."""
        start = floor(at, Timeframe.minute)
        bar = Bar(ticker, start, price, price, price, price)
        known = self._unsaved.get((ticker, start))
        self._unsaved[ticker, start] = known.followed_by(bar) if known else bar
        if len(self._unsaved) > _MOST_UNSAVED:  # the database has been away for very long
            for key in list(islice(self._unsaved, _MOST_UNSAVED // 10)):
                del self._unsaved[key]

    def unsaved(self, ticker: str | None = None) -> list[Bar]:
        """Return what is not stored yet, of one ticker or of all, oldest first."""
        bars = [bar for bar in self._unsaved.values() if ticker in {None, bar.ticker}]
        return sorted(bars, key=lambda bar: (bar.start, bar.ticker))

    def saved(self, bars: Iterable[Bar]) -> None:
        """Let go of what was stored, unless a tick has changed it since."""
        for bar in bars:
            key = (bar.ticker, bar.start)
            if self._unsaved.get(key) is bar:
                del self._unsaved[key]


def floor(moment: datetime, timeframe: Timeframe, zone: ZoneInfo | None = None) -> datetime:
    """Return the start, in UTC, of the bar that an instant belongs to. A day needs its zone."""
    if timeframe is Timeframe.day:
        local = moment.astimezone(zone or UTC)
        return datetime.combine(local.date(), time(0), local.tzinfo).astimezone(UTC)
    length = _LENGTHS[timeframe]
    return _EPOCH + (moment - _EPOCH) // length * length


def stretches(
    until: datetime, timeframe: Timeframe, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield start and end of the bar that `until` belongs to, then of each one before it."""
    start = floor(until, timeframe, zone)
    # 36 hours after midnight is the next day, whatever the clocks do.
    end = (
        floor(start + timedelta(hours=36), timeframe, zone)
        if timeframe is Timeframe.day
        else (start + _LENGTHS[timeframe])
    )
    while True:
        yield start, end
        end = start
        start = floor(end - timedelta(microseconds=1), timeframe, zone)


def with_live(
    stored: Iterable[Bar], live: Iterable[Bar], timeframe: Timeframe, zone: ZoneInfo
) -> list[Bar]:
    """Return stored bars of a timeframe with minutes that are still in memory, newest first."""
    bars: dict[datetime, Bar] = {bar.start: bar for bar in stored}
    for minute in live:
        start = floor(minute.start, timeframe, zone)
        known = bars.get(start)
        bars[start] = known.followed_by(minute) if known else replace(minute, start=start)
    return sorted(bars.values(), key=lambda bar: bar.start, reverse=True)
