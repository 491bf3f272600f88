"""Which snapshots stay when they grow old. Pure: no database, clock, input or output.

Time is cut into buckets, the wider the older they are. Of a bucket those stay that its shape needs:
the first and the last, the lowest and the highest (M4: U. Jugel et al., "M4: A Visualization-
Oriented Time Series Data Aggregation", VLDB 2014), and the two ends of its deepest fall, which lie
elsewhere where its highest comes after its lowest. So no peak or trough is lost, and the maximum
drawdown stays the same to the last digit, of totals above 0.

What stays of what stayed is what stays of the whole, so it makes no difference how often, when, and
in how many pieces it is done. `tests/unit/test_retention.py` tries to refute that.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Buckets are counted from here, so that they begin with minutes, hours and days of UTC."""


class Age(NamedTuple):
    """What is `older` than this is kept in buckets of a `width`."""

    older: timedelta
    width: timedelta


AGES: Final = (
    Age(timedelta(days=2), timedelta(minutes=5)),
    Age(timedelta(days=8), timedelta(minutes=20)),
    Age(timedelta(days=31), timedelta(hours=1)),
    Age(timedelta(days=366), timedelta(days=1)),
)
"""The youngest first; each width divides the next.

A range of the history that reaches into an age is at least 2,000 of its buckets long. So many
points can be shown, and each bucket has what its point needs.
"""


class Point(NamedTuple):
    """A snapshot: its total in the smallest unit, and whether prices were missing."""

    id: str
    at: datetime
    total: int
    incomplete: bool


class Span(NamedTuple):
    """A time from `start` to before `end` that is thinned to buckets of a `width`."""

    start: datetime
    end: datetime
    width: timedelta


def spans(now: datetime, before: datetime | None) -> list[Span]:
    """Return what is to be thinned, the oldest first, where all was done as of `before`.

    None: nothing was done yet. A bucket is thinned once the whole of it is old enough.
    """
    ends = [_bucket(now - age.older, age.width) for age in AGES]
    starts = [*ends[1:], BEGINNING]
    if before is not None:
        done = [_bucket(before - age.older, age.width) for age in AGES]
        starts = [max(pair) for pair in zip(starts, done, strict=True)]
    widths = [age.width for age in AGES]
    found = [Span(*span) for span in zip(starts, ends, widths, strict=True)]
    return [span for span in reversed(found) if span.start < span.end]


def thin(points: Sequence[Point], width: timedelta) -> tuple[list[str], list[Point]]:
    """Return the ids of the points that go, and those that stay of the last bucket.

    Points are in the order of time. Where more of them follow, what stays of the last bucket goes
    before those.
    """
    gone: list[str] = []
    stays: list[Point] = []
    for _, bucket in groupby(points, lambda point: _bucket(point.at, width)):
        whole = list(bucket)
        stays = kept(whole)
        ids = {point.id for point in stays}
        gone += [point.id for point in whole if point.id not in ids]
    return gone, stays


def kept(bucket: Sequence[Point]) -> list[Point]:
    """Return what stays of a bucket that is not empty, at most six, in the same order.

    The lowest, the highest and the deepest fall are looked for among the complete ones, where there
    are any: what was valued without a price takes no peak's place. Of equals the first stays.
    """
    sure = [point for point in bucket if not point.incomplete] or bucket
    stays = {bucket[0].id, bucket[-1].id}
    stays |= {point.id for point in (min(sure, key=_total), max(sure, key=_total))}
    stays |= {point.id for point in _deepest_fall(sure)}
    return [point for point in bucket if point.id in stays]


def _deepest_fall(points: Sequence[Point]) -> tuple[Point, Point] | tuple[()]:
    """Return the peak and the trough of the deepest fall, by its part of the peak; or nothing."""
    peak, deepest = points[0], None
    for point in points:
        if point.total > peak.total:
            peak = point
        elif point.total < peak.total and (
            deepest is None or _is_deeper((peak, point), than=deepest)
        ):
            deepest = peak, point
    return deepest or ()


def _is_deeper(fall: tuple[Point, Point], than: tuple[Point, Point]) -> bool:
    (peak, trough), (other_peak, other_trough) = fall, than
    if trough.total <= 0 or other_trough.total <= 0:
        # Everything was lost, of whatever there was: no part of the peak says how much.
        return trough.total < other_trough.total
    return trough.total * other_peak.total < other_trough.total * peak.total


def _total(point: Point) -> int:
    return point.total


def _bucket(at: datetime, width: timedelta) -> datetime:
    return at - (at - BEGINNING) % width
