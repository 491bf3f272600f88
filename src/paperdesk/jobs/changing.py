"""What a person asks of a job: each checked against the table, and written with who asked."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, exists, or_, select, update

from paperdesk.audit.actor import acting, request_id
from paperdesk.audit.trail import Action, Line, Said, write
from paperdesk.errors import InvalidState, NotFound
from paperdesk.jobs.data import checksum, storable
from paperdesk.jobs.ending import NOT_BOOKED
from paperdesk.jobs.kinds import BookedKind, BulkKind, Kinds
from paperdesk.jobs.lifecycle import Counts, JobEvent, RowEvent, job_after
from paperdesk.jobs.making import checked_row
from paperdesk.jobs.store import (
    JOBS,
    ROWS,
    change_job,
    count,
    locked_job,
    move,
    rows_where,
    write_rows,
)
from paperdesk.jobs.telling import LogLine, log, wake
from paperdesk.models import Job, JobPhase, JobRow, JobStatus, RowStatus

EDITED: Final = "EDITED"
Change = Callable[[Connection, Job, datetime], dict[str, Any]]
"""Does to the rows of a locked job what an event means for them; returns what changes of it."""


class JobChanges:
    """JobChanges of jobs, for the kinds that there are."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._events: dict[JobEvent, Change] = {
            JobEvent.start: self._start,
            JobEvent.pause: self._turn,
            JobEvent.resume: self._turn,
            JobEvent.cancel: self._cancel,
            JobEvent.retry: self._retry,
            JobEvent.undo: self._undo,
        }

    def ask(
        self, connection: Connection, account: str, job_id: str, event: JobEvent, now: datetime
    ) -> Job:
        """Have an event happen to a job. Raises NotFound, or InvalidState where it may not."""
        job = _job(connection, account, job_id)
        before = job.status
        after = job_after(before, event)
        changes = self._events[event](connection, job, now)
        change_job(connection, job, now, status=after, **changes)
        _say(connection, job, Action.job_changed, f"It was asked to {event}.", before, now)
        wake(connection)
        return job

    def edit(
        self,
        connection: Connection,
        account: str,
        job_id: str,
        number: int,
        data: Any,
        now: datetime,
    ) -> JobRow:
        """Put other data in the place of a row's that is not booked, and check them.

        Raises NotFound, or InvalidState while the job runs and for a row that may not be changed.
        """
        job = _job(connection, account, job_id)
        _check_loaded(job)
        if job.status is JobStatus.running:
            raise InvalidState("The job is running. Pause it, or wait until it has ended.")
        kind = self._kinds.booked(job.kind)
        found = rows_where(connection, job_id, ROWS.c.row_number == number)
        if not found:
            raise NotFound("There is no such row.")
        row = found[0]
        if row.effect is not None:
            raise InvalidState(f"Row {number} was booked. Undo the job, or trade by yourself.")
        kept = storable(data)
        before = row.data
        row.error_code = row.error_message = None
        checked_row(kind, row_with(row, kept), job.options)
        is_good = row.error_code is None
        count(connection, job, _edited(row, job, now, is_good=is_good), now)
        write_rows(connection, [row])
        if job.status is JobStatus.pending:
            # Estimated anew, from the first row on: those after it may come out otherwise, too.
            change_job(connection, job, now, phase=JobPhase.preview, previewed_at=None, lease=None)
            wake(connection)
        line = Line(
            Action.job_changed,
            f"Row {number} of {job.name} was changed.",
            account,
            job.id,
            {"row": number, "data": before},
            {"row": number, "data": kept},
        )
        write(connection, [Said(line, acting.get(), request_id.get())], now)
        log(connection, job, [LogLine(f"Row {number} was changed.", number)], now)
        return row

    def delete(self, connection: Connection, account: str, job_id: str, now: datetime) -> None:
        """Delete a job with its rows and its log; what it booked stays.

        Raises NotFound, or InvalidState while it runs.
        """
        job = _job(connection, account, job_id)
        if job.status is JobStatus.running:
            raise InvalidState("The job is running. Pause or cancel it first.")
        connection.execute(delete(JOBS).where(JOBS.c.id == job.id))
        before = {"kind": job.kind, "name": job.name, "status": job.status, "rows": job.total_rows}
        line = Line(Action.job_removed, f"The job {job.name} was deleted.", account, job.id, before)
        write(connection, [Said(line, acting.get(), request_id.get())], now)

    def _start(self, _connection: Connection, job: Job, now: datetime) -> dict[str, Any]:
        _check_loaded(job)
        if job.phase is not JobPhase.run:
            raise InvalidState(
                "The job is not estimated yet: look at its rows first. Ask again in a moment."
            )
        return {"started_at": now}

    def _turn(self, _connection: Connection, _job: Job, _now: datetime) -> dict[str, Any]:
        """Change the status alone: workers look at it before each stretch of rows."""
        return {}

    def _cancel(self, _connection: Connection, _job: Job, now: datetime) -> dict[str, Any]:
        return {"completed_at": now, "lease": None, "leased_until": None}

    def _retry(self, connection: Connection, job: Job, now: datetime) -> dict[str, Any]:
        """Have failed rows booked again; of all or nothing also those that waited for them."""
        _check_loaded(job)
        if not job.failed_rows:
            raise InvalidState("No row failed: there is nothing to try again.")
        # Of all or nothing also those that were not booked because of another row.
        waited = (ROWS.c.status == RowStatus.skipped) & (ROWS.c.error_code == NOT_BOOKED)
        again = or_(ROWS.c.status == RowStatus.failed, waited)
        rows = update(ROWS).where(ROWS.c.job_id == job.id, again)
        nothing = {"error_code": None, "error_message": None, "processed_at": None}
        # A thousand at once are booked of rows that passed the check: of those never tried.
        attempts = 1 if isinstance(self._kinds.named(job.kind), BulkKind) else 0
        changed = connection.execute(
            rows.values(status=RowStatus.pending, attempts=attempts, **nothing)
        ).rowcount
        count(connection, job, Counts(-changed, 0, -job.failed_rows), now)
        return {
            "phase": JobPhase.run,
            "completed_at": None,
            "error_code": None,
            "error_message": None,
        }

    def _undo(self, connection: Connection, job: Job, now: datetime) -> dict[str, Any]:
        if not isinstance(self._kinds.named(job.kind), BookedKind):
            raise InvalidState(f"A {job.kind} books nothing: there is nothing to undo.")
        # Whoever still has rows of it loses them here, before what is done with them changes.
        _revoke(connection, job, now)
        mine = (ROWS.c.job_id == job.id, ROWS.c.effect.is_not(None))
        # Those that could not be taken back the last time: perhaps now.
        again = connection.execute(
            update(ROWS)
            .where(*mine, ROWS.c.status == RowStatus.needs_review)
            .values(status=RowStatus.completed, error_code=None, error_message=None)
        ).rowcount
        count(connection, job, Counts(0, again), now)
        booked = select(exists().where(*mine, ROWS.c.status == RowStatus.completed))
        if not connection.execute(booked).scalar_one():
            raise InvalidState("Nothing that the job booked still stands.")
        connection.execute(
            update(ROWS).where(*mine, ROWS.c.status == RowStatus.completed).values(attempts=0)
        )
        return {"phase": JobPhase.undo, "completed_at": None, "undone_at": None}


