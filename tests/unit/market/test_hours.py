"""Market hours: our rules against the reference calendar, and what follows from them."""

import warnings
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from paperdesk.market.hours import Hours, Nyse, RoundTheClock, hours_of
from paperdesk.market.sources import hours_for
from paperdesk.settings import Settings

NEW_YORK = ZoneInfo("America/New_York")
NYSE = Nyse()
AROUND = RoundTheClock(NEW_YORK)
FIRST = date(2000, 1, 1)
INSTANTS = st.integers(946_771_200, 1_796_083_200).map(lambda s: datetime.fromtimestamp(s, UTC))
"""From 2 January 2000 to 1 December 2026."""


@cache
def reference() -> dict[date, tuple[datetime, datetime]]:
    """Return when each session of the reference calendar opens and closes."""
    with warnings.catch_warnings():
        # pandas warns of its own future.
        warnings.simplefilter("ignore")
        import exchange_calendars  # noqa: PLC0415 - brings pandas, so not for the other tests

        schedule: Any = exchange_calendars.get_calendar("XNYS", start=FIRST.isoformat()).schedule
        return {
            day.date(): (row.open.to_pydatetime(), row.close.to_pydatetime())
            for day, row in schedule.iterrows()
        }


def test_every_day_since_2000_is_as_in_the_reference_calendar() -> None:
    wanted = reference()
    last = max(wanted)
    assert len(wanted) > 6_700
    day, different = FIRST, []
    while day <= last:
        session = NYSE.session_on(day)
        ours = (session.opens, session.closes) if session else None
        if ours != wanted.get(day):
            different.append((day, ours, wanted.get(day)))
        day += timedelta(days=1)
    assert different == []


@pytest.mark.parametrize(
    ("day", "early", "late"),
    [
        (date(2026, 11, 25), "09:00", "01:00"),
        (date(2026, 11, 27), "09:00", "22:00"),
        (date(2026, 7, 2), "08:00", "00:00"),
    ],
)
def test_extended_hours_end_early_where_the_day_does(day: date, early: str, late: str) -> None:
    session = NYSE.session_on(day)
    assert session is not None
    assert (f"{session.early:%H:%M}", f"{session.late:%H:%M}") == (early, late)


def test_hours_at_their_edges() -> None:
    opens = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    closes = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    moment = datetime.resolution
    assert [NYSE.is_open(at) for at in (opens - moment, opens, closes - moment, closes)] == [
        False,
        True,
        True,
        False,
    ]
    extended = [opens - timedelta(hours=5.5), closes + timedelta(hours=4)]
    assert [NYSE.is_open(at, extended=True) for at in extended] == [True, False]
    assert [NYSE.is_open(at - moment, extended=True) for at in extended] == [False, True]
    monday = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    assert (NYSE.next_open(opens - moment), NYSE.next_open(opens)) == (opens, monday)
    assert NYSE.next_close(closes - moment) == closes
    assert NYSE.next_close(closes) == monday + timedelta(hours=6.5)
    # A holiday, and a short day after it.
    assert NYSE.next_close(datetime(2026, 11, 26, 12, tzinfo=UTC)) == datetime(
        2026, 11, 27, 18, tzinfo=UTC
    )


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_a_day_around_the_clock_is_that_of_the_zone(day: date, hours: int) -> None:
    session = AROUND.session_on(day)
    assert session is not None
    assert session.late - session.early == timedelta(hours=hours)
    assert (session.early, session.late) == (session.opens, session.closes)
    assert session.opens.astimezone(NEW_YORK).date() == day


@pytest.mark.parametrize("hours", [NYSE, AROUND], ids=["nyse", "24x7"])
@given(at=INSTANTS)
def test_sessions_follow_one_another_without_overlap(hours: Hours, at: datetime) -> None:
    session = hours.current(at)
    assert session.early <= session.opens < session.closes <= session.late
    assert at < session.late
    following = hours.current(session.late)
    assert session.late <= following.early
    assert hours.is_open(at) == (session.opens <= at < session.closes)
    assert hours.is_open(at, extended=True) == (session.early <= at)
    assert at < hours.next_open(at) <= following.opens
    assert at < hours.next_close(at) <= following.closes
    assert hours.is_open(hours.next_open(at))
    assert hours.is_open(hours.next_close(at)) == (hours is AROUND)


def test_the_settings_say_which_hours() -> None:
    key = SecretStr("a-key")
    for settings, name in (
        (Settings(), "24x7"),
        (Settings(massive_api_key=key), "nyse"),
        (Settings(massive_api_key=key, market_hours="24x7"), "24x7"),
        (Settings(market_hours="nyse"), "nyse"),
    ):
        assert hours_for(settings).name == name
    assert hours_of("24x7", ZoneInfo("Asia/Tokyo")).current(
        datetime(2026, 11, 20, 15, tzinfo=UTC)
    ).day == date(2026, 11, 21)
