"""The rows of jobs as workers find and leave them: statements on a plain connection.

So they run in the ledger's transaction, with what a row booked, as well as in one of their own. A
job is locked before its rows are, everywhere; in the ledger the account is locked before both.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, select, update

from paperdesk.db.prepared import Prepared, PreparedInsert, prepared_update, unattached
from paperdesk.db.types import EXACT
from paperdesk.jobs.lifecycle import Counts, RowEvent, counts_of, row_after
from paperdesk.models import Base, Job, JobRow, RowStatus

JOBS: Final[Table] = Base.metadata.tables["jobs"]
ROWS: Final[Table] = Base.metadata.tables["job_rows"]
LEASE: Final = timedelta(seconds=15)
"""How long a worker may be silent before its rows are given to another."""
_COUNTERS: Final = ("processed_rows", "successful_rows", "failed_rows", "total_cost_cents")
_CENTS: Final = Decimal("0.01")

M = TypeVar("M", Job, JobRow)

_LOCKED_JOB: Final = Prepared(
    select(*JOBS.c).where(JOBS.c.id == bindparam("job")).with_for_update(), ("job",)
)
_INSERT: Final = PreparedInsert(JobRow)
_LEFT: Final = (
    "status",
    "cost_cents",
    "order_id",
    "error_code",
    "error_message",
    "attempts",
    "processed_at",
    "warning",
    "effect",
    "lease",
    "leased_until",
    "data",
    "row_checksum",
)
"""What may change of a row."""
_LEAVE: Final = prepared_update(ROWS, _LEFT)


def database_time(connection: Connection, now: datetime) -> datetime:
    """Return the time that leases go by: the server's, where several machines share one.

    `now` is that of this process, which is the only one on a SQLite file.
    """
    if connection.dialect.name == "sqlite":
        return now
    return connection.execute(select(func.clock_timestamp())).scalar_one()


def locked_job(connection: Connection, job_id: str) -> Job | None:
    """Return a job, locked; None where there is none, or none any more."""
    found = _LOCKED_JOB.rows(connection, (job_id,))
    return _made(Job, JOBS, found[0]) if found else None


def change_job(connection: Connection, job: Job, now: datetime, **changes: Any) -> None:
    """Change a locked job."""
    changes["updated_at"] = now
    connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(**changes))
    vars(job).update(changes)


def count(connection: Connection, job: Job, counts: Counts, now: datetime, **changes: Any) -> None:
    """Add what rows changed to the counters of their locked job, and change it besides."""
    sums = {name: getattr(job, name) + more for name, more in zip(_COUNTERS, counts, strict=True)}
    change_job(connection, job, now, **sums, **changes)


def insert_rows(connection: Connection, rows: Iterable[JobRow]) -> None:
    """Insert new rows."""
    _INSERT.run(connection, rows)


def rows_where(
    connection: Connection,
    job_id: str,
    *conditions: ColumnElement[bool],
    limit: int | None = None,
    backwards: bool = False,
    skip_locked: bool = False,
) -> list[JobRow]:
    """Return rows of a job in their order, or from the last one backwards, locked."""
    order = ROWS.c.row_number.desc() if backwards else ROWS.c.row_number
    query = (
        select(*ROWS.c)
        .where(ROWS.c.job_id == job_id, *conditions)
        .order_by(order)
        .limit(limit)
        .with_for_update(skip_locked=skip_locked)
    )
    return [_made(JobRow, ROWS, row) for row in connection.execute(query)]


def held_rows(connection: Connection, rows: Sequence[JobRow], lease: str) -> list[JobRow]:
    """Return those of some rows that are still this worker's, as they are now, locked.

    This is the fence: whoever lost the lease, by the time or by force, finds nothing here.
    """
    numbers = [row.row_number for row in rows]
    mine = rows_where(
        connection,
        rows[0].job_id,
        ROWS.c.row_number.between(min(numbers), max(numbers)),
        ROWS.c.status == RowStatus.processing,
        ROWS.c.lease == lease,
    )
    asked = set(numbers)
    return [row for row in mine if row.row_number in asked]


def move(row: JobRow, event: RowEvent, **changes: Any) -> Counts:
    """Change a row by an event, and return what that adds to its job's counters.

    It is on a lease only while it is processing. Raises InvalidState where that is forbidden.
    """
    before = counts_of(row.status, row.cost_cents)
    after = row_after(row.status, event)
    if after is not RowStatus.processing:
        changes |= {"lease": None, "leased_until": None}
    vars(row).update(changes, status=after)
    return counts_of(row.status, row.cost_cents) + -before


def write_rows(connection: Connection, rows: Sequence[JobRow]) -> None:
    """Write rows that were moved."""
    if rows:
        _LEAVE.run(connection, [[row.id, *(vars(row)[name] for name in _LEFT)] for row in rows])


def released(row: JobRow, *, was_tried: bool = True) -> Counts:
    """Put a row back that was claimed and not finished: to where it was, by what it booked."""
    event = RowEvent.release if row.effect is None else RowEvent.release_undo
    attempts = row.attempts if was_tried else max(0, row.attempts - 1)
    return move(row, event, attempts=attempts)


def cents(amount: Decimal) -> int:
    """Return US dollars in whole cents, half to even."""
    rounded = amount.quantize(_CENTS, ROUND_HALF_EVEN, EXACT)
    return int(EXACT.scaleb(rounded, 2))


def _made(model: type[M], table: Table, row: Sequence[Any]) -> M:
    return unattached(model, **dict(zip(table.c.keys(), row, strict=True)))
