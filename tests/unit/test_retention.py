"""Which old snapshots stay: the shape of the curve, however often and whenever it is thinned."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.portfolio.history import Range
from paperdesk.portfolio.retention import AGES, BEGINNING, Point, kept, spans, thin
from support.databases import START

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WIDTHS = [age.width for age in AGES]
MOST_POINTS = 2000
"""That the history shows of a range."""

Row = tuple[int, int, bool]
"""Minutes since the one before, the total, whether it is incomplete."""


def rows(
    totals: st.SearchStrategy[int], gaps: st.SearchStrategy[int]
) -> st.SearchStrategy[list[Row]]:
    # One of four is incomplete.
    incomplete = st.integers(0, 3).map(lambda number: number == 3)
    each = st.tuples(gaps, totals, incomplete)
    # Most lists would be too short to fill buckets of several widths.
    return st.lists(each, min_size=1, max_size=60) | st.lists(each, min_size=30, max_size=60)


DENSE = st.integers(0, 2)
"""Minutes between rows of which many are in one bucket."""
SPARSE = DENSE | st.integers(0, 400)
FEW = st.integers(0, 6)
"""Totals of which many are equal."""
LOST = st.integers(-3, 6)
SIGNED = rows(FEW, DENSE) | rows(LOST, DENSE) | rows(LOST | st.integers(-1000, 1000), SPARSE)
EARNED = rows(FEW | st.integers(1, 1000), DENSE)
NOWS = st.tuples(st.sampled_from(AGES), st.integers(0, 90) | st.integers(0, 3000)).map(
    lambda drawn: START + drawn[0].older + drawn[1] * MINUTE
)
"""Instants at which some of a curve grows old."""


def curve(of: Sequence[Row], start: datetime = START) -> list[Point]:
    points: list[Point] = []
    for number, (minutes, total, incomplete) in enumerate(of):
        start += minutes * MINUTE
        points.append(Point(f"{number:04}", start, total, incomplete))
    return points


def complete(*totals: int) -> list[Point]:
    return curve([(1, total, False) for total in totals])


def thinned(points: Sequence[Point], width: timedelta) -> list[Point]:
    gone = set(thin(points, width)[0])
    return [point for point in points if point.id not in gone]


def aged(points: Sequence[Point], now: datetime, before: datetime | None = None) -> list[Point]:
    """Return what stays of a whole curve as of an instant."""
    stays = list(points)
    for start, end, width in spans(now, before):
        inside = [point for point in stays if start <= point.at < end]
        gone = set(thin(inside, width)[0])
        stays = [point for point in stays if point.id not in gone]
    return stays


def totals(points: Sequence[Point]) -> list[int]:
    return [point.total for point in points]


def max_drawdown(points: Sequence[Point]) -> Fraction:
    deepest, peak = Fraction(0), 0
    for point in points:
        peak = max(peak, point.total)
        deepest = max(deepest, 1 - Fraction(point.total, peak)) if peak else deepest
    return deepest


def buckets(points: Sequence[Point], width: timedelta) -> list[list[Point]]:
    found: dict[timedelta, list[Point]] = {}
    for point in points:
        found.setdefault((point.at - BEGINNING) // width * width, []).append(point)
    return list(found.values())


def test_the_ends_the_lowest_and_the_highest_of_a_bucket_stay() -> None:
    assert totals(kept(complete(5, 6, 9, 4, 3, 4, 6))) == [5, 9, 3, 6]


def test_a_fall_within_a_rise_stays() -> None:
    # The lowest and the highest are the ends, and say nothing of it.
    assert totals(kept(complete(10, 50, 90, 80, 70, 75, 100))) == [10, 90, 70, 100]


def test_the_deepest_fall_is_the_one_that_takes_the_largest_part() -> None:
    assert totals(kept(complete(1, 20, 15, 12, 18, 100, 91, 120))) == [1, 20, 12, 120]
    # Nothing is left either time, and the second time less.
    assert totals(kept(complete(-9, 20, -1, 30, -2, 120))) == [-9, 30, -2, 120]


def test_of_equals_the_first_stays() -> None:
    stays = kept(complete(5, 9, 1, 5, 9, 1, 5))
    assert [point.id for point in stays] == ["0000", "0001", "0002", "0006"]


def test_what_stands_still_keeps_its_ends() -> None:
    assert [point.id for point in kept(complete(7, 7, 7, 7))] == ["0000", "0003"]


def test_an_incomplete_snapshot_takes_no_place_of_a_complete_peak_or_trough() -> None:
    points = curve(
        [(1, 5, False), (1, 99, True), (1, 9, False), (1, 3, False), (1, 0, True), (1, 5, False)]
    )
    assert totals(kept(points)) == [5, 9, 3, 5]


def test_of_a_bucket_without_complete_ones_the_extremes_stay_all_the_same() -> None:
    points = curve([(1, total, True) for total in (5, 6, 9, 4, 3, 4, 6)])
    assert totals(kept(points)) == [5, 9, 3, 6]


@given(SIGNED, st.sampled_from(WIDTHS))
def test_a_bucket_keeps_six_at_the_most_and_its_ends_and_complete_extremes(
    of: list[Row], width: timedelta
) -> None:
    points = curve(of)
    before, after = buckets(points, width), buckets(thinned(points, width), width)
    assert len(before) == len(after)
    for whole, stays in zip(before, after, strict=True):
        assert len(stays) <= 6
        assert (stays[0], stays[-1]) == (whole[0], whole[-1])
        sure = totals([p for p in whole if not p.incomplete] or whole)
        left = totals([p for p in stays if not p.incomplete] or stays)
        assert (min(left), max(left)) == (min(sure), max(sure))


@given(EARNED, st.sampled_from(WIDTHS))
def test_the_deepest_fall_of_all_complete_snapshots_is_the_same_to_the_last_digit(
    of: list[Row], width: timedelta
) -> None:
    points = [point for point in curve(of) if not point.incomplete]
    assert max_drawdown(thinned(points, width)) == max_drawdown(points)


@given(EARNED, st.sampled_from(WIDTHS))
def test_incomplete_snapshots_cost_no_complete_one_its_part_in_the_deepest_fall(
    of: list[Row], width: timedelta
) -> None:
    points = curve(of)
    sure = [point for point in points if not point.incomplete]
    left = [point for point in thinned(points, width) if not point.incomplete]
    assert max_drawdown(left) == max_drawdown(sure)


@given(SIGNED, st.lists(st.sampled_from(WIDTHS), max_size=3), st.sampled_from(WIDTHS))
def test_going_through_narrower_buckets_leaves_the_same_as_going_there_directly(
    of: list[Row], through: list[timedelta], width: timedelta
) -> None:
    points = curve(of)
    stays = points
    for narrower in sorted(w for w in through if w <= width):
        stays = thinned(stays, narrower)
    assert thinned(stays, width) == thinned(points, width)


@given(SIGNED, st.sets(st.integers(1, 40)), st.sampled_from(WIDTHS))
def test_pieces_leave_the_same_as_the_whole(
    of: list[Row], cuts: set[int], width: timedelta
) -> None:
    points = curve(of)
    stays: list[Point] = []
    gone: list[str] = []
    for first, last in pairwise([0, *sorted(cuts), max(len(points), 41)]):
        more, stays = thin([*stays, *points[first:last]], width)
        gone += more
    assert sorted(gone) == sorted(thin(points, width)[0])


@given(SIGNED, st.lists(NOWS, max_size=6).map(sorted))
def test_it_makes_no_difference_when_and_how_often_it_is_done(
    of: list[Row], instants: list[datetime]
) -> None:
    points = curve(of)
    stays, before = points, None
    for now in instants:
        stays = aged(stays, now, before)
        # A restart forgets how far it was done.
        assert aged(stays, now) == stays
        before = now
    assert stays == (aged(points, before) if before else points)


@given(SIGNED, NOWS)
def test_the_very_first_and_the_newest_stay_and_so_does_all_of_the_last_two_days(
    of: list[Row], now: datetime
) -> None:
    points = curve(of)
    stays = aged(points, now)
    assert (stays[0], stays[-1]) == (points[0], points[-1])
    recent = [point for point in points if now - point.at <= 2 * DAY]
    assert recent == [point for point in stays if now - point.at <= 2 * DAY]


def test_each_time_is_thinned_by_its_age_in_whole_buckets() -> None:
    now = datetime.fromisoformat("2026-11-20T15:04:59Z")
    found = [(f"{s.start:%Y-%m-%d %H:%M}", s.width) for s in spans(now, None)]
    assert found == [
        ("1970-01-01 00:00", DAY),
        ("2025-11-19 00:00", HOUR),
        ("2026-10-20 15:00", 20 * MINUTE),
        ("2026-11-12 15:00", 5 * MINUTE),
    ]
    assert spans(now, None)[-1].end == datetime.fromisoformat("2026-11-18T15:00:00Z")


def test_only_what_grew_old_since_is_thinned_again() -> None:
    now = datetime.fromisoformat("2026-11-20T15:04:59Z")
    assert spans(now, now) == []
    assert spans(now, now + DAY) == []
    assert [(s.end - s.start, s.width) for s in spans(now + HOUR, now)] == [
        (HOUR, HOUR),
        (HOUR, 20 * MINUTE),
        (HOUR, 5 * MINUTE),
    ]
    assert spans(now + 10 * HOUR, now)[0].end == datetime.fromisoformat("2025-11-20T00:00:00Z")


@pytest.mark.parametrize("span", [span for span in Range if span is not Range.all])
def test_a_range_has_at_least_as_many_buckets_as_points(span: Range) -> None:
    start = span.start(START)
    assert start
    length = START - start
    widths = [age.width for age in AGES if age.older < length]
    assert all(length / width >= MOST_POINTS for width in widths)


def test_ages_and_widths_grow_and_each_width_divides_the_next() -> None:
    for younger, older in pairwise(AGES):
        assert younger.older < older.older
        assert older.width % younger.width == timedelta(0)
        assert older.width > younger.width
