"""Claiming work: leases of jobs and of rows, and taking them back from workers that went away."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select, true, update

from paperdesk.jobs.kinds import FEW
from paperdesk.jobs.lifecycle import Counts, RowEvent
from paperdesk.jobs.loading import fail_lost_loads
from paperdesk.jobs.store import (
    JOBS,
    LEASE,
    ROWS,
    change_job,
    count,
    database_time,
    locked_job,
    move,
    released,
    rows_where,
    write_rows,
)
from paperdesk.jobs.telling import LogLine, log
from paperdesk.models import Atomicity, Job, JobPhase, JobStatus, LogLevel, RowStatus
from paperdesk.models import JobRow as Row

BEAT: Final = 5.0
"""Seconds between two signs of life."""
MOST_ATTEMPTS: Final = 8
"""After so many tries that broke off a row needs somebody's review."""
BROKE_OFF: Final = "BROKE_OFF"
ALONE_AFTER: Final = 3
"""Tries after which a row is claimed by itself: it may be what brings the process down."""


def runnable(connection: Connection) -> list[Any]:
    """Return what workers must know of each job that they may go on with."""
    waits = (JOBS.c.status == JobStatus.pending) & (JOBS.c.phase == JobPhase.preview)
    of_job = (JOBS.c.id, JOBS.c.user_id, JOBS.c.kind, JOBS.c.name, JOBS.c.phase, JOBS.c.atomicity)
    query = (
        select(*of_job, JOBS.c.options)
        .where(or_(JOBS.c.status == JobStatus.running, waits))
        .order_by(JOBS.c.id)
    )
    return list(connection.execute(query))


def take_job(connection: Connection, job: Job, lease: str, now: datetime) -> bool:
    """Have a locked job to this worker alone, for now; say whether it may."""
    at = database_time(connection, now)
    if job.lease not in {None, lease} and job.leased_until and job.leased_until > at:
        return False
    change_job(connection, job, now, lease=lease, leased_until=at + LEASE)
    return True


def claim(
    connection: Connection, job_id: str, lease: str, now: datetime, at_once: int = FEW
) -> tuple[Job | None, list[Row]]:
    """Lease the next rows of a job that runs; return it, None where it is another's turn.

    Those to be undone are claimed from the last one on. The attempt is counted before it is made:
    so a row that brings the process down is noticed in the end.
    """
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.running:
        return None, []
    undoes, whole = job.phase is JobPhase.undo, job.atomicity is Atomicity.all
    if job.is_ordered or undoes or whole:
        if not take_job(connection, job, lease, now):
            return None, []
        if others_have_rows(connection, job, lease):
            return None, []
    limit = None if whole and not undoes else FEW if undoes else at_once
    rows = rows_where(
        connection,
        job_id,
        *(_booked() if undoes else _waiting(connection, job_id, whole=whole)),
        limit=limit,
        backwards=undoes,
        skip_locked=True,
    )
    if rows and not whole and not undoes and _broke_off(rows[0]):
        rows = rows[:1]
    until = database_time(connection, now) + LEASE
    counts = Counts()
    for row in rows:
        counts += move(
            row,
            RowEvent.claim_undo if undoes else RowEvent.claim,
            lease=lease,
            leased_until=until,
            attempts=row.attempts + 1,
        )
    write_rows(connection, rows)
    if counts != Counts():
        count(connection, job, counts, now)
    return job, rows


def step(
    connection: Connection,
    job_id: str,
    lease: str,
    number: int,
    done: int | None,
    total: int | None,
    now: datetime,
) -> bool:
    """Note how far a task is within a row; say whether the row is still this worker's to do."""
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.running:
        return False
    mine = (ROWS.c.status == RowStatus.processing, ROWS.c.lease == lease)
    if not rows_where(connection, job_id, ROWS.c.row_number == number, *mine):
        return False
    if (done, total) != (None, None):
        change_job(connection, job, now, steps_done=done, steps_total=total)
    return True


def give_back(
    connection: Connection, job_id: str, lease: str, now: datetime, *, was_tried: bool
) -> None:
    """Put back what this worker still has of a job: where the effect was committed, nothing."""
    job = locked_job(connection, job_id)
    if job is None:
        return
    mine = (ROWS.c.status == RowStatus.processing, ROWS.c.lease == lease)
    _release(connection, job, rows_where(connection, job_id, *mine), now, was_tried=was_tried)


def beat(connection: Connection, lease: str, now: datetime) -> None:
    """Give a sign of life: what this worker has, it has for longer."""
    until = database_time(connection, now) + LEASE
    mine = (ROWS.c.status == RowStatus.processing, ROWS.c.lease == lease)
    connection.execute(update(ROWS).where(*mine).values(leased_until=until))
    connection.execute(update(JOBS).where(JOBS.c.lease == lease).values(leased_until=until))


