"""When nothing is opened: spans of the wall clock, in the desk's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from paperdesk.signals.terms import QuietHours

NEW_YORK = ZoneInfo("America/New_York")
MIDDAY = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def hours(since: str, until: str) -> QuietHours:
    return QuietHours.model_validate({"since": since, "until": until})


def test_a_time_of_day_is_that_of_the_desk() -> None:
    assert hours("12:00", "12:01").cover(MIDDAY, NEW_YORK)
    assert not hours("17:00", "17:01").cover(MIDDAY, NEW_YORK)


@pytest.mark.parametrize(("since", "until"), [("22:00Z", "08:00"), ("22:00", "08:00+02:00")])
def test_a_time_of_day_with_a_zone_is_refused(since: str, until: str) -> None:
    with pytest.raises(ValidationError, match="without a zone"):
        hours(since, until)


def test_hours_without_a_length_are_refused() -> None:
    with pytest.raises(ValidationError, match="another time"):
        QuietHours.model_validate({"since": "08:00", "until": "08:00:00"})
