"""The worker: takes rows of jobs on lease, has them booked, and goes on with the next job.

Jobs take turns, a stretch of rows each, or half a second where rows are many and small, so that no
job waits for the end of another; one in trouble is left alone for a moment. Every process of a desk
may have a worker. What one of them leaves when it goes down is put back by any other, or by itself
when it starts again.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection

from paperdesk.audit.actor import Actor, ActorKind, acting
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, PaperdeskError, ReadOnly, Refused, UnknownOutcome
from paperdesk.events.feed import Feed
from paperdesk.ids import new_id
from paperdesk.jobs import claims, ending, previewing
from paperdesk.jobs.booking import BookRows, Claimed, NotAllBooked, UndoRows
from paperdesk.jobs.bulk import BookRange, claim_range
from paperdesk.jobs.kinds import BookedKind, BulkKind, GivenTask, Kinds, NoLongerMine, TaskKind
from paperdesk.jobs.previewing import Preview
from paperdesk.jobs.store import locked_job
from paperdesk.jobs.telling import event_of
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.models import Atomicity, Job, JobPhase, JobRow
from paperdesk.runtime.tasks import happens_within

PATIENCE: Final = 1.0
"""Seconds after which the queue is looked at though nobody told of a job."""
_PAUSE: Final = 1.0
"""Seconds for which a job is left alone that could not go on."""
_TURN: Final = 0.5
"""Seconds after which a job whose rows are booked many at once lets the others have their turns."""

T = TypeVar("T")

log = structlog.get_logger()


class Worker:
    """One worker; `lease` is its name while it runs."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        kinds: Kinds,
        clock: Clock,
        feed: Feed,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._kinds = kinds
        self._clock = clock
        self._feed = feed
        self._shared = feed.shared
        self._lease = new_id()
        self._since = clock.now()
        self.started = asyncio.Event()
        """Set once it has put back what was left behind, and works."""
        self.stopped = asyncio.Event()
        """Set once it has ended, and has nothing any more."""
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._served: dict[str, int] = {}
        self._turns = 0
        self._not_before: dict[str, float] = {}
        self._previews: dict[str, Preview] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reaped_at = 0.0

    def heard(self, _about: object = None) -> None:
        """Look at the queue soon: something was put there. From any thread."""
        loop = self._loop
        if loop is not None:
            # A loop that was closed has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """Have `run` return once the rows that are being booked are."""
        self._stopping = True
        self.heard()

    async def run(self) -> None:
        """Work until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._lease = new_id()
        reclaim = partial(claims.reclaim, since=self._since)
        await self._in_transaction(claims.reap if self._shared else reclaim)
        self.started.set()
        beating = asyncio.create_task(self._beat(), name="paperdesk-jobs-beat")
        try:
            while not self._stopping:
                self._woken.clear()
                if not await self.work():
                    await happens_within(self._woken, PATIENCE, self._clock)
        finally:
            for task in (beating, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(beating, *self._tasks.values(), return_exceptions=True)
            self._tasks.clear()
            self._previews.clear()
            # What is on its way into the books finds that it is nobody's any more.
            await self._in_transaction(partial(claims.leave, lease=self._lease))
            self.stopped.set()

    async def work(self) -> bool:
        """Give each job that can go on its turn; say whether any of them did."""
        await self._reap()
        # Only read, so that an idle desk takes no turn of those who write: a claim looks again.
        async with self._database.read() as session:
            jobs = await (await session.connection()).run_sync(claims.runnable)
        known = {job.id for job in jobs}
        for memory in (self._served, self._not_before, self._previews):
            for job_id in memory.keys() - known:
                del memory[job_id]
        went_on = False
        for job in sorted(jobs, key=lambda each: self._served.get(each.id, 0)):
            if self._stopping:
                break
            if self._not_before.get(job.id, 0.0) > time.monotonic():
                continue
            self._turns += 1
            self._served[job.id] = self._turns
            went_on = await self._turn(job) or went_on
        return went_on

    async def _turn(self, job: Any) -> bool:
        """Go on with one job; whatever happens to it, the others have their turns."""
        acting.set(Actor(ActorKind.job, job.id))
        try:
            kind = self._kinds.named(job.kind)
            if isinstance(kind, TaskKind):
                return self._begin_task(job.id, kind)
            if job.phase is JobPhase.preview:
                return await self._preview(job, kind)
            if isinstance(kind, BulkKind) and await self._book_range(job, kind):
                return True
            return await self._book(job, kind)
        except (Busy, ReadOnly, UnknownOutcome) as error:
            # Nobody's fault. Where the outcome is not known, the rows themselves say what it was.
            log.info("jobs.waits", job=job.id, error=str(error))
            await self._leave(job.id, was_tried=False)
        except Refused as error:
            log.warning("jobs.refused", job=job.id, error=str(error))
            await self._leave(job.id, was_tried=True)
        except Exception:
            log.exception("jobs.turn_failed", job=job.id)
            await self._leave(job.id, was_tried=True)
        return False

    async def _leave(self, job_id: str, *, was_tried: bool) -> None:
        """Put back what is left of a job's rows, and leave the job alone for a moment."""
        self._not_before[job_id] = time.monotonic() + _PAUSE
        self._previews.pop(job_id, None)
        await self._in_transaction(
            lambda connection, now: claims.give_back(
                connection, job_id, self._lease, now, was_tried=was_tried
            )
        )

    async def _book(self, found: Any, kind: BookedKind) -> bool:
        job, rows = await self._in_transaction(
            lambda connection, now: claims.claim(
                connection, found.id, self._lease, now, kind.at_once
            )
        )
        if job is None:
            return False
        if not rows:
            return await self._end(job.id)
        if job.phase is JobPhase.undo:
            await self._ledger.submit(
                UndoRows(job.user_id, job.id, self._lease, kind, rows, self._clock)
            )
            return True
        whole = job.atomicity is Atomicity.all
        if whole and job.failed_rows:
            await self._give_up(job.id, None)
            return True
        claimed, prepared = await self._ready(kind, rows, job.options)
        command = BookRows(
            job.user_id, job.id, self._lease, kind, claimed, prepared, self._clock, whole
        )
        try:
            put_back = (await self._ledger.submit(command)).result
        except NotAllBooked as refusal:
            await self._give_up(job.id, refusal)
            return True
        if put_back:
            self._not_before[job.id] = time.monotonic() + _PAUSE
        return True

    async def _book_range(self, found: Any, kind: BulkKind) -> bool:
        """Book many rows at once, for some time; say whether there were any that can be."""
        claimed = await self._in_transaction(
            lambda connection, now: claim_range(connection, found.id, self._lease, now)
        )
        if claimed is None:
            return False
        until = time.monotonic() + _TURN
        while claimed is not None:
            # Not while another job came that waits for its turn, nor when this worker is to stop.
            goes_on = time.monotonic() < until and not self._woken.is_set()
            command = BookRange(
                found.user_id, found.id, self._lease, kind, *claimed, self._clock, goes_on
            )
            claimed = (await self._ledger.submit(command)).result
        return True

    async def _ready(
        self, kind: BookedKind, rows: list[JobRow], told: Any
    ) -> tuple[list[Claimed], Any]:
        """Return rows with what they say, and what the kind prepared for them."""
        claimed = [_read(kind, row, told) for row in rows]
        good = [each.said for each in claimed if each.refusal is None]
        return claimed, await kind.prepare(good)

    async def _preview(self, job: Any, kind: BookedKind) -> bool:
        preview = self._previews.get(job.id)
        if preview is None:
            preview = Preview(await self._ledger.rehearse(job.user_id))
            self._previews[job.id] = preview
        rows = await self._in_transaction(
            lambda connection, now: previewing.next_rows(
                connection, job.id, self._lease, preview.after, kind.at_once, now
            )
        )
        if rows is None:
            del self._previews[job.id]
            return False
        found: list[previewing.Estimate] = []
        if rows:
            claimed, prepared = await self._ready(kind, rows, job.options)
            model = previewing.model_of(job)
            found = await preview.rehearsal.run(
                lambda books: previewing.estimates(books, kind, model, claimed, prepared)
            )
            preview.after = rows[-1].row_number

        went_on = await self._in_transaction(
            lambda connection, now: previewing.write_estimates(
                connection, job.id, self._lease, found, now
            ),
            about=job.id,
        )
        if not went_on or not rows:
            self._previews.pop(job.id, None)
        return True

    def _begin_task(self, job_id: str, kind: TaskKind) -> bool:
        """Have a task run beside the jobs that are booked; say whether it was begun now."""
        running = self._tasks.get(job_id)
        if running is not None and not running.done():
            return False
        name = f"paperdesk-jobs-{kind.name}"
        self._tasks[job_id] = asyncio.create_task(self._do_task(job_id, kind), name=name)
        self._tasks = {key: task for key, task in self._tasks.items() if not task.done()}
        return True

    async def _do_task(self, job_id: str, kind: TaskKind) -> None:
        try:
            while True:
                job, rows = await self._in_transaction(
                    lambda connection, now: claims.claim(connection, job_id, self._lease, now)
                )
                if job is None:
                    return
                if not rows:
                    await self._end(job_id)
                    return
                for row in rows:
                    await self._do_row(job, row, kind)
        except NoLongerMine:
            # Paused, cancelled or deleted: what is left of its rows waits untouched.
            await self._leave(job_id, was_tried=False)
        except Exception:
            log.exception("jobs.task_failed", job=job_id)
            await self._leave(job_id, was_tried=True)

    async def _do_row(self, job: Job, row: JobRow, kind: TaskKind) -> None:
        number = row.row_number

        async def tell(done: int | None = None, total: int | None = None) -> None:
            if not await self._in_transaction(
                lambda connection, now: claims.step(
                    connection, job.id, self._lease, number, done, total, now
                ),
                about=job.id,
            ):
                raise NoLongerMine

        await tell()
        result, refusal = dict[str, Any](), None
        try:
            said = kind.check(row.data, job.options) if isinstance(kind, GivenTask) else None
            result = await kind.run(job, said, tell)
        except PaperdeskError as error:
            refusal = error
        await self._in_transaction(
            lambda connection, now: ending.task_done(
                connection, job.id, self._lease, number, result, refusal, now
            ),
            about=job.id,
        )

    async def _end(self, job_id: str) -> bool:
        """End a job of which no row waits; say whether that was so."""
        return await self._in_transaction(
            lambda connection, now: ending.end(connection, job_id, now), about=job_id
        )

    async def _give_up(self, job_id: str, refusal: NotAllBooked | None) -> None:
        await self._in_transaction(
            lambda connection, now: ending.give_up_all(
                connection, job_id, self._lease, refusal, now
            ),
            about=job_id,
        )

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(claims.BEAT)
            try:
                await self._in_transaction(
                    lambda connection, now: claims.beat(connection, self._lease, now)
                )
            except Exception:
                log.exception("jobs.no_sign_of_life")

    async def _reap(self) -> None:
        """Now and then put back what workers left that are gone."""
        if not self._shared or time.monotonic() - self._reaped_at < claims.BEAT:
            return
        self._reaped_at = time.monotonic()
        if await self._in_transaction(claims.reap):
            log.info("jobs.reaped")

    async def _in_transaction(
        self, do: Callable[[Connection, datetime], T], about: str | None = None
    ) -> T:
        """Run statements in one transaction of their own, and tell streams of the job they change.

        Where they return that nothing changed, nothing is told.
        """
        async with self._database.write() as session:
            connection = await session.connection()
            result = await connection.run_sync(do, self._clock.now())
            changed = result is not False
            if about is not None and changed:
                job = await connection.run_sync(locked_job, about)
                if job is not None:
                    await session.run_sync(self._feed.tell, event_of(job))
        return result


def _read(kind: BookedKind, row: JobRow, told: Any) -> Claimed:
    try:
        return Claimed(row, kind.check(row.data, told))
    except Refused as refusal:
        return Claimed(row, None, refusal)
