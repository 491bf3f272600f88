"""Storing the rows of a job: in stretches, each a short transaction, so that trades go in between.

Meanwhile the job is there in the phase `load`, and cannot be started. Whoever loads it has its
lease; a load that breaks off leaves a job that failed, which is loaded no further and can be
deleted.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, delete, or_, select

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidState, PaperdeskError
from paperdesk.jobs.lifecycle import Counts, JobEvent, counts_of, job_after
from paperdesk.jobs.store import (
    JOBS,
    LEASE,
    ROWS,
    change_job,
    count,
    database_time,
    insert_rows,
    locked_job,
    rows_where,
)
from paperdesk.jobs.telling import LogLine, log, wake
from paperdesk.models import Job, JobMode, JobPhase, JobRow, JobStatus, LogLevel

STRETCH: Final = 400
"""Rows that are stored in one transaction: about 20 ms of writing."""
BROKE_OFF: Final = "LOAD_BROKE_OFF"
_WHAT_TO_DO: Final = (
    "The desk went down, or the database, before all rows were stored. Delete the job and send its "
    "rows again."
)
_LOADING: Final = (JOBS.c.status == JobStatus.pending) & (JOBS.c.phase == JobPhase.load)

logger = structlog.get_logger()


class Load:
    """Stores the rows of one job that was begun; the job is changed along."""

    def __init__(self, database: Database, clock: Clock, job: Job) -> None:
        self._database = database
        self._clock = clock
        self._job = job
        self._lease = job.lease

    async def add(self, rows: Sequence[JobRow], *, is_last: bool, **changes: Any) -> None:
        """Store more rows, and change the job besides; after the last ones it is ready.

        Raises InvalidState where somebody deleted or cancelled it meanwhile.
        """
        await self._do(partial(add_rows, rows=rows, is_last=is_last, **changes))

    async def tell(self, done: int, total: int) -> None:
        """Note how far its file is read, in bytes: it is alive. Raises InvalidState as `add`."""
        await self._do(partial(_note_progress, done=done, total=total))

    async def clear(self) -> None:
        """Delete all rows that were stored. Raises InvalidState as `add`."""
        while self._job.total_rows:
            await self._do(_delete_some)

    @asynccontextmanager
    async def or_give_up(self) -> AsyncGenerator[None]:
        """Fail the job where what is done within raises; that is raised on."""
        try:
            yield
        except BaseException as error:
            refusal = error if isinstance(error, PaperdeskError) else None
            try:
                await asyncio.shield(self._give_up(refusal))
            except Exception:
                # The reaper does it later.
                logger.exception("jobs.load_not_given_up", job=self._job.id)
            raise

    async def _give_up(self, refusal: PaperdeskError | None) -> None:
        async with self._database.write() as session:
            connection = await session.connection()
            await connection.run_sync(_give_up, self._job.id, self._lease, refusal, self._now())

    async def _do(self, do: Callable[[Connection, Job, datetime], None]) -> None:
        def locked(connection: Connection) -> Job | None:
            job = _mine(connection, self._job.id, self._lease)
            if job is not None:
                do(connection, job, self._now())
            return job

        async with self._database.write() as session:
            job = await (await session.connection()).run_sync(locked)
        if job is None:
            raise InvalidState("The job was deleted or cancelled while its rows were stored.")
        vars(self._job).update({name: vars(job)[name] for name in JOBS.c.keys()})  # noqa: SIM118 - of a collection of columns

    def _now(self) -> datetime:
        return self._clock.now()


def add_rows(
    connection: Connection,
    job: Job,
    now: datetime,
    *,
    rows: Sequence[JobRow],
    is_last: bool,
    **changes: Any,
) -> None:
    """Store rows of a locked job that is being loaded; after the last ones it is ready."""
    for row in rows:
        vars(row).update(job_id=job.id, idempotency_key=f"job:{job.id}:{row.row_number}")
    if rows:
        insert_rows(connection, rows)
    counts = sum((counts_of(row.status, row.cost_cents) for row in rows), Counts())
    changes |= _ready(job, now) if is_last else _lease(connection, now)
    count(connection, job, counts, now, total_rows=job.total_rows + len(rows), **changes)
    if is_last:
        log(connection, job, [LogLine(f"It was made, with {job.total_rows:,} rows.")], now)
        wake(connection)


def _note_progress(
    connection: Connection, job: Job, now: datetime, *, done: int, total: int
) -> None:
    change_job(connection, job, now, steps_done=done, steps_total=total, **_lease(connection, now))


def _delete_some(connection: Connection, job: Job, now: datetime) -> None:
    """Delete the last rows of a locked job that is being loaded."""
    rows = rows_where(connection, job.id, limit=STRETCH, backwards=True)
    counts = sum((counts_of(row.status, row.cost_cents) for row in rows), Counts())
    connection.execute(delete(ROWS).where(ROWS.c.id.in_([row.id for row in rows])))
    left = job.total_rows - len(rows)
    count(connection, job, -counts, now, total_rows=left, **_lease(connection, now))


def fail_lost_loads(
    connection: Connection, now: datetime, *, made_before: datetime | None = None
) -> None:
    """Fail the jobs that nobody loads any more, and all that were made before an instant."""
    over = or_(JOBS.c.leased_until.is_(None), JOBS.c.leased_until < database_time(connection, now))
    if made_before is not None:
        over = or_(over, JOBS.c.created_at < made_before)
    lost = select(JOBS.c.id, JOBS.c.lease).where(_LOADING, over)
    for job_id, lease in connection.execute(lost).all():
        _give_up(connection, job_id, lease, None, now)


def _ready(job: Job, now: datetime) -> dict[str, Any]:
    """Return what changes of a job once all its rows are there."""
    free = {"lease": None, "leased_until": None, "steps_done": None, "steps_total": None}
    if job.mode is JobMode.auto:
        return free | {"status": JobStatus.running, "phase": JobPhase.run, "started_at": now}
    return free | {"phase": JobPhase.preview if job.previewed_at is None else JobPhase.run}


def _lease(connection: Connection, now: datetime) -> dict[str, Any]:
    return {"leased_until": database_time(connection, now) + LEASE}


def _mine(connection: Connection, job_id: str, lease: str | None) -> Job | None:
    """Return a job that is being loaded on a lease, locked; None where it is not any more."""
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.pending or job.phase is not JobPhase.load:
        return None
    return job if job.lease == lease else None


def _give_up(
    connection: Connection,
    job_id: str,
    lease: str | None,
    refusal: PaperdeskError | None,
    now: datetime,
) -> None:
    job = _mine(connection, job_id, lease)
    if job is None:
        return
    code, message = (BROKE_OFF, _WHAT_TO_DO) if refusal is None else (refusal.code, str(refusal))
    change_job(
        connection,
        job,
        now,
        status=job_after(job.status, JobEvent.fail),
        completed_at=now,
        lease=None,
        leased_until=None,
        # Whoever sends it again means a job that is loaded.
        key=None,
        error_code=code,
        error_message=message,
    )
    said = f"It was not loaded: {message}"
    log(connection, job, [LogLine(said, level=LogLevel.ERROR)], now)
