"""Market hours: NYSE's beside a calendar that others keep, and days that clocks make odd."""

import warnings
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.market.hours import Hours, Nyse, RoundTheClock, Session, hours_of

NEW_YORK = ZoneInfo("America/New_York")
NYSE = Nyse()
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)

# Each has days of its own kind: changes at midnight, back over midnight, a date left out.
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
)
MARKETS: tuple[Hours, ...] = (NYSE, *(RoundTheClock(ZoneInfo(zone)) for zone in ZONES))


def new_york(text: str) -> datetime:
    """Return the instant of such a time of the clocks in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def days(first: date, last: date) -> Iterable[date]:
    return (first + DAY * number for number in range((last - first).days + 1))


def sessions(hours: Hours, first: date, last: date) -> list[Session]:
    return [session for day in days(first, last) if (session := hours.session_on(day))]


def session(hours: Hours, day: date) -> Session:
    found = hours.session_on(day)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def reference() -> dict[date, tuple[datetime, datetime]]:
    """Return the days on which exchange_calendars has NYSE open, with opening and close."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas: two seconds for each who collects

    with warnings.catch_warnings():
        # Its own use of pandas, in the newest of which Series.values is on its way out.
        warnings.filterwarnings("ignore", "Series.values", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST))
    return {
        day.date(): (opens.to_pydatetime(), closes.to_pydatetime())
        for day, opens, closes in zip(
            calendar.sessions, calendar.opens, calendar.closes, strict=True
        )
    }


def test_nyse_trades_on_the_days_of_the_reference(
    reference: dict[date, tuple[datetime, datetime]],
) -> None:
    assert len(reference) > 25_000
    ours = {day for day in days(FIRST, LAST) if NYSE.session_on(day)}
    assert sorted(ours ^ reference.keys()) == []


def test_nyse_opens_and_closes_when_the_reference_does(
    reference: dict[date, tuple[datetime, datetime]],
) -> None:
    ours = {each.day: (each.opens, each.closes) for each in sessions(NYSE, FIRST, LAST)}
    assert {day for day in ours if ours[day] != reference.get(day)} == set()


def test_nyse_has_extended_hours_from_four_to_eight_or_after_an_early_close_to_five() -> None:
    found = {
        tuple(
            at.astimezone(NEW_YORK).time()
            for at in (each.early, each.opens, each.closes, each.late)
        )
        for each in sessions(NYSE, FIRST, date(2030, 1, 1))
    }
    assert found == {
        (time(4), time(9, 30), time(16), time(20)),
        (time(4), time(9, 30), time(13), time(17)),
    }


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2001-09-14", "the attacks"),
        ("2012-10-30", "Hurricane Sandy"),
        ("2018-12-05", "mourning"),
        ("2025-01-09", "mourning"),
        ("2000-01-17", "Martin Luther King Jr. Day"),
        ("2027-03-26", "Good Friday"),
        ("2022-06-20", "Juneteenth was a Sunday"),
        ("2027-06-18", "Juneteenth is a Saturday"),
        ("2021-12-24", "Christmas was a Saturday"),
        ("2026-07-03", "Independence Day is a Saturday"),
        ("2023-01-02", "New Year's Day was a Sunday"),
        ("2026-11-28", "a Saturday"),
    ],
)
def test_nyse_is_closed(day: str, why: str) -> None:
    assert NYSE.session_on(date.fromisoformat(day)) is None, why


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2021-12-31", "New Year's Day was a Saturday, and the year ended"),
        ("2021-06-18", "Juneteenth was not observed yet"),
        ("2001-09-17", "trading was taken up again"),
        ("2002-07-03", "a Wednesday, before 2013"),
        ("2013-07-05", "a Friday, since 2013"),
        ("2008-12-26", "Friday after Christmas was short in 2003 alone"),
        ("2025-10-13", "Columbus Day is none of NYSE's"),
    ],
)
def test_nyse_trades_all_day(day: str, why: str) -> None:
    assert session(NYSE, date.fromisoformat(day)).closes == new_york(f"{day} 16:00"), why


@pytest.mark.parametrize(
    "day",
    ["2002-07-05", "2003-12-26", "2012-07-03", "2013-07-03", "2026-11-27", "2026-12-24"],
)
def test_nyse_closes_early(day: str) -> None:
    found = session(NYSE, date.fromisoformat(day))
    assert (found.closes, found.late) == (new_york(f"{day} 13:00"), new_york(f"{day} 17:00"))


