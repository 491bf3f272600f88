"""When the market is open: around the clock, or as the New York Stock Exchange is. Pure.

The rules are those of NYSE Rule 7.2 and of the exchange's published calendars since 2000. A day is
a day of the market's own zone; all instants are UTC.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

Name = Literal["24x7", "nyse"]

_DAY: Final = timedelta(days=1)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_NEW_YORK: Final = "America/New_York"
_EARLY, _OPENS, _CLOSES, _LATE = time(4), time(9, 30), time(16), time(20)
_CLOSES_EARLY, _LATE_EARLY = time(13), time(17)

_NEW_RULE: Final = 2013
"""From this year on the day before Independence Day is the short one, whatever its weekday."""

_CLOSED: Final = frozenset(
    {
        *(date(2001, 9, day) for day in (11, 12, 13, 14)),  # the attacks of 11 September
        date(2004, 6, 11),  # mourning for President Reagan
        date(2007, 1, 2),  # mourning for President Ford
        date(2012, 10, 29),  # hurricane Sandy
        date(2012, 10, 30),
        date(2018, 12, 5),  # mourning for President G. H. W. Bush
        date(2025, 1, 9),  # mourning for President Carter
    }
)
"""Days on which the exchange was closed although its rules would have had it open."""

_SHORT: Final = frozenset(
    {
        date(2003, 12, 26),  # the day after Christmas, a Friday
    }
)
"""Days on which it closed early although its rules would have had it open all day."""


@dataclass(frozen=True, slots=True)
class Session:
    """A day of the market: regular hours from `opens` to `closes`, extended from `early` to `late`.

    Each begins with its first instant, and ends before its last.
    """

    day: date
    early: datetime
    opens: datetime
    closes: datetime
    late: datetime


class Hours(Protocol):
    """When a market is open."""

    name: str

    def session_on(self, day: date) -> Session | None:
        """Return the session of a day, None where there is none."""
        ...

    def current(self, at: datetime) -> Session:
        """Return the session whose extended hours an instant is in, else the next one to come."""
        ...

    def is_open(self, at: datetime, *, extended: bool = False) -> bool:
        """Say whether the market is open, in regular hours or also in extended ones."""
        ...

    def next_open(self, at: datetime) -> datetime:
        """Return when regular hours begin the next time, later than an instant."""
        ...

    def next_close(self, at: datetime) -> datetime:
        """Return when regular hours end the next time, later than an instant."""
        ...


class _Market:
    """What follows from the sessions of single days."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def session_on(self, day: date) -> Session | None:
        raise NotImplementedError

    def current(self, at: datetime) -> Session:
        day = at.astimezone(self._zone).date()
        while True:
            session = self.session_on(day)
            if session is not None and at < session.late:
                return session
            day += _DAY

    def is_open(self, at: datetime, *, extended: bool = False) -> bool:
        session = self.current(at)
        if extended:
            return session.early <= at
        return session.opens <= at < session.closes

    def next_open(self, at: datetime) -> datetime:
        session = self.current(at)
        while session.opens <= at:
            session = self.current(session.late)
        return session.opens

    def next_close(self, at: datetime) -> datetime:
        session = self.current(at)
        while session.closes <= at:
            session = self.current(session.late)
        return session.closes

    def _at(self, day: date, hour: time) -> datetime:
        return datetime.combine(day, hour, self._zone).astimezone(UTC)


class RoundTheClock(_Market):
    """Always open. Its sessions are the days of a zone, one after another."""

    name = "24x7"

    def session_on(self, day: date) -> Session | None:
        """Return the day, from midnight to midnight: of 23 or 25 hours where the clocks change."""
        begins, ends = self._at(day, time(0)), self._at(day + _DAY, time(0))
        return Session(day, begins, begins, ends, ends)


class Nyse(_Market):
    """The New York Stock Exchange, from 2000 on."""

    name = "nyse"

    def __init__(self) -> None:
        super().__init__(ZoneInfo(_NEW_YORK))

    def session_on(self, day: date) -> Session | None:
        """Return the session of a day, None on weekends and holidays."""
        return _nyse_session(day, self._zone)


def hours_of(name: Name, zone: ZoneInfo) -> Hours:
    """Return the hours of a market by its name; `zone` is that of the desk's day."""
    return Nyse() if name == "nyse" else RoundTheClock(zone)


@lru_cache(maxsize=4096)
def _nyse_session(day: date, zone: ZoneInfo) -> Session | None:
    if day.weekday() >= _SATURDAY or day in _CLOSED or day in _holidays(day.year):
        return None
    is_short = day in _SHORT or _closes_early(day)
    hours = (_EARLY, _OPENS, *((_CLOSES_EARLY, _LATE_EARLY) if is_short else (_CLOSES, _LATE)))
    return Session(day, *(datetime.combine(day, at, zone).astimezone(UTC) for at in hours))


@lru_cache(maxsize=128)
def _holidays(year: int) -> frozenset[date]:
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= 2022:  # noqa: PLR2004 - the first year of Juneteenth
        fixed.append(date(year, 6, 19))
    new_year = date(year, 1, 1)
    found = {
        _nth(year, 1, _MONDAY, 3),  # Martin Luther King Day
        _nth(year, 2, _MONDAY, 3),  # Washington's Birthday
        _easter(year) - 2 * _DAY,  # Good Friday
        _last_monday_of_may(year),  # Memorial Day
        _nth(year, 9, _MONDAY, 1),  # Labor Day
        _nth(year, 11, _THURSDAY, 4),  # Thanksgiving
        *(_observed(day) for day in fixed),
        # On a Saturday it is not observed: the Friday before ends a year's accounts.
        new_year + _DAY if new_year.weekday() == _SUNDAY else new_year,
    }
    return frozenset(found)


def _closes_early(day: date) -> bool:
    """Say whether a trading day is a short one by the rules.

    The day after Thanksgiving; Christmas Eve; the day before Independence Day where that one is no
    Friday's holiday. Until 2012 the Friday after a Thursday's Independence Day was short instead.
    """
    if day == _nth(day.year, 11, _THURSDAY, 4) + _DAY:
        return True
    if (day.month, day.day) == (12, 24):
        return True
    if day.month != 7:  # noqa: PLR2004 - July
        return False
    holiday = date(day.year, 7, 4)
    if day.day == 3:  # noqa: PLR2004 - the eve
        return holiday.weekday() < _SATURDAY and (
            day.year >= _NEW_RULE or holiday.weekday() != _THURSDAY
        )
    return (
        day.day == 5  # noqa: PLR2004 - the day after
        and day.weekday() == _FRIDAY
        and day.year < _NEW_RULE
    )


def _observed(day: date) -> date:
    """Return when a holiday is observed: from a Saturday the day before, from a Sunday the next."""
    return day + {_SATURDAY: -_DAY, _SUNDAY: _DAY}.get(day.weekday(), timedelta(0))


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def _easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian algorithm, as Meeus gives it)."""
    golden, century, years = year % 19, year // 100, year % 100
    shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - shift + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (years // 4) - epact - years % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
