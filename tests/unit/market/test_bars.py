"""Bars: ticks into minutes, minutes into longer ones, days across clock changes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.market.bars import Bar, BarMaker, Timeframe, floor, stretches, with_live

NEW_YORK = ZoneInfo("America/New_York")
AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def shown(bar: Bar) -> tuple[datetime, str, str, str, str]:
    return (bar.start, str(bar.open), str(bar.high), str(bar.low), str(bar.close))


def test_a_minute_has_the_first_highest_lowest_and_last_price() -> None:
    maker = BarMaker()
    for second, price in ((0, "10"), (20, "12"), (40, "9"), (59.999999, "11"), (60, "7")):
        maker.add("AAPL", Decimal(price), at(second))
    assert [shown(bar) for bar in maker.unsaved()] == [
        (AT, "10", "12", "9", "11"),
        (at(60), "7", "7", "7", "7"),
    ]


def test_a_bar_that_changed_while_it_was_stored_is_stored_again() -> None:
    maker = BarMaker()
    maker.add("AAPL", Decimal(10), at(0))
    maker.add("JPM", Decimal(20), at(0))
    storing = maker.unsaved()
    maker.add("AAPL", Decimal(11), at(1))
    maker.saved(storing)
    assert [shown(bar) for bar in maker.unsaved()] == [(AT, "10", "11", "10", "11")]
    maker.saved(maker.unsaved())
    assert maker.unsaved() == []


def test_what_cannot_be_stored_for_long_is_dropped_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("paperdesk.market.bars._MOST_UNSAVED", 100)
    maker = BarMaker()
    for minute in range(1_000):
        maker.add("AAPL", Decimal(10), at(60 * minute))
    kept = maker.unsaved()
    assert 90 <= len(kept) <= 100
    assert kept[-1].start == at(60 * 999)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(Timeframe),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kathmandu", "America/Sao_Paulo"]),
)
def test_stretches_follow_each_other_without_a_gap(
    moment: datetime, timeframe: Timeframe, zone_name: str
) -> None:
    zone = ZoneInfo(zone_name)
    found = list(islice(stretches(moment, timeframe, zone), 4))
    assert found[0][0] <= moment < found[0][1]
    for (start, _), (_, earlier_end) in pairwise(found):
        assert earlier_end == start
    for start, end in found:
        assert start < end
        assert floor(start, timeframe, zone) == start
        assert floor(end - timedelta(microseconds=1), timeframe, zone) == start


def test_a_day_has_23_or_25_hours_when_the_clocks_change() -> None:
    spring = next(stretches(datetime(2026, 3, 8, 12, tzinfo=UTC), Timeframe.day, NEW_YORK))
    autumn = next(stretches(datetime(2026, 11, 1, 12, tzinfo=UTC), Timeframe.day, NEW_YORK))
    assert spring[1] - spring[0] == timedelta(hours=23)
    assert autumn[1] - autumn[0] == timedelta(hours=25)


def test_minutes_in_memory_continue_what_is_stored() -> None:
    stored = Bar("AAPL", AT, Decimal(10), Decimal(12), Decimal(9), Decimal(11), Decimal(5))
    maker = BarMaker()
    maker.add("AAPL", Decimal(8), at(60))
    maker.add("AAPL", Decimal(13), at(120))
    maker.add("AAPL", Decimal(20), at(300))
    merged = with_live([stored], maker.unsaved("AAPL"), Timeframe.five_minutes, NEW_YORK)
    assert [shown(bar) for bar in merged] == [
        (at(300), "20", "20", "20", "20"),
        (AT, "10", "13", "8", "13"),
    ]
    assert merged[1].volume == 5
