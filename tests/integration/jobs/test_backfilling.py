"""The kind `backfill` by itself: its span, its stretches, its waiting, and who hears of minutes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx2
import pytest
from sqlalchemy import func, select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import PriceUnavailable, ReadOnly
from paperdesk.jobs import backfill
from paperdesk.jobs.backfill import Backfill
from paperdesk.jobs.kinds import NoLongerMine
from paperdesk.ledger.proof.standing import Standing
from paperdesk.models import Job, PriceBar
from support.databases import START
from support.desk import DeskClient, open_desk
from support.massive import MINUTE, MassivePast, listed, minute
from support.performance import performance, replayed
from support.pricing import SleeplessClock

NO_JOB = cast("Job", None)
"""The job says nothing that the kind asks for."""
ROW = {"ticker": "AAPL", "from": "2026-11-20T13:00:00Z", "to": "2026-11-20T14:00:00Z"}
BEGAN = datetime(2026, 11, 20, 13, tzinfo=UTC)


class Told:
    """Notes how far a row is; stops it at the call of a number."""

    def __init__(self, stops_at: int | None = None) -> None:
        self.said: list[tuple[int | None, int | None]] = []
        self.stops_at = stops_at

    async def __call__(self, done: int | None = None, total: int | None = None) -> None:
        self.said.append((done, total))
        if len(self.said) == self.stops_at:
            raise NoLongerMine


@pytest.fixture
def massive() -> MassivePast:
    past = MassivePast()
    past.minutes["AAPL"] = [minute(BEGAN + n * MINUTE) for n in (0, 1, 2, 10, 20, 59)]
    past.page = 50_000
    return past


def kind(
    database: Database, massive: MassivePast, clock: ManualClock, heard: Any = lambda _: None
) -> Backfill:
    source = massive.source(clock, interval=15)
    return Backfill(database, source, clock, Standing(database, clock), heard)


def too_many() -> httpx2.Response:
    return httpx2.Response(429, headers={"Retry-After": "600"})


async def count(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(PriceBar)) or 0


@pytest.mark.parametrize(
    ("row", "since", "until"),
    [
        # New York's clocks went back on 1 November.
        ({"from": "2026-10-30", "to": "2026-11-02"}, "2026-10-30T04:00Z", "2026-11-03T05:00Z"),
        ({"from": "2026-11-02T09:30:00-05:00", "to": "2026-11-02"}, "2026-11-02T14:30Z", None),
        # Minutes of the last twenty may still change: it is 15:00.
        ({"from": "2026-11-19"}, "2026-11-19T05:00Z", "2026-11-20T14:40Z"),
        ({"from": "2026-11-19", "to": "2026-11-20"}, "2026-11-19T05:00Z", "2026-11-20T14:40Z"),
        ({"to": "2026-11-02T00:00:00Z"}, "2025-11-01T00:00Z", "2026-11-02T00:00Z"),
        ({}, "2025-11-19T14:40Z", "2026-11-20T14:40Z"),
        # 366 days and the hour that the clocks went back.
        ({"from": "2025-11-01", "to": "2026-11-01"}, "2025-11-01T04:00Z", "2026-11-02T05:00Z"),
    ],
)
def test_days_are_new_yorks_and_no_minute_is_asked_for_that_may_change(
    row: dict[str, str], since: str, until: str | None
) -> None:
    span = Backfill(
        cast("Any", None), cast("Any", None), ManualClock(START), cast("Any", None), print
    ).check({"ticker": "aapl"} | row, None)
    assert span.ticker == "AAPL"
    assert f"{span.since:%Y-%m-%dT%H:%MZ}" == since
    assert f"{span.until:%Y-%m-%dT%H:%MZ}" == (until or "2026-11-03T05:00Z")


async def test_it_stores_in_stretches_and_says_how_far_it_is(
    database: Database, massive: MassivePast, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_STRETCH", 2)
    heard: list[str] = []
    one = kind(database, massive, clock, heard.append)
    told = Told(stops_at=3)
    with pytest.raises(NoLongerMine):
        await one.run(NO_JOB, one.check(ROW, None), told)
    assert told.said == [(0, 60), (2, 60), (11, 60)]
    assert await count(database) == 4
    assert heard == ["AAPL", "AAPL"]


async def test_a_page_in_no_order_is_stored_once_and_whole(
    database: Database, massive: MassivePast, clock: ManualClock
) -> None:
    rows = massive.minutes["AAPL"]
    massive.wrong.append(listed([*reversed(rows), rows[0]]))
    one = kind(database, massive, clock)
    effect = await one.run(NO_JOB, one.check(ROW, None), Told())
    assert (effect["stored"], effect["there_already"]) == (6, 1)
    assert (effect["first"], effect["last"]) == (
        "2026-11-20T13:00:00.000000Z",
        "2026-11-20T13:59:00.000000Z",
    )


async def test_what_lies_outside_of_the_span_is_refused(
    database: Database, massive: MassivePast, clock: ManualClock
) -> None:
    starts = (BEGAN - MINUTE, BEGAN + timedelta(seconds=1), BEGAN + 60 * MINUTE)
    odd = [minute(BEGAN) | {"t": at} for at in ("1.5", "true", "null", "9" * 20)]
    massive.wrong.append(listed([minute(BEGAN), *map(minute, starts), *odd]))
    one = kind(database, massive, clock)
    effect = await one.run(NO_JOB, one.check(ROW, None), Told())
    assert (effect["stored"], effect["refused"]) == (1, 7)


async def test_pages_leave_room_for_the_feed(
    database: Database, massive: MassivePast, clock: ManualClock
) -> None:
    massive.page = 2
    one = kind(database, massive, clock)
    began = clock.now()
    told = Told()
    assert (await one.run(NO_JOB, one.check(ROW, None), told))["stored"] == 6
    # Three pages, a minute apart: on the free plan the feed has four requests of five a minute.
    assert clock.now() - began == timedelta(minutes=2)
    # It looks often whether it was stopped.
    assert len(told.said) > 2 * 30


async def test_massive_is_not_waited_for_for_ever(
    database: Database, massive: MassivePast, clock: ManualClock
) -> None:
    massive.wrong.extend(too_many() for _ in range(9))
    one = kind(database, massive, clock)
    began = clock.now()
    with pytest.raises(PriceUnavailable, match="no more requests"):
        await one.run(NO_JOB, one.check(ROW, None), Told())
    assert timedelta(minutes=40) < clock.now() - began <= timedelta(hours=1)


async def test_a_row_that_waits_stops_soon(
    database: Database, massive: MassivePast, clock: ManualClock
) -> None:
    massive.wrong.append(too_many())
    one = kind(database, massive, clock)
    began = clock.now()
    with pytest.raises(NoLongerMine):
        await one.run(NO_JOB, one.check(ROW, None), Told(stops_at=2))
    assert clock.now() - began <= timedelta(seconds=2)


async def test_pages_without_end_are_given_up(
    database: Database, massive: MassivePast, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_MOST_PAGES", 3)
    again = "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/minute/1/2?cursor=same"
    massive.wrong.extend(listed([minute(BEGAN)], again) for _ in range(9))
    one = kind(database, massive, clock)
    with pytest.raises(PriceUnavailable, match="without end"):
        await one.run(NO_JOB, one.check(ROW, None), Told())
    assert len(massive.asked) == 3


async def test_a_closed_desk_stores_no_minutes(
    database: Database, massive: MassivePast, clock: ManualClock
) -> None:
    one = kind(database, massive, clock)
    await Standing(database, clock).close([{"what": "wrong"}])
    with pytest.raises(ReadOnly):
        await one.run(NO_JOB, one.check(ROW, None), Told())
    assert await count(database) == 0


async def dip(desk: DeskClient, massive: MassivePast) -> None:
    """Fetch a minute of two days ago in which AAPL cost a tenth."""
    at = START - timedelta(days=2)
    low = {"o": "19", "h": "19", "l": "19", "c": "19"}
    massive.minutes["AAPL"] = [minute(at) | low]
    one: Backfill = desk.app.state.job_kinds.named("backfill")
    one._source = massive.source(ManualClock(START))
    row = {"ticker": "AAPL", "from": "2026-11-17"}
    assert (await one.run(NO_JOB, one.check(row, None), Told()))["stored"] == 1


async def test_performance_takes_up_new_minutes_at_once(
    timed: DeskClient, massive: MassivePast
) -> None:
    await replayed(timed, "AAPL,buy,10,190,5,0,")
    before = await performance(timed, "benchmark=AAPL")
    assert before["max_drawdown"] > -0.1
    await dip(timed, massive)
    after = await performance(timed, "benchmark=AAPL")
    assert after["max_drawdown"] < -0.1


async def test_performance_of_another_process_takes_them_up_too(
    postgres_url: str, massive: MassivePast
) -> None:
    async with (
        open_desk(postgres_url, clock=SleeplessClock(START)) as one,
        open_desk(postgres_url, clock=SleeplessClock(START)) as other,
    ):
        await one.app.state.market.tick()
        await replayed(one, "AAPL,buy,10,190,5,0,")
        assert (await performance(other))["max_drawdown"] > -0.1
        await dip(one, massive)
        async with asyncio.timeout(10):
            while (await performance(other))["max_drawdown"] > -0.1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
