"""The moments that alerts carry: ISO 8601, or seconds and milliseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = re.compile(r"[0-9]{9,19}(?:\.[0-9]{1,9})?")
_UNITS: Final = ((11, 1), (14, 1_000), (17, 1_000_000), (19, 1_000_000_000))
"""So many digits at most are so many parts of a second: s, ms, µs, ns."""
_YEARS: Final = range(2000, 2101)
_FORM: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ISO: Final = re.compile(rf"({_FORM})\s?(Z|z|UTC|[+-][0-9]{{2}}:?[0-9]{{2}})?")


def read_moment(value: Any) -> datetime | None:
    """Return the instant that a value names, or None. A time without a zone is in UTC."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    found = _of_epoch(text) if _DIGITS.fullmatch(text) else _of_iso(_ISO.fullmatch(text))
    return found if found is not None and found.year in _YEARS else None


def moment_within(text: str) -> datetime | None:
    """Return the first instant that stands in a text in ISO 8601, or None."""
    return next((at for match in _ISO.finditer(text) if (at := _of_iso(match))), None)


def _of_epoch(text: str) -> datetime | None:
    whole = text.partition(".")[0]
    parts = next(parts for digits, parts in _UNITS if len(whole) <= digits)
    microseconds = int(Decimal(text) * 1_000_000 / parts)
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def _of_iso(match: re.Match[str] | None) -> datetime | None:
    if match is None:
        return None
    zone = match[2] or "Z"
    try:
        at = datetime.fromisoformat(match[1] + ("+00:00" if zone in {"Z", "z", "UTC"} else zone))
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