@pytest.mark.parametrize(
    ("day", "opens"),
    [
        (date(2026, 3, 6), datetime(2026, 3, 6, 14, 30, tzinfo=UTC)),
        (date(2026, 3, 9), datetime(2026, 3, 9, 13, 30, tzinfo=UTC)),
        (date(2026, 10, 30), datetime(2026, 10, 30, 13, 30, tzinfo=UTC)),
        (date(2026, 11, 2), datetime(2026, 11, 2, 14, 30, tzinfo=UTC)),
        (date(2006, 4, 3), datetime(2006, 4, 3, 13, 30, tzinfo=UTC)),  # April, until 2006
    ],
)
def test_nyse_opens_by_the_clocks_of_new_york(day: date, opens: datetime) -> None:
    assert session(NYSE, day).opens == opens


@pytest.mark.parametrize(
    ("at", "current", "trading", "next_open", "next_close"),
    [
        # Thanksgiving is the 26th; the 27th closes early.
        ("11-25 03:59:59.999999", 25, "none", "11-25 09:30", "11-25 16:00"),
        ("11-25 04:00", 25, "extended", "11-25 09:30", "11-25 16:00"),
        ("11-25 09:29:59.999999", 25, "extended", "11-25 09:30", "11-25 16:00"),
        ("11-25 09:30", 25, "regular", "11-27 09:30", "11-25 16:00"),
        ("11-25 15:59:59.999999", 25, "regular", "11-27 09:30", "11-25 16:00"),
        ("11-25 16:00", 25, "extended", "11-27 09:30", "11-27 13:00"),
        ("11-25 19:59:59.999999", 25, "extended", "11-27 09:30", "11-27 13:00"),
        ("11-25 20:00", 27, "none", "11-27 09:30", "11-27 13:00"),
        ("11-26 12:00", 27, "none", "11-27 09:30", "11-27 13:00"),
        ("11-27 12:59:59.999999", 27, "regular", "11-30 09:30", "11-27 13:00"),
        ("11-27 13:00", 27, "extended", "11-30 09:30", "11-30 16:00"),
        ("11-27 17:00", 30, "none", "11-30 09:30", "11-30 16:00"),
        ("11-29 12:00", 30, "none", "11-30 09:30", "11-30 16:00"),
    ],
)
def test_nyse_at_the_edges_of_its_hours(
    at: str, current: int, trading: str, next_open: str, next_close: str
) -> None:
    moment = new_york(f"2026-{at}")
    assert NYSE.current(moment).day == date(2026, 11, current)
    assert NYSE.is_open(moment) is (trading == "regular")
    assert NYSE.is_open(moment, extended=True) is (trading != "none")
    assert NYSE.next_open(moment) == new_york(f"2026-{next_open}")
    assert NYSE.next_close(moment) == new_york(f"2026-{next_close}")


def test_nyse_finds_its_way_over_the_longest_closure() -> None:
    found = NYSE.current(new_york("2001-09-10 20:00"))
    assert found.day == date(2001, 9, 17)


ODD_DAYS = (
    date(2001, 9, 12),  # between days on which NYSE was closed
    date(2011, 12, 30),  # left out in Apia
    date(2011, 11, 6),  # St. John's goes back over midnight
    date(2018, 11, 4),  # Sao Paulo goes forward at midnight
    date(2024, 3, 10),  # New York and Havana go forward, Havana at midnight
    date(2024, 11, 3),  # and back
    date(2026, 11, 27),  # NYSE closes early
)
BESIDE = (timedelta(0), -INSTANT, INSTANT, -timedelta(minutes=30), timedelta(minutes=30))


@st.composite
def moments(draw: st.DrawFn, hours: Hours) -> datetime:
    """Draw an instant, mostly one at which something begins or ends, or one beside it."""
    day = draw(st.sampled_from(ODD_DAYS) | st.dates(date(2000, 1, 10), date(2090, 1, 1)))
    found = hours.session_on(day + draw(st.integers(-1, 1)) * DAY)
    if found is None:
        return datetime.combine(day, draw(st.times()), UTC)
    edge = draw(st.sampled_from([found.early, found.opens, found.closes, found.late]))
    return edge + draw(st.sampled_from(BESIDE))


