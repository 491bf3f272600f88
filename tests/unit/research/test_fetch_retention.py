"""Which fetches stay: whole ones, the last of an hour, then of a day, however often one prunes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from paperdesk.research.retention import DAYS, EVERYTHING, HOURS, outdated
from support.databases import START

MINUTES = st.lists(st.integers(0, 800 * 24 * 60), unique=True, max_size=60)
DENSE = st.lists(st.integers(2 * 24 * 60, 3 * 24 * 60), unique=True, max_size=60)


def stays(fetches: list[datetime], now: datetime) -> list[datetime]:
    gone = set(outdated(fetches, now))
    return [at for at in fetches if at not in gone]


def instants(minutes: list[int]) -> list[datetime]:
    return sorted(START - timedelta(minutes=m) for m in minutes)


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@given(MINUTES | DENSE)
def test_what_stays_is_the_last_of_each_stretch(minutes: list[int]) -> None:
    fetches = instants(minutes)
    kept = stays(fetches, START)

    def last_of(widest: timedelta, least: timedelta, *, days: bool) -> list[datetime]:
        last: dict[datetime, datetime] = {}
        for at in fetches:
            if least < START - at <= widest:
                last[hour(at).replace(hour=0) if days else hour(at)] = at
        return sorted(last.values())

    assert kept == [
        *last_of(DAYS, HOURS, days=True),
        *last_of(HOURS, EVERYTHING, days=False),
        *(at for at in fetches if START - at <= EVERYTHING),
    ]


@given(MINUTES | DENSE, st.lists(st.integers(0, 100_000), max_size=5))
def test_pruning_on_the_way_keeps_the_last_of_each_day(
    minutes: list[int], steps: list[int]
) -> None:
    fetches, now = instants(minutes), START
    kept = fetches
    for step in [0, *steps]:
        now += timedelta(minutes=step)
        kept = stays(kept, now)
    twice = stays(kept, now)

    assert twice == kept
    once = stays(fetches, now)
    assert set(kept) <= set(once)
    # An hour that a boundary cuts through now was whole before: its last one stayed then.
    for gone in set(once) - set(kept):
        day = hour(gone).replace(hour=0)
        assert any(hour(at).replace(hour=0) == day for at in kept if at > gone)


def test_a_desk_that_fetches_every_five_minutes_keeps_some_two_thousand() -> None:
    year = [START - timedelta(minutes=5 * n) for n in range(366 * 288)][::-1]

    assert 1_500 < len(stays(year, START)) < 2_000


def test_days_are_those_of_utc() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    evening, midnight = (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))

    assert outdated([evening, midnight], now) == []
