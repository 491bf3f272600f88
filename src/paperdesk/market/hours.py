"""When the market is open: round the clock, or in the New York Stock Exchange's sessions. Pure.

NYSE's rules are valid from 2000 on. Earlier days get the regular hours and holidays of 2000.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

_NEW_YORK = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)
_MONDAY, _WEDNESDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 2, 3, 5, 6
_DAYS_KEPT = 1_024
"""Sessions that are remembered: to make one takes some twenty times as long as to find it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A day of trading. All times are aware UTC; each pair includes its start, not its end."""

    day: date
    """The date where the market is: in New York, or on the desk."""
    early: datetime
    """When trading before the regular hours begins."""
    opens: datetime
    closes: datetime
    late: datetime
    """When trading after the regular hours ends."""


class Hours(Protocol):
    """When a market is open. Instants are aware; a naive one raises TypeError."""

    name: str

    def session_on(self, day: date) -> Session | None:
        """Return the session of a date where the market is, None if it stays closed."""
        ...

    def current(self, at: datetime) -> Session:
        """Return the session whose [early, late) contains that instant, else the next to come."""
        ...

    def is_open(self, at: datetime, *, extended: bool = False) -> bool:
        """Say whether there is trading in the regular hours, or in the extended ones."""
        ...

    def next_open(self, at: datetime) -> datetime:
        """Return when regular hours next begin, strictly after that instant."""
        ...

    def next_close(self, at: datetime) -> datetime:
        """Return when regular hours next end, strictly after that instant."""
        ...


class _ByTheDay(ABC):
    """What follows from the sessions alone, whatever rules make them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    @abstractmethod
    def session_on(self, day: date) -> Session | None:
        """Return the session of a date where the market is, None if it stays closed."""

    def current(self, at: datetime) -> Session:
        """Return the session whose [early, late) contains that instant, else the next to come."""
        return next(session for session in self._from(at) if session.late > at)

    def is_open(self, at: datetime, *, extended: bool = False) -> bool:
        """Say whether there is trading in the regular hours, or in the extended ones."""
        session = self.current(at)
        if extended:
            return session.early <= at
        return session.opens <= at < session.closes

    def next_open(self, at: datetime) -> datetime:
        """Return when regular hours next begin, strictly after that instant."""
        return next(session.opens for session in self._from(at) if session.opens > at)

    def next_close(self, at: datetime) -> datetime:
        """Return when regular hours next end, strictly after that instant."""
        return next(session.closes for session in self._from(at) if session.closes > at)

    def _from(self, at: datetime) -> Iterator[Session]:
        """Yield the sessions from the date of that instant on.

        Where clocks go back over midnight (St. John's did, until 2011) a date comes once more
        after its session has ended. Nothing that is still to come is missed by that.
        """
        day = at.astimezone(self._zone).date()
        while True:
            if session := self.session_on(day):
                yield session
            day += _DAY


class RoundTheClock(_ByTheDay):
    """A market that never closes. Its days are the desk's, from midnight to midnight."""

    name = "24x7"

    def session_on(self, day: date) -> Session | None:
        """Return that day, of 23 to 25 hours where clocks change; None if the zone skipped it."""
        return _whole_day(day, self._zone)


class Nyse(_ByTheDay):
    """The New York Stock Exchange: 9:30 to 16:00 in New York, on some days to 13:00.

    The extended hours are those of NYSE Arca, which trades the same stocks from 4:00 to 20:00,
    after an early close to 17:00. Hours and holidays: NYSE, "Holidays & Trading Hours", and its
    yearly announcements of holidays and early closings.
    """

    name = "nyse"

    def __init__(self) -> None:
        super().__init__(_NEW_YORK)

    def session_on(self, day: date) -> Session | None:
        """Return the session of a date in New York, None on weekends and holidays."""
        return _nyse_session(day)


def hours_of(name: Literal["24x7", "nyse"], zone: ZoneInfo) -> Hours:
    """Return the hours of that name; `zone` is the desk's."""
    return Nyse() if name == "nyse" else RoundTheClock(zone)


