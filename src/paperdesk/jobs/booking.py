"""The commands that book rows of a job: their effects, what becomes of them, and its counters.

All of it is one transaction of the ledger, which first looks whether the job still runs and the
rows are still this worker's. So a row says `completed` if and only if its effect was committed, and
who lost the lease, or was stopped meanwhile, books nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from paperdesk.audit.trail import Action, Line
from paperdesk.clock import Clock
from paperdesk.errors import PaperdeskError, PriceUnavailable, Refused
from paperdesk.jobs.kinds import BookedKind, NothingToDo
from paperdesk.jobs.lifecycle import Counts, JobEvent, RowEvent, job_after
from paperdesk.jobs.store import cents, count, held_rows, locked_job, move, released, write_rows
from paperdesk.jobs.telling import LogLine, event_of, log
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Job, JobPhase, JobRow, JobStatus, LogLevel, RowStatus

MOST_TRIES: Final = 5
"""Tries after which a row that finds no price fails."""
UNDONE: Final = "UNDONE"
NOTHING_BOOKED: Final = "NOTHING_BOOKED"


class Claimed(NamedTuple):
    """A row that this worker has on lease, and what it says: typed, or why it says nothing."""

    row: JobRow
    said: Any
    refusal: Refused | None = None


class NotAllBooked(PaperdeskError):
    """A row of a job that is all or nothing was refused: nothing of it is booked."""

    def __init__(self, row: int, refusal: Refused) -> None:
        super().__init__(f"Row {row}: {refusal}")
        self.row = row
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class BookRows:
    """Book rows of a job that this worker has on lease; each that is refused fails alone.

    With `whole` they are all rows of the job, and booked all or not at all.
    """

    account_id: str
    job_id: str
    lease: str
    kind: BookedKind
    rows: Sequence[Claimed]
    prepared: Any
    clock: Clock
    whole: bool = False

    @property
    def key(self) -> None:
        """It has none: each row has one of its own, and the lease is the fence."""

    def __call__(self, books: Books) -> int:
        """Book them; return how many were put back. Raises NotAllBooked."""
        opened = _open(books, self.job_id, self.lease, [each.row for each in self.rows])
        if opened is None:
            return 0
        job, mine = opened
        now = self.clock.now()
        if job.status is not JobStatus.running or job.phase is not JobPhase.run:
            return _put_back(books, job, mine, now)
        books.expect(str(row.idempotency_key) for row in mine)
        said = {each.row.row_number: each for each in self.rows}
        counts, lines = Counts(), list[LogLine]()
        for row in mine:
            counts += self._book(books, job, row, said[row.row_number], now)
            if row.status is RowStatus.failed:
                lines.append(_line(row, LogLevel.WARNING))
        write_rows(books.connection, mine)
        count(books.connection, job, counts, now)
        if job.processed_rows == job.total_rows:
            lines.append(finish(books, job, now))
        log(books.connection, job, lines, now)
        books.tell(event_of(job))
        return sum(row.status is RowStatus.pending for row in mine)

    def _book(self, books: Books, job: Job, row: JobRow, claimed: Claimed, now: datetime) -> Counts:
        before = books.traces()
        try:
            if claimed.refusal is not None:
                raise claimed.refusal
            with books.noting():
                outcome = self.kind.book(books, job, row, claimed.said, self.prepared)
        except Refused as refusal:
            if books.traces() != before:
                # The writer takes back what it left, and says so.
                raise
            why = {"error_code": refusal.code, "error_message": str(refusal), "cost_cents": 0}
            if isinstance(refusal, NothingToDo):
                return move(row, RowEvent.skip, processed_at=now, warning=None, **why)
            if self.whole:
                raise NotAllBooked(row.row_number, refusal) from refusal
            if isinstance(refusal, PriceUnavailable) and row.attempts < MOST_TRIES:
                return move(row, RowEvent.release, **why)
            return move(row, RowEvent.refuse, processed_at=now, warning=None, **why)
        return move(
            row,
            RowEvent.complete,
            cost_cents=cents(outcome.cost),
            order_id=outcome.order_id,
            effect=outcome.effect,
            warning=outcome.warning,
            error_code=None,
            error_message=None,
            processed_at=now,
        )


@dataclass(frozen=True, slots=True)
class UndoRows:
    """Take back rows of a job that this worker has on lease, in the order given.

    A row that cannot be taken back needs somebody's review; what it booked stands.
    """

    account_id: str
    job_id: str
    lease: str
    kind: BookedKind
    rows: Sequence[JobRow]
    clock: Clock

    @property
    def key(self) -> None:
        """It has none: the lease is the fence."""

    def __call__(self, books: Books) -> int:
        """Take them back; return how many were put back as they were."""
        opened = _open(books, self.job_id, self.lease, self.rows)
        if opened is None:
            return 0
        job, mine = opened
        now = self.clock.now()
        if job.status is not JobStatus.running or job.phase is not JobPhase.undo:
            return _put_back(books, job, mine, now)
        counts, lines = Counts(), list[LogLine]()
        for row in sorted(mine, key=lambda row: row.row_number, reverse=True):
            counts += self._undo(books, job, row, now)
            level = LogLevel.INFO if row.status is RowStatus.skipped else LogLevel.WARNING
            lines.append(_line(row, level))
        write_rows(books.connection, mine)
        count(books.connection, job, counts, now)
        log(books.connection, job, lines, now)
        books.tell(event_of(job))
        return 0

    def _undo(self, books: Books, job: Job, row: JobRow, now: datetime) -> Counts:
        before = books.traces()
        try:
            with books.noting():
                self.kind.undo(books, job, row)
        except Refused as refusal:
            if books.traces() != before:
                raise
            return move(
                row,
                RowEvent.review,
                error_code=refusal.code,
                error_message=f"It cannot be undone: {refusal}",
                processed_at=now,
            )
        return move(
            row,
            RowEvent.undo,
            cost_cents=0,
            error_code=UNDONE,
            error_message="What it booked was taken back.",
            warning=None,
            processed_at=now,
        )


def every_row_failed(job: Job) -> bool:
    """Say whether a job at its end has rows, and none that is anything but failed."""
    return 0 < job.failed_rows == job.total_rows


def finish(books: Books, job: Job, now: datetime) -> LogLine:
    """End a locked job of which no row waits, and say so."""
    before = job.status
    failed = every_row_failed(job)
    changes: dict[str, Any] = {
        "status": job_after(before, JobEvent.fail if failed else JobEvent.finish),
        "completed_at": now,
        "lease": None,
        "leased_until": None,
    }
    if failed:
        changes |= {"error_code": NOTHING_BOOKED, "error_message": "No row could be booked."}
    count(books.connection, job, Counts(), now, **changes)
    books.note(ended_line(job, before))
    return LogLine(f"It is {job.status}.", details=summary(job))


def ended_line(job: Job, before: JobStatus) -> Line:
    """Return what the audit trail says of a job that came to its end."""
    message = f"{job.name}: {job.status}."
    was = {"status": before}
    return Line(Action.job_changed, message, job.user_id, job.id, was, summary(job))


def summary(job: Job) -> Mapping[str, Any]:
    """Return how a job stands, in plain values."""
    return {
        "status": job.status,
        "rows": job.total_rows,
        "successful": job.successful_rows,
        "failed": job.failed_rows,
        "cost_cents": job.total_cost_cents,
    }


def _open(
    books: Books, job_id: str, lease: str, rows: Sequence[JobRow]
) -> tuple[Job, list[JobRow]] | None:
    """Return a job, and those of some rows that are still on this lease, all locked."""
    job = locked_job(books.connection, job_id)
    if job is None:
        return None
    mine = held_rows(books.connection, rows, lease)
    return (job, mine) if mine else None


def _put_back(books: Books, job: Job, rows: Sequence[JobRow], now: datetime) -> int:
    """Put rows back untouched: the job was paused or cancelled since they were claimed."""
    counts = sum((released(row, was_tried=False) for row in rows), Counts())
    write_rows(books.connection, rows)
    count(books.connection, job, counts, now)
    return 0


def _line(row: JobRow, level: LogLevel) -> LogLine:
    said = f"{row.error_code}: {row.error_message}"
    return LogLine(f"Row {row.row_number} is {row.status}. {said}", row.row_number, level)
