"""The ends that a worker comes to outside of the ledger: nothing is left, or it cannot be done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from paperdesk.audit.actor import acting
from paperdesk.audit.trail import Said, write
from paperdesk.errors import PaperdeskError
from paperdesk.jobs.booking import (
    NOTHING_BOOKED,
    NotAllBooked,
    ended_line,
    every_row_failed,
    summary,
)
from paperdesk.jobs.claims import is_worked_on
from paperdesk.jobs.lifecycle import Counts, JobEvent, RowEvent, job_after
from paperdesk.jobs.store import ROWS, change_job, count, locked_job, move, rows_where, write_rows
from paperdesk.jobs.telling import LogLine, log
from paperdesk.models import Job, JobPhase, JobStatus, LogLevel, RowStatus

NOT_BOOKED: Final = "NOT_BOOKED"


def end(connection: Connection, job_id: str, now: datetime) -> bool:
    """End a running job of which no row waits and none is worked on; say whether it was so."""
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.running or is_worked_on(connection, job):
        return False
    if job.phase is JobPhase.undo:
        _end(connection, job, JobEvent.undone, now, undone_at=now)
    elif every_row_failed(job):
        why = _why_of_the_only(connection, job) or {
            "error_code": NOTHING_BOOKED,
            "error_message": "No row could be booked.",
        }
        _end(connection, job, JobEvent.fail, now, **why)
    else:
        _end(connection, job, JobEvent.finish, now)
    return True


def give_up_all(
    connection: Connection, job_id: str, lease: str, refusal: NotAllBooked | None, now: datetime
) -> None:
    """Fail a job that is all or nothing, of which nothing is booked: a row was refused.

    Without a refusal one of them cannot even be understood. The others are skipped.
    """
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.running:
        return
    mine = (ROWS.c.status == RowStatus.processing, ROWS.c.lease == lease)
    rows = rows_where(connection, job_id, *mine)
    counts, code = Counts(), "INVALID_REQUEST"
    message = "A row cannot be understood. Correct it, then retry the job."
    if refusal is not None:
        code, message = refusal.refusal.code, str(refusal)
    for row in rows:
        if refusal is not None and row.row_number == refusal.row:
            counts += move(
                row,
                RowEvent.refuse,
                cost_cents=0,
                warning=None,
                error_code=code,
                error_message=str(refusal.refusal),
                processed_at=now,
            )
        else:
            counts += move(
                row,
                RowEvent.skip,
                cost_cents=0,
                warning=None,
                error_code=NOT_BOOKED,
                error_message="All or nothing: another row was refused.",
                processed_at=now,
            )
    write_rows(connection, rows)
    count(connection, job, counts, now)
    _end(connection, job, JobEvent.fail, now, error_code=code, error_message=message)


def task_done(
    connection: Connection,
    job_id: str,
    lease: str,
    number: int,
    result: Mapping[str, Any],
    refusal: PaperdeskError | None,
    now: datetime,
) -> None:
    """Note what came of a task's row, where it is still this worker's."""
    job = locked_job(connection, job_id)
    if job is None:
        return
    mine = (
        ROWS.c.row_number == number,
        ROWS.c.status == RowStatus.processing,
        ROWS.c.lease == lease,
    )
    rows = rows_where(connection, job_id, *mine)
    counts, lines = Counts(), list[LogLine]()
    for row in rows:
        number = row.row_number
        if refusal is None:
            counts += move(row, RowEvent.complete, effect=dict(result), processed_at=now)
            lines.append(LogLine(f"Row {number} is {row.status}.", number, details=result))
        else:
            why = {"error_code": refusal.code, "error_message": str(refusal)}
            counts += move(row, RowEvent.refuse, processed_at=now, **why)
            said = f"Row {number} is {row.status}. {refusal.code}: {refusal}"
            lines.append(LogLine(said, number, LogLevel.WARNING))
    write_rows(connection, rows)
    count(connection, job, counts, now)
    log(connection, job, lines, now)


def _why_of_the_only(connection: Connection, job: Job) -> dict[str, Any] | None:
    """Return why a job failed whose one row did."""
    if job.total_rows != 1:
        return None
    [row] = rows_where(connection, job.id)
    return {"error_code": row.error_code, "error_message": row.error_message}


def _end(connection: Connection, job: Job, event: JobEvent, now: datetime, **changes: Any) -> None:
    before = job.status
    after = job_after(before, event)
    free = {"lease": None, "leased_until": None}
    change_job(connection, job, now, status=after, completed_at=now, **free, **changes)
    level = LogLevel.WARNING if after is JobStatus.failed else LogLevel.INFO
    said = f"It is {after}." if event is not JobEvent.undone else "What it booked is undone."
    log(connection, job, [LogLine(said, level=level, details=summary(job))], now)
    write(connection, [Said(ended_line(job, before), acting.get(), None)], now)
