"""Which fetches stay, and which go as they grow old. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

EVERYTHING: Final = timedelta(days=2)
"""How long every fetch stays; then the last one of each hour does."""
HOURS: Final = timedelta(days=30)
"""How long those stay; then the last one of each day, in UTC, does."""
DAYS: Final = timedelta(days=730)
"""How long those stay; then nothing does."""


def outdated(fetches: Sequence[datetime], now: datetime) -> list[datetime]:
    """Return those instants of fetches, given oldest first, that need not be kept any longer."""
    gone: list[datetime] = []
    stays: tuple[str, datetime] | None = None
    for at in reversed(fetches):
        stretch = _stretch(at, now)
        if stretch is None:
            continue
        if stretch == stays or now - at > DAYS:
            gone.append(at)
        stays = stretch
    return gone[::-1]


def _stretch(at: datetime, now: datetime) -> tuple[str, datetime] | None:
    """Return the hour or the day of which one fetch stays; None where all do."""
    age = now - at
    if age <= EVERYTHING:
        return None
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return ("hour", hour) if age <= HOURS else ("day", hour.replace(hour=0))
