"""Time and ids: aware, sortable, unique, also when the machine's clock is set back."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from paperdesk.clock import ManualClock, SystemClock
from paperdesk.ids import new_id


def test_system_clock_tells_aware_utc() -> None:
    before = time.time_ns() // 1000
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now.timestamp() * 1_000_000 - before) < 5_000_000


async def test_system_clock_really_waits() -> None:
    before = time.monotonic()
    await SystemClock().sleep(0.02)
    assert time.monotonic() - before >= 0.019


def test_manual_clock_starts_in_utc_whatever_zone_it_is_given() -> None:
    given = datetime(2026, 11, 20, 10, 0, tzinfo=timezone(timedelta(hours=-5)))
    now = ManualClock(given).now()
    assert now == given
    assert now.tzinfo is UTC


async def test_manual_clock_moves_only_when_it_is_moved(clock: ManualClock) -> None:
    start = clock.now()
    assert clock.now() == start
    clock.advance(timedelta(minutes=-1))
    await clock.sleep(90)
    assert clock.now() - start == timedelta(seconds=30)


def test_id_is_a_uuid_of_version_seven_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before <= (made.int >> 80) <= before + 5000


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)


def test_ids_are_unique_over_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = pool.map(lambda _: [new_id() for _ in range(2000)], range(8))
    made = [one for batch in batches for one in batch]
    assert len(set(made)) == len(made)


def test_ids_keep_their_order_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_id()]
    yesterday = time.time_ns() - 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: yesterday)
    made += [new_id() for _ in range(100)]
    monkeypatch.undo()
    made.append(new_id())
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_of_one_millisecond_cannot_be_guessed_from_each_other() -> None:
    tails = {new_id()[-12:-4] for _ in range(3)}
    first = uuid.UUID(new_id()).int & ((1 << 62) - 1)
    time.sleep(0.002)
    second = uuid.UUID(new_id()).int & ((1 << 62) - 1)
    assert tails
    assert abs(second - first) > 1000
