"""When the desk proves everything by itself."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from paperdesk.ledger.proof.keeper import night_between


@pytest.mark.parametrize(
    ("before", "now", "has_come"),
    [
        ("2026-11-20T07:59:00Z", "2026-11-20T08:00:00Z", True),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:05:00Z", False),
        ("2026-11-20T08:00:00Z", "2026-11-21T07:59:00Z", False),
        ("2026-11-20T08:00:00Z", "2026-11-21T08:00:00Z", True),
        ("2026-11-18T08:00:00Z", "2026-11-20T04:00:00Z", True),
        ("2026-07-01T06:59:00Z", "2026-07-01T07:00:00Z", True),
        ("2026-11-21T12:00:00Z", "2026-11-20T12:00:00Z", False),
    ],
)
def test_three_in_the_night_of_the_desks_own_day(before: str, now: str, *, has_come: bool) -> None:
    zone = ZoneInfo("America/New_York")

    came = night_between(datetime.fromisoformat(before), datetime.fromisoformat(now), zone)

    assert came is has_come