@lru_cache(maxsize=_DAYS_KEPT)
def _whole_day(day: date, zone: ZoneInfo) -> Session | None:
    starts, ends = _utc(day, time(0), zone), _utc(day + _DAY, time(0), zone)
    # Samoa had no 30 December 2011: it moved to the other side of the date line.
    return Session(day, starts, starts, ends, ends) if starts < ends else None


@lru_cache(maxsize=_DAYS_KEPT)
def _nyse_session(day: date) -> Session | None:
    if day.weekday() >= _SATURDAY or day in _SPECIAL_CLOSURES or day in _holidays(day.year):
        return None
    closes, late = (time(13), time(17)) if _closes_early(day) else (time(16), time(20))
    early, opens = time(4), time(9, 30)
    return Session(day, *(_utc(day, at, _NEW_YORK) for at in (early, opens, closes, late)))


def _utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


@lru_cache(maxsize=_DAYS_KEPT)
def _holidays(year: int) -> frozenset[date]:
    """Return the days of a year on which the exchange stays closed every year."""
    new_year = date(year, 1, 1)
    days = {
        # Not on the Friday before, which ends the year's accounts (NYSE Rule 7.2).
        new_year + _DAY if new_year.weekday() == _SUNDAY else new_year,
        _first(_MONDAY, date(year, 1, 15)),  # Martin Luther King Jr. Day, since 1998
        _first(_MONDAY, date(year, 2, 15)),  # Washington's Birthday
        _easter(year) - 2 * _DAY,  # Good Friday
        _first(_MONDAY, date(year, 5, 25)),  # Memorial Day
        _observed(date(year, 7, 4)),  # Independence Day
        _first(_MONDAY, date(year, 9, 1)),  # Labor Day
        _thanksgiving(year),
        _observed(date(year, 12, 25)),  # Christmas
    }
    if year >= 2022:  # noqa: PLR2004 - a federal holiday since June 2021, too late for that year's
        days.add(_observed(date(year, 6, 19)))  # Juneteenth
    return frozenset(days)


_SPECIAL_CLOSURES = frozenset(
    {
        date(2001, 9, 11),  # the attacks on the World Trade Center; closed till the 17th
        date(2001, 9, 12),
        date(2001, 9, 13),
        date(2001, 9, 14),
        date(2004, 6, 11),  # mourning for President Reagan
        date(2007, 1, 2),  # mourning for President Ford
        date(2012, 10, 29),  # Hurricane Sandy
        date(2012, 10, 30),
        date(2018, 12, 5),  # mourning for President George H. W. Bush
        date(2025, 1, 9),  # mourning for President Carter
    }
)

_SPECIAL_EARLY_CLOSES = frozenset(
    {
        date(2002, 7, 5),  # a Friday between a holiday and a weekend: before 2013 that was the
        # short day, instead of Wednesday the 3rd
        date(2003, 12, 26),  # likewise the Friday after a Christmas on Thursday; only that year
    }
)


def _closes_early(day: date) -> bool:
    """Say whether a day of trading ends at 13:00."""
    match (day.month, day.day):
        case (7, 3):
            # Since 2013 on every day before a holiday on the 4th, before that not on Wednesdays.
            return day.weekday() != _WEDNESDAY or day.year >= 2013  # noqa: PLR2004 - the rule's year
        case (12, 24):
            return True
        case _:
            return day == _thanksgiving(day.year) + _DAY or day in _SPECIAL_EARLY_CLOSES


def _thanksgiving(year: int) -> date:
    return _first(_THURSDAY, date(year, 11, 22))


def _first(weekday: int, day: date) -> date:
    """Return the first such weekday (Monday is 0) on or after a day."""
    return day + (weekday - day.weekday()) % 7 * _DAY


def _observed(holiday: date) -> date:
    """Return the Friday before a Saturday, the Monday after a Sunday, other days as they are."""
    match holiday.weekday():
        case 5:  # Saturday
            return holiday - _DAY
        case 6:  # Sunday
            return holiday + _DAY
        case _:
            return holiday


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar.

    The computus as "Anonymous" gave it to Nature in 1876, in J. Meeus' form ("Astronomical
    Algorithms", 1991, chapter 8), letter for letter.
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    l = (32 + 2 * e + 2 * i - h - k) % 7  # noqa: E741 - as the book has it
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)