def _check_loaded(job: Job) -> None:
    """Raise InvalidState for a job whose rows are not all there yet, or never will be."""
    if job.phase is JobPhase.load:
        raise InvalidState(
            "Not all rows of the job are stored yet. Ask again in a moment."
            if job.status is JobStatus.pending
            else "Not all rows of the job were stored. Delete it and send them again."
        )


def row_with(row: JobRow, data: Any) -> JobRow:
    """Give a row other data."""
    row.data, row.row_checksum = data, checksum(data)
    return row


def _edited(row: JobRow, job: Job, now: datetime, *, is_good: bool) -> Counts:
    """Move a row whose data were changed; return what that adds to the job's counters."""
    changes: dict[str, Any] = {"cost_cents": 0, "warning": None, "attempts": 0}
    if not is_good:
        event = RowEvent.refuse if row.status is RowStatus.pending else RowEvent.edit
        return move(row, event, processed_at=now, **changes)
    if row.status is RowStatus.failed and job.status in {JobStatus.pending, JobStatus.paused}:
        return move(row, RowEvent.retry, processed_at=None, **changes)
    if row.status is not RowStatus.pending:
        changes |= {
            "error_code": EDITED,
            "error_message": "It was changed. Retry the job to have it booked.",
        }
    return move(row, RowEvent.edit, **changes)


def _revoke(connection: Connection, job: Job, now: datetime) -> None:
    held = update(ROWS).where(ROWS.c.job_id == job.id, ROWS.c.status == RowStatus.processing)
    free = {"lease": None, "leased_until": None}
    connection.execute(held.where(ROWS.c.effect.is_(None)).values(status=RowStatus.pending, **free))
    standing = connection.execute(
        held.where(ROWS.c.effect.is_not(None)).values(status=RowStatus.completed, **free)
    ).rowcount
    if standing:
        count(connection, job, Counts(standing, standing), now)


def _job(connection: Connection, account: str, job_id: str) -> Job:
    job = locked_job(connection, job_id)
    if job is None or job.user_id != account:
        raise NotFound("There is no such job.")
    return job


def _say(
    connection: Connection, job: Job, action: Action, message: str, before: JobStatus, now: datetime
) -> None:
    line = Line(
        action,
        f"{job.name}: {message}",
        job.user_id,
        job.id,
        {"status": before},
        {"status": job.status, "phase": job.phase},
    )
    write(connection, [Said(line, acting.get(), request_id.get())], now)
    log(connection, job, [LogLine(message, details={"status": job.status})], now)
