"""Estimating a job: its rows booked in a rehearsal, stretch by stretch, of which nothing stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from paperdesk.db.types import EXACT
from paperdesk.errors import Refused
from paperdesk.jobs.booking import Claimed
from paperdesk.jobs.claims import take_job
from paperdesk.jobs.kinds import BookedKind, NothingToDo
from paperdesk.jobs.lifecycle import Counts, RowEvent
from paperdesk.jobs.store import ROWS, cents, count, locked_job, move, rows_where, write_rows
from paperdesk.jobs.telling import LogLine, log
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lane.rehearsing import Rehearsal
from paperdesk.models import Job, JobPhase, JobRow, JobStatus, RowStatus


@dataclass(slots=True)
class Preview:
    """How far a job is estimated: the rehearsal that goes on, and the last row that was tried."""

    rehearsal: Rehearsal
    after: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What booking a row would do now."""

    row: JobRow
    cost_cents: int = 0
    warning: str | None = None
    refusal: Refused | None = None


def next_rows(
    connection: Connection, job_id: str, lease: str, after: int, at_once: int, now: datetime
) -> list[JobRow] | None:
    """Return the next rows to be estimated; None where that is not this worker's to do."""
    job = _mine(connection, job_id, lease, now)
    if job is None:
        return None
    waits = (ROWS.c.row_number > after, ROWS.c.status == RowStatus.pending)
    return rows_where(connection, job_id, *waits, limit=at_once)


def model_of(found: Any) -> Job:
    """Return a job that was found in the queue, as kinds are given it."""
    return Job(
        id=found.id,
        user_id=found.user_id,
        kind=found.kind,
        name=found.name,
        options=found.options,
    )


def estimates(
    books: Books, kind: BookedKind, job: Job, rows: Sequence[Claimed], prepared: Any
) -> list[Estimate]:
    """Book rows in books that are never written, and say of each what came of it."""
    books.expect(str(each.row.idempotency_key) for each in rows)
    return [_estimate(books, kind, job, each, prepared) for each in rows]


def _estimate(
    books: Books, kind: BookedKind, job: Job, claimed: Claimed, prepared: Any
) -> Estimate:
    row = claimed.row
    try:
        if claimed.refusal is not None:
            raise claimed.refusal
        outcome = kind.book(books, job, row, claimed.said, prepared)
    except Refused as refusal:
        return Estimate(row, refusal=refusal)
    return Estimate(row, cents(outcome.cost + outcome.set_aside), outcome.warning)


def write_estimates(
    connection: Connection, job_id: str, lease: str, found: Sequence[Estimate], now: datetime
) -> bool:
    """Note in rows what they would cost; say whether that was still to be noted.

    A row that would be refused now waits all the same: it may be different when the job is started.
    """
    job = _mine(connection, job_id, lease, now)
    if job is None:
        return False
    if not found:
        change_to_run(connection, job, now)
        return True
    by_number = {each.row.row_number: each for each in found}
    numbers = ROWS.c.row_number.between(min(by_number), max(by_number))
    counts, written = Counts(), list[JobRow]()
    for row in rows_where(connection, job_id, numbers, ROWS.c.status == RowStatus.pending):
        estimate = by_number.get(row.row_number)
        if estimate is None or estimate.row.row_checksum != row.row_checksum:
            continue
        refusal = estimate.refusal
        counts += move(
            row,
            RowEvent.edit,
            cost_cents=estimate.cost_cents,
            warning=estimate.warning,
            error_code=refusal and refusal.code,
            error_message=refusal and _what_of(refusal),
        )
        written.append(row)
    write_rows(connection, written)
    count(connection, job, counts, now)
    return True


def _what_of(refusal: Refused) -> str:
    if isinstance(refusal, NothingToDo):
        return f"It would be skipped: {refusal}"
    return f"As things are it would be refused: {refusal}"


def change_to_run(connection: Connection, job: Job, now: datetime) -> None:
    """Note that all rows of a job are estimated: it may be started."""
    done = {"phase": JobPhase.run, "previewed_at": now, "lease": None, "leased_until": None}
    count(connection, job, Counts(), now, **done)
    cost = EXACT.scaleb(Decimal(job.total_cost_cents), -2)
    log(connection, job, [LogLine(f"Its rows are estimated: ${cost:,.2f} in all.")], now)


def _mine(connection: Connection, job_id: str, lease: str, now: datetime) -> Job | None:
    """Return a job that is to be estimated, locked and leased; None where it is not."""
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.pending or job.phase is not JobPhase.preview:
        return None
    return job if take_job(connection, job, lease, now) else None