@given(st.data(), st.sampled_from(MARKETS))
def test_answers_are_those_of_the_sessions_around(data: st.DataObject, hours: Hours) -> None:
    at = data.draw(moments(hours))
    around = sessions(hours, at.date() - 3 * DAY, at.date() + 12 * DAY)

    assert hours.current(at) == next(each for each in around if each.late > at)
    assert hours.is_open(at) is any(each.opens <= at < each.closes for each in around)
    assert hours.is_open(at, extended=True) is any(each.early <= at < each.late for each in around)
    assert hours.next_open(at) == min(each.opens for each in around if each.opens > at)
    assert hours.next_close(at) == min(each.closes for each in around if each.closes > at)


@given(
    st.sampled_from(MARKETS),
    st.sampled_from(ODD_DAYS) | st.dates(date(2000, 1, 10), date(2090, 1, 1)),
)
def test_sessions_follow_each_other(hours: Hours, day: date) -> None:
    found = sessions(hours, day - 5 * DAY, day + 5 * DAY)
    for each in found:
        assert each.early <= each.opens < each.closes <= each.late
        assert {at.tzinfo for at in (each.early, each.opens, each.closes, each.late)} == {UTC}
    for earlier, later in pairwise(found):
        assert earlier.late <= later.early
        if hours is not NYSE:
            assert earlier.late == later.early


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("America/New_York", date(2026, 3, 7), 24),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # begins at 1:00
        ("America/Sao_Paulo", date(2018, 2, 17), 25),  # has its last hour twice
        ("America/Havana", date(2024, 11, 3), 25),  # has its first hour twice
        ("Asia/Kathmandu", date(2026, 3, 8), 24),
    ],
)
def test_a_day_round_the_clock_is_as_long_as_the_clocks_make_it(
    zone: str, day: date, length: int
) -> None:
    found = session(RoundTheClock(ZoneInfo(zone)), day)
    assert found.late - found.early == timedelta(hours=length)
    assert (found.early, found.late) == (found.opens, found.closes)


def test_a_day_round_the_clock_goes_from_midnight_to_midnight_on_the_desk() -> None:
    found = session(RoundTheClock(NEW_YORK), date(2026, 3, 8))
    assert found == Session(
        date(2026, 3, 8),
        datetime(2026, 3, 8, 5, tzinfo=UTC),
        datetime(2026, 3, 8, 5, tzinfo=UTC),
        datetime(2026, 3, 9, 4, tzinfo=UTC),
        datetime(2026, 3, 9, 4, tzinfo=UTC),
    )


def test_a_day_that_the_desk_never_had_has_no_session() -> None:
    apia = RoundTheClock(ZoneInfo("Pacific/Apia"))
    assert apia.session_on(date(2011, 12, 30)) is None
    assert session(apia, date(2011, 12, 29)).late == session(apia, date(2011, 12, 31)).early


def test_midnight_round_the_clock_belongs_to_the_new_day() -> None:
    hours = RoundTheClock(NEW_YORK)
    midnight = new_york("2026-03-08 00:00")
    assert hours.current(midnight - INSTANT).day == date(2026, 3, 7)
    assert hours.current(midnight).day == date(2026, 3, 8)
    assert (hours.next_open(midnight), hours.next_close(midnight)) == (
        new_york("2026-03-09 00:00"),
        new_york("2026-03-09 00:00"),
    )
    assert hours.next_close(midnight - INSTANT) == midnight


@pytest.mark.parametrize("hours", [NYSE, RoundTheClock(NEW_YORK)], ids=lambda hours: hours.name)
def test_a_naive_instant_is_refused(hours: Hours) -> None:
    naive = datetime(2026, 11, 27, 12)  # noqa: DTZ001 - the point
    for ask in (hours.current, hours.is_open, hours.next_open, hours.next_close):
        with pytest.raises(TypeError, match="offset-naive"):
            ask(naive)


def test_hours_are_had_by_name() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    named = hours_of("nyse", berlin), hours_of("24x7", berlin)
    assert [hours.name for hours in named] == ["nyse", "24x7"]
    day = date(2026, 11, 27)
    assert [session(hours, day).early for hours in named] == [
        new_york("2026-11-27 04:00"),
        datetime(2026, 11, 26, 23, tzinfo=UTC),
    ]
