"""Booking a job a thousand rows at a time, for kinds whose rows are many and small.

The steps are those of `booking.py`, and so are the promises: the rows are marked as processed and
that is committed; then one transaction of the ledger looks whether they still are this worker's,
books them, and writes outcomes and counters. Only each of them is few statements for all rows, a
row is no object on its way, and what books some rows marks those that follow. Rows that were tried
before, or refused, go the other way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    cast,
    exists,
    func,
    null,
    select,
    update,
)

from paperdesk.clock import Clock
from paperdesk.db.prepared import Prepared, prepared_update
from paperdesk.errors import Refused
from paperdesk.jobs.booking import finish
from paperdesk.jobs.claims import others_have_rows, take_job
from paperdesk.jobs.kinds import BulkKind, BulkRow, NothingToDo
from paperdesk.jobs.lifecycle import Counts, RowEvent, row_after
from paperdesk.jobs.store import LEASE, ROWS, cents, count, database_time, locked_job
from paperdesk.jobs.telling import LogLine, event_of, log
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Atomicity, JobPhase, JobStatus, LogLevel, RowStatus

AT_ONCE: Final = 1_000
"""Rows in one transaction of the ledger: other commands wait for so long."""
_MOST_LOGGED: Final = 100
"""Rows of a stretch that failed and have a line in the job's log."""

_MINE: Final = Prepared(
    select(ROWS.c.id, ROWS.c.row_number, cast(ROWS.c.data, Text), ROWS.c.cost_cents)
    .where(
        ROWS.c.job_id == bindparam("job"),
        ROWS.c.row_number.between(bindparam("first"), bindparam("last")),
        ROWS.c.status == bindparam("processing"),
        ROWS.c.lease == bindparam("lease"),
    )
    .order_by(ROWS.c.row_number)
    .with_for_update(),
    ("job", "first", "last", "processing", "lease"),
)
_LEAVE: Final = prepared_update(
    ROWS,
    ("status", "cost_cents", "effect", "warning", "error_code", "error_message", "processed_at"),
    lease=null(),
    leased_until=null(),
)
_COMPLETED: Final = row_after(RowStatus.processing, RowEvent.complete)
_FAILED: Final = row_after(RowStatus.processing, RowEvent.refuse)
_SKIPPED: Final = row_after(RowStatus.processing, RowEvent.skip)


class Range(NamedTuple):
    """Rows of a job that are on lease, from the first number to the last."""

    first: int
    last: int


def claim_range(connection: Connection, job_id: str, lease: str, now: datetime) -> Range | None:
    """Lease the next rows of a job; None where that is to be done row by row, or not at all."""
    job = locked_job(connection, job_id)
    if job is None or job.status is not JobStatus.running or job.phase is not JobPhase.run:
        return None
    if job.atomicity is Atomicity.all or not take_job(connection, job, lease, now):
        return None
    if others_have_rows(connection, job, lease):
        return None
    pending = (ROWS.c.job_id == job_id, ROWS.c.status == RowStatus.pending)
    following = select(ROWS.c.row_number).where(*pending).order_by(ROWS.c.row_number)
    some = following.limit(AT_ONCE).subquery()
    found = connection.execute(select(func.min(some.c.row_number), func.max(some.c.row_number)))
    first, last = found.one()
    if first is None:
        return None
    these = (*pending, ROWS.c.row_number.between(first, last))
    # One of them may be what brings the process down, or was refused before it was tried, and may
    # look like none of those. Not asked of all that wait, which would be read for each stretch.
    if connection.scalar(select(exists().where(*these, ROWS.c.attempts > 0))):
        return None
    connection.execute(
        update(ROWS)
        .where(*these)
        .values(
            status=row_after(RowStatus.pending, RowEvent.claim),
            lease=lease,
            leased_until=database_time(connection, now) + LEASE,
            attempts=ROWS.c.attempts + 1,
        )
    )
    return Range(first, last)


@dataclass(frozen=True, slots=True)
class BookRange:
    """Book the rows of a range that this worker has on lease; each that is refused fails alone.

    With `goes_on` the rows that follow are leased along with that.
    """

    account_id: str
    job_id: str
    lease: str
    kind: BulkKind
    first: int
    last: int
    clock: Clock
    goes_on: bool = False

    @property
    def key(self) -> None:
        """It has none: each row has one of its own, and the lease is the fence."""

    def __call__(self, books: Books) -> Range | None:
        """Book them, if that is still to be done; return what follows, if that was leased."""
        connection, now = books.connection, self.clock.now()
        job = locked_job(connection, self.job_id)
        if job is None:
            return None
        mine = (job.id, self.first, self.last, RowStatus.processing, self.lease)
        rows = [BulkRow._make(row) for row in _MINE.rows(connection, mine)]
        if not rows:
            return None
        if job.status is not JobStatus.running or job.phase is not JobPhase.run:
            _put_back(connection, rows)
            return None
        lines, left = list[LogLine](), list[tuple[Any, ...]]()
        processed = successful = failed = cost = 0
        before = books.traces()
        for row, outcome in zip(rows, self.kind.book_all(books, job, rows), strict=True):
            if isinstance(outcome, Refused):
                if books.traces() != before:
                    # The writer takes back what it left, and says so.
                    raise outcome
                status = _SKIPPED if isinstance(outcome, NothingToDo) else _FAILED
                why = (outcome.code, str(outcome))
                left.append((row.id, status, 0, None, None, *why, now))
                failed += status is _FAILED
                cost -= row.cost_cents
                if status is _FAILED and len(lines) < _MOST_LOGGED:
                    said = f"Row {row.number} is {status}. {why[0]}: {why[1]}"
                    lines.append(LogLine(said, row.number, LogLevel.WARNING))
            else:
                in_cents = cents(outcome.cost)
                said = (in_cents, outcome.effect, outcome.warning, None, None)
                left.append((row.id, _COMPLETED, *said, now))
                successful += 1
                cost += in_cents - row.cost_cents
            processed += 1
            before = books.traces()
        _LEAVE.run(connection, left)
        count(connection, job, Counts(processed, successful, failed, cost), now)
        over = job.processed_rows == job.total_rows
        if over:
            lines.append(finish(books, job, now))
        log(connection, job, lines, now)
        books.tell(event_of(job))
        if over or not self.goes_on:
            return None
        return claim_range(connection, self.job_id, self.lease, now)


def _put_back(connection: Connection, rows: Sequence[BulkRow]) -> None:
    """Put rows back untouched: the job was paused or cancelled since they were claimed."""
    ids = [row.id for row in rows]
    connection.execute(
        update(ROWS)
        .where(ROWS.c.id.in_(ids))
        .values(
            status=row_after(RowStatus.processing, RowEvent.release),
            lease=None,
            leased_until=None,
            attempts=ROWS.c.attempts - 1,
        )
    )
