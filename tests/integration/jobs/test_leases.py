"""Leases: who lost one books nothing, and what a worker left behind is done by another, once."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import Connection, select, update

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.jobs import claims
from paperdesk.jobs.basket.kind import Basket
from paperdesk.jobs.booking import BookRows, Claimed
from paperdesk.jobs.changing import JobChanges
from paperdesk.jobs.kinds import FEW, Kinds
from paperdesk.jobs.lifecycle import JobEvent
from paperdesk.jobs.making import Asked, make
from paperdesk.jobs.schemas import JobTerms
from paperdesk.jobs.store import JOBS, ROWS
from paperdesk.models import Job, JobMode, JobRow, JobStatus, Trade
from support.jobs import assert_counted, buy, sell
from support.trading import TradingDesk, trading

T = TypeVar("T")


class Workers:
    """The parts of workers, moved by hand."""

    def __init__(self, desk: TradingDesk) -> None:
        self.desk = desk
        self.kind = Basket(desk.database, desk.ledger, cast("Any", None), desk.venue)
        self.changes = JobChanges(Kinds([self.kind]))

    async def make(self, *given: Any) -> str:
        asked = Asked("default", JobTerms(mode=JobMode.auto), self.kind)
        made = await make(self.desk.database, self.desk.clock, asked, given)
        return made.job.id

    async def do(self, do: Callable[[Connection], T]) -> T:
        async with self.desk.database.write() as session:
            return await (await session.connection()).run_sync(do)

    async def claim(self, job: str, lease: str) -> list[JobRow]:
        now = self.desk.clock.now()
        _, rows = await self.do(lambda connection: claims.claim(connection, job, lease, now))
        return rows

    async def book(self, job: str, lease: str, rows: list[JobRow]) -> None:
        ready = [Claimed(row, self.kind.check(row.data, None)) for row in rows]
        command = BookRows("default", job, lease, self.kind, ready, {}, self.desk.clock)
        await self.desk.ledger.submit(command)

    async def ask(self, job: str, event: JobEvent) -> None:
        now = self.desk.clock.now()
        await self.do(lambda c: self.changes.ask(c, "default", job, event, now))

    async def fall_silent(self) -> None:
        """Let the time of every lease run out, and have the reaper look."""
        past = self.desk.clock.now() - timedelta(days=400)
        for table in (ROWS, JOBS):
            over = update(table).where(table.c.lease.is_not(None)).values(leased_until=past)
            await self.do(partial(Connection.execute, statement=over))
        await self.do(lambda c: claims.reap(c, self.desk.clock.now()))

    async def trades(self) -> int:
        async with self.desk.database.read() as session:
            return len((await session.scalars(select(Trade))).all())

    async def statuses(self, job: str) -> list[str]:
        async with self.desk.database.read() as session:
            query = select(JobRow.status).where(JobRow.job_id == job)
            return [str(each) for each in await session.scalars(query.order_by(JobRow.row_number))]


@pytest.fixture
async def workers(database: Database, clock: ManualClock) -> AsyncIterator[Workers]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        yield Workers(desk)
        await assert_counted(database)


async def test_a_worker_whose_lease_was_reaped_books_nothing(workers: Workers) -> None:
    job = await workers.make(buy(), buy(), buy())
    late = await workers.claim(job, "late")
    await workers.fall_silent()
    await workers.book(job, "other", await workers.claim(job, "other"))
    assert await workers.trades() == 3

    await workers.book(job, "late", late)

    assert await workers.trades() == 3
    assert await workers.statuses(job) == ["completed"] * 3


async def test_a_row_that_was_reaped_and_waits_is_not_booked_by_who_lost_it(
    workers: Workers,
) -> None:
    job = await workers.make(buy())
    late = await workers.claim(job, "late")
    await workers.fall_silent()
    await workers.book(job, "late", late)
    assert await workers.trades() == 0
    assert await workers.statuses(job) == ["pending"]


async def test_a_row_that_another_worker_has_by_now_is_not_booked_by_who_lost_it(
    workers: Workers,
) -> None:
    job = await workers.make(buy())
    late = await workers.claim(job, "late")
    await workers.fall_silent()
    rows = await workers.claim(job, "other")
    await workers.book(job, "late", late)
    assert await workers.trades() == 0
    assert await workers.statuses(job) == ["processing"]
    await workers.book(job, "other", rows)
    assert await workers.trades() == 1


@pytest.mark.parametrize("event", [JobEvent.pause, JobEvent.cancel])
async def test_rows_that_were_claimed_before_a_job_was_stopped_are_put_back(
    workers: Workers, event: JobEvent
) -> None:
    job = await workers.make(buy(), buy())
    rows = await workers.claim(job, "worker")
    await workers.ask(job, event)
    await workers.book(job, "worker", rows)
    assert await workers.trades() == 0
    assert await workers.statuses(job) == ["pending", "pending"]
    assert await workers.claim(job, "worker") == []


async def test_an_undo_takes_away_what_a_worker_still_has(workers: Workers) -> None:
    job = await workers.make(*[buy(quantity="0.1")] * (FEW + 1))
    await workers.book(job, "worker", await workers.claim(job, "worker"))
    late = await workers.claim(job, "late")
    assert len(late) == 1
    await workers.ask(job, JobEvent.cancel)
    await workers.ask(job, JobEvent.undo)
    # At once: nobody waits for a worker that may be gone.
    assert (await workers.statuses(job))[-1] == "pending"
    await workers.book(job, "late", late)
    assert await workers.trades() == FEW


async def test_a_sign_of_life_keeps_a_lease(workers: Workers) -> None:
    job = await workers.make(buy())
    rows = await workers.claim(job, "worker")
    past = workers.desk.clock.now() - timedelta(days=400)
    await workers.do(lambda c: c.execute(update(ROWS).values(leased_until=past)))
    now = workers.desk.clock.now()
    await workers.do(lambda c: claims.beat(c, "worker", now))
    assert await workers.do(lambda c: claims.reap(c, now)) == 0
    await workers.book(job, "worker", rows)
    assert await workers.trades() == 1


async def test_a_row_that_breaks_off_again_and_again_needs_a_review(workers: Workers) -> None:
    """And spoils no other: after three tries it is tried alone."""
    job = await workers.make(buy(), sell(), buy())
    for attempt in range(claims.MOST_ATTEMPTS):
        rows = await workers.claim(job, f"worker-{attempt}")
        assert [row.row_number for row in rows] == ([1, 2, 3] if attempt < 3 else [1])
        await workers.fall_silent()
    assert await workers.statuses(job) == ["needs_review", "pending", "pending"]
    for row in (2, 3):
        rows = await workers.claim(job, "worker")
        assert [each.row_number for each in rows] == [row]
        await workers.book(job, "worker", rows)
    assert await workers.statuses(job) == ["needs_review", "failed", "completed"]
    async with workers.desk.database.read() as session:
        found = await session.get_one(Job, job)
        assert (found.status, found.processed_rows) == (JobStatus.completed, 3)
        row = await session.scalar(select(JobRow).where(JobRow.row_number == 1))
        assert row is not None
        assert row.error_code == "BROKE_OFF"


async def test_several_workers_share_what_has_no_order(workers: Workers) -> None:
    job = await workers.make(*[buy(quantity="0.1")] * (FEW + 6))
    one = await workers.claim(job, "one")
    other = await workers.claim(job, "other")
    assert (len(one), len(other)) == (FEW, 6)
    await workers.book(job, "other", other)
    await workers.book(job, "one", one)
    assert set(await workers.statuses(job)) == {"completed"}


async def test_what_has_an_order_is_taken_by_one_worker_at_a_time(workers: Workers) -> None:
    job = await workers.make(*[buy(), sell()] * FEW)
    one = await workers.claim(job, "one")
    assert await workers.claim(job, "other") == []
    await workers.book(job, "one", one)
    assert await workers.claim(job, "other") == []
    assert len(await workers.claim(job, "one")) == FEW


async def test_a_worker_that_stops_leaves_everything_to_others(workers: Workers) -> None:
    job = await workers.make(buy(), sell())
    late = await workers.claim(job, "one")
    now = workers.desk.clock.now()
    await workers.do(lambda c: claims.leave(c, now, "one"))
    rows = await workers.claim(job, "other")
    assert [row.attempts for row in rows] == [1, 1]
    await workers.book(job, "one", late)
    assert await workers.trades() == 0
    await workers.book(job, "other", rows)
    assert await workers.statuses(job) == ["completed", "completed"]
