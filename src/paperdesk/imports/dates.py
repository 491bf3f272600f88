"""Dates and times as brokers write them, and which of the first two numbers is the day."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from paperdesk.imports.model import NEW_YORK, Code, DateOrder, Question, Unreadable

_REMEMBERED: Final = 1 << 16
_LONGEST: Final = 64
FIRST_YEAR: Final = 1900
_LARGEST_MONTH: Final = 12
_ISO_DATE: Final = len("2026-03-04")
_ISO_SECONDS: Final = len("2026-03-04T15:30:00Z")
_CLOSE: Final = time(16)
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)

_NUMBERS: Final = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})")
_YEAR_FIRST: Final = re.compile(r"(\d{4})([/.-]?)(\d{1,2})\2(\d{1,2})")
_DAY_NAMED: Final = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})\.?[ -](\d{4})")
_MONTH_NAMED: Final = re.compile(r"([A-Za-z]{3,9})\.?[ -](\d{1,2}),?[ -](\d{4})")
_TIME: Final = re.compile(
    r"(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,6})\d*)?)?(?: ?([AaPp])\.?[Mm]\.?)?"
    r" ?(Z|UTC|GMT|E[SD]?T|[+-]\d{2}:?\d{2})?"
)
_PARTS: Final = re.compile(
    r"(\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}|\d{8}|\d{1,2}[ -][A-Za-z]{3,9}\.?[ -]\d{4}"
    r"|[A-Za-z]{3,9}\.?[ -]\d{1,2},?[ -]\d{4})(?:[ T,;]+(.+))?"
)
_FIXED: Final = {
    "Z": UTC,
    "UTC": UTC,
    "GMT": UTC,
    "ET": NEW_YORK,
    "EST": timezone(timedelta(hours=-5)),
    "EDT": timezone(timedelta(hours=-4)),
}


class Moment(NamedTuple):
    """When something happened: aware, UTC; `said` is the one text of it, whatever it was."""

    at: datetime
    date_only: bool
    said: str


def said_of(at: datetime) -> str:
    """Return the one text of a moment in UTC, such as 2026-03-04T15:30:00Z or …00.500000Z."""
    return at.isoformat()[: -len("+00:00")] + "Z"


class Dates:
    """Reads the dates of one file; `zone` is that of times that name none.

    Without an order of day and month it takes the first that is certain.
    """

    def __init__(
        self,
        now: datetime,
        order: DateOrder | None,
        zone: ZoneInfo,
        *,
        midnight_is_date: bool = False,
    ) -> None:
        self.order: DateOrder | None = order
        self._now = now
        self._today = now.astimezone(NEW_YORK).date()
        self._zone = zone
        self._midnight_is_date = midnight_is_date
        self._read_form = lru_cache(_REMEMBERED)(self._of_any_form)

    def read(self, text: str) -> Moment:
        """Return when a text says. Raises Unreadable for no date, or one that is to come."""
        # The commonest form, in which hardly two rows say the same, is read by the library alone.
        if len(text) > _ISO_DATE:
            try:
                at = datetime.fromisoformat(text)
            except ValueError:
                return self._read_form(text)
            if at.tzinfo is UTC and at.year >= FIRST_YEAR and not self._midnight_is_date:
                if at > self._now:
                    raise _future(text)
                canonical = len(text) == _ISO_SECONDS and text[_ISO_DATE] == "T"
                return Moment(at, False, text if canonical and text[-1] == "Z" else said_of(at))
        return self._read_form(text)

    def _of_any_form(self, text: str) -> Moment:
        parts = _PARTS.fullmatch(text) if len(text) <= _LONGEST else None
        if parts is None:
            raise Unreadable(Code.DATE, f"{text[:_LONGEST]!r} is no date such as 2026-03-04")
        try:
            day = self._day(parts[1])
            at = None if parts[2] is None else self._time(day, parts[2])
        except Unreadable:
            raise
        except (ValueError, OverflowError):
            raise Unreadable(Code.DATE, f"{text!r} is no date that exists") from None
        if day.year < FIRST_YEAR:
            raise Unreadable(Code.DATE, f"{text!r} lies before {FIRST_YEAR}")
        if at is not None:
            at = at.astimezone(UTC)
            if at > self._now:
                raise _future(text)
            return Moment(at, False, said_of(at))
        if day > self._today:
            raise _future(text)
        close = datetime.combine(day, _CLOSE, NEW_YORK).astimezone(UTC)
        return Moment(min(close, self._now), True, str(day))

    def _day(self, text: str) -> date:
        if match := _YEAR_FIRST.fullmatch(text):
            return date(int(match[1]), int(match[3]), int(match[4]))
        if match := _NUMBERS.fullmatch(text):
            first, second, year = int(match[1]), int(match[3]), int(match[4])
            if len(match[4]) == 2:  # noqa: PLR2004 - digits of a short year
                year += 2000 if year <= self._today.year % 100 else 1900
            if self._order_of(text, match[2], first, second) == "day_first":
                return date(year, second, first)
            return date(year, first, second)
        if match := _DAY_NAMED.fullmatch(text):
            return date(int(match[3]), _month(match[2]), int(match[1]))
        if match := _MONTH_NAMED.fullmatch(text):
            return date(int(match[3]), _month(match[1]), int(match[2]))
        raise ValueError("no form of a date")

    def _order_of(self, text: str, mark: str, first: int, second: int) -> DateOrder:
        """Return which number of a date is the day; a dot between them is German."""
        found = _certain(mark, first, second)
        if mark == "." or first == second:
            return found or "day_first"
        if self.order is None:
            if found is None:
                raise Unreadable(
                    Code.DATE_ORDER, f"{text!r} can mean two days; say which number is the day"
                )
            self.order = found
        elif found not in {None, self.order}:
            raise Unreadable(
                Code.DATE_ORDER, f"{text!r} has day and month the other way round than other rows"
            )
        return self.order

    def _time(self, day: date, text: str) -> datetime | None:
        """Return the moment of a time on that day, None where it stands for the day alone."""
        match = _TIME.fullmatch(text.strip())
        if match is None:
            raise ValueError("no form of a time")
        hour, micro = int(match[1]), (match[4] or "").ljust(6, "0")
        if match[5]:
            if not 1 <= hour <= _LARGEST_MONTH:
                raise ValueError("no hour of half a day")
            hour = hour % 12 + (12 if match[5] in "pP" else 0)
        clock = time(hour, int(match[2]), int(match[3] or 0), int(micro))
        if clock == time.min and (match[6] is None or self._midnight_is_date):
            return None
        return datetime.combine(day, clock, _zone_of(match[6]) or self._zone)


def _future(text: str) -> Unreadable:
    return Unreadable(Code.FUTURE, f"{text!r} lies in the future")


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1


def _zone_of(text: str | None) -> "ZoneInfo | timezone | None":
    if text is None or text in _FIXED:
        return None if text is None else _FIXED[text]
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _certain(mark: str, first: int, second: int) -> DateOrder | None:
    if mark == "." or first > _LARGEST_MONTH:
        return "day_first"
    return "month_first" if second > _LARGEST_MONTH else None


def date_order(samples: Iterable[str]) -> DateOrder | None:
    """Return the order of day and month in a file, None where no date of it needs one.

    Raises Question where its dates do not say, or contradict each other.
    """
    found: dict[DateOrder, str] = {}
    uncertain = None
    for text in samples:
        match = _NUMBERS.match(text)
        if match is None or match[2] == "." or match[1] == match[3]:
            continue
        first, second = int(match[1]), int(match[3])
        if first > _LARGEST_MONTH and second > _LARGEST_MONTH:
            continue
        order = _certain(match[2], first, second)
        if order is not None:
            found.setdefault(order, match[0])
        elif uncertain is None and first != second:
            uncertain = match[0]
    if len(found) == 1:
        return next(iter(found))
    if found:
        said = f"It has {found['day_first']} and {found['month_first']}"
    elif uncertain is not None:
        said = f"{uncertain} can mean two days"
    else:
        return None
    raise Question(
        f"Which comes first in the dates of the file? {said}. Say date_order: day_first or "
        "month_first.",
        "date_order",
        ("day_first", "month_first"),
    )