def reap(connection: Connection, now: datetime) -> int:
    """Put back the rows of workers that are gone, and return how many.

    Their effect certainly did not happen: it would have ended the lease. What somebody loaded who
    is gone is not loaded any more.
    """
    fail_lost_loads(connection, now)
    return _put_back_where(connection, now, ROWS.c.leased_until < database_time(connection, now))


def reclaim(connection: Connection, now: datetime, since: datetime) -> None:
    """Put back all that any worker ever had: of a desk that has one, and that one begins.

    What was begun to be loaded before `since`, by a process that is gone, is loaded no further.
    """
    fail_lost_loads(connection, now, made_before=since)
    _put_back_where(connection, now, true())
    _free_jobs(connection, JOBS.c.lease.is_not(None))


def leave(connection: Connection, now: datetime, lease: str) -> None:
    """Put back all that this worker has: it stops."""
    _put_back_where(connection, now, ROWS.c.lease == lease, was_tried=False)
    _free_jobs(connection, JOBS.c.lease == lease)


def _put_back_where(
    connection: Connection, now: datetime, over: ColumnElement[bool], *, was_tried: bool = True
) -> int:
    lost = (ROWS.c.status == RowStatus.processing, over)
    reaped = 0
    for job_id in connection.execute(select(ROWS.c.job_id).where(*lost).distinct()).scalars().all():
        job = locked_job(connection, job_id)
        if job is None:
            continue
        rows = rows_where(connection, job_id, *lost, skip_locked=True)
        _release(connection, job, rows, now, was_tried=was_tried)
        reaped += len(rows)
    return reaped


def _free_jobs(connection: Connection, held: ColumnElement[bool]) -> None:
    connection.execute(update(JOBS).where(held).values(lease=None, leased_until=None))


def is_worked_on(connection: Connection, job: Job) -> bool:
    """Say whether a worker has rows of a job, or some wait for one in its phase."""
    waits = _booked() if job.phase is JobPhase.undo else (ROWS.c.status == RowStatus.pending,)
    held = ROWS.c.status == RowStatus.processing
    return any(
        connection.execute(select(exists().where(ROWS.c.job_id == job.id, *each))).scalar_one()
        for each in (waits, (held,))
    )


def _release(
    connection: Connection, job: Job, rows: list[Row], now: datetime, *, was_tried: bool
) -> None:
    counts, lines = Counts(), list[LogLine]()
    for row in rows:
        if was_tried and row.attempts >= MOST_ATTEMPTS:
            message = f"It broke off {row.attempts} times, and nothing of it was booked."
            if row.effect is not None:
                message = f"Undoing it broke off {row.attempts} times; what it booked stands."
            counts += move(
                row,
                RowEvent.review,
                error_code=BROKE_OFF,
                error_message=message,
                processed_at=now,
            )
            said = f"Row {row.row_number} needs a review. {message}"
            lines.append(LogLine(said, row.row_number, LogLevel.ERROR))
        else:
            counts += released(row, was_tried=was_tried)
    write_rows(connection, rows)
    log(connection, job, lines, now)
    if rows:
        count(connection, job, counts, now)


def others_have_rows(connection: Connection, job: Job, lease: str) -> bool:
    """Say whether another worker has rows of a job."""
    others = (ROWS.c.status == RowStatus.processing, ROWS.c.lease != lease)
    query = select(exists().where(ROWS.c.job_id == job.id, *others))
    return bool(connection.execute(query).scalar_one())


def _booked() -> tuple[ColumnElement[bool], ...]:
    """Return what holds of rows that can be taken back."""
    return (ROWS.c.status == RowStatus.completed, ROWS.c.effect.is_not(None))


def _waiting(
    connection: Connection, job_id: str, *, whole: bool
) -> tuple[ColumnElement[bool], ...]:
    """Return what holds of the rows to be claimed next: none past one that broke off before."""
    pending = ROWS.c.status == RowStatus.pending
    if whole:
        return (pending,)
    first = connection.execute(
        select(func.min(ROWS.c.row_number)).where(
            ROWS.c.job_id == job_id,
            pending,
            ROWS.c.attempts >= ALONE_AFTER,
            ROWS.c.error_code.is_(None),
        )
    ).scalar_one()
    return (pending, true() if first is None else ROWS.c.row_number <= first)


def _broke_off(row: Row) -> bool:
    return row.attempts >= ALONE_AFTER and row.error_code is None
