"""Making a job: its rows checked one by one, then stored with it in one transaction."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from paperdesk.audit.actor import acting, request_id
from paperdesk.audit.trail import Action, Line, Said, write
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.exact_json import written
from paperdesk.db.prepared import unattached
from paperdesk.errors import IdempotencyMismatch, InvalidRequest, Refused
from paperdesk.ids import new_id
from paperdesk.jobs.data import checksum, storable
from paperdesk.jobs.kinds import BookedKind, GivenTask, Kind
from paperdesk.jobs.loading import STRETCH, Load, add_rows
from paperdesk.jobs.schemas import JobRequest, JobTerms
from paperdesk.jobs.store import JOBS, locked_job
from paperdesk.models import Atomicity, Job, JobMode, JobPhase, JobRow, JobStatus, RowStatus

MOST_OF_ALL: Final = 1_000
"""Rows of a job that is all or nothing: they are booked in one transaction, and others wait."""
_LONGEST_NAME: Final = 128
_JOB: Final = tuple(column.name for column in JOBS.c)


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that was asked for, and under which key of the caller, if any.

    `request_sha256` tells requests under one key apart. `options` is what the kind was told about
    its file, in plain values.
    """

    account_id: str
    terms: JobTerms
    kind: Kind
    original_command: str | None = None
    key: str | None = None
    request_sha256: str | None = None
    file_name: str | None = None
    file_sha256: str | None = None
    options: Any = None


@dataclass(frozen=True, slots=True)
class Made:
    """A job, and whether an earlier request with the key made it."""

    job: Job
    replayed: bool


def sha256_of(request: JobRequest) -> str:
    """Return what tells requests apart: the same after parsing is the same."""
    said = request.model_dump(mode="json", exclude={"rows"})
    return hashlib.sha256(written([said, request.rows]).encode()).hexdigest()


async def made_before(database: Database, asked: Asked) -> Job | None:
    """Return the job that was made under the key, if any was.

    Raises IdempotencyMismatch where another request made it.
    """
    if asked.key is None:
        return None
    query = select(Job).where(Job.user_id == asked.account_id, Job.key == asked.key)
    async with database.read() as session:
        earlier = await session.scalar(query)
    if earlier is not None:
        _check_same(earlier, asked.request_sha256)
    return earlier


def checked_row(kind: BookedKind | GivenTask, row: JobRow, told: Any) -> Any:
    """Return what a row says, typed; where it cannot be, note in the row why and return None."""
    try:
        return kind.check(row.data, told)
    except Refused as refusal:
        row.error_code, row.error_message = refusal.code, str(refusal)
        return None


def new_row(number: int, data: Any, now: datetime, line: int | None = None) -> JobRow:
    """Return a row that waits, of a job that is not made yet."""
    kept = storable(data)
    return unattached(
        JobRow,
        id=new_id(),
        row_number=number,
        row_checksum=checksum(kept),
        status=RowStatus.pending,
        data=kept,
        cost_cents=0,
        error_code=None,
        error_message=None,
        attempts=0,
        created_at=now,
        line=line,
    )


def _read(kind: Kind, given: Iterable[Any], told: Any, now: datetime) -> tuple[list[JobRow], bool]:
    """Return the rows, those that cannot be understood failed, and whether they are ordered."""
    rows = [new_row(number, data, now) for number, data in enumerate(given, 1)]
    if not isinstance(kind, BookedKind | GivenTask):
        return rows, True
    said: list[Any] = []
    for row in rows:
        terms = checked_row(kind, row, told)
        if row.error_code is None:
            said.append(terms)
        else:
            row.status, row.processed_at = RowStatus.failed, now
    return rows, not isinstance(kind, BookedKind) or kind.is_ordered(said)


async def make(database: Database, clock: Clock, asked: Asked, given: Sequence[Any]) -> Made:
    """Store a job with its rows; in mode auto it runs, else it is estimated first.

    Raises InvalidRequest for too many rows of one that is all or nothing, IdempotencyMismatch where
    its key was used for another request, InvalidState where it was deleted or cancelled meanwhile.
    """
    terms, now = asked.terms, clock.now()
    if terms.atomicity is Atomicity.all and len(given) > MOST_OF_ALL:
        raise too_many_of_all(f"{len(given):,}")
    # In a thread: a hundred thousand rows must not keep everybody else waiting.
    rows, is_ordered = await asyncio.to_thread(_read, asked.kind, given, asked.options, now)
    name = terms.name or _title(asked) or f"{terms.kind} of {len(rows):,} rows"
    job = new_job(asked, name, now, is_ordered=is_ordered)
    made = await begin(database, job, rows[:STRETCH], now, total=len(rows))
    if not made.replayed and len(rows) > STRETCH:
        load = Load(database, clock, job)
        async with load.or_give_up():
            for first in range(STRETCH, len(rows), STRETCH):
                some = rows[first : first + STRETCH]
                await load.add(some, is_last=first + STRETCH >= len(rows))
    return made


def _title(asked: Asked) -> str | None:
    """Return as much of a command as a name has room for."""
    command = asked.original_command
    if command is None or len(command) <= _LONGEST_NAME:
        return command
    return f"{command[: _LONGEST_NAME - 1]}…"


async def begin(
    database: Database, job: Job, rows: Sequence[JobRow], now: datetime, *, total: int | None
) -> Made:
    """Store a new job and its first rows of `total`, if that is known; with all it is ready.

    Raises IdempotencyMismatch where its key was used for another request.
    """
    async with database.write() as session:
        connection = await session.connection()
        return await connection.run_sync(_store, job, rows, now, total)


def too_many_of_all(count: str) -> InvalidRequest:
    """Return why a job of so many rows cannot be all or nothing."""
    return InvalidRequest(
        f"atomicity: all or nothing goes with at most {MOST_OF_ALL:,} rows, and these are "
        f"{count}. Leave atomicity out, or send several jobs."
    )


def new_job(asked: Asked, name: str, now: datetime, *, is_ordered: bool) -> Job:
    """Return a job without rows, which is loaded by whoever has its lease."""
    terms = asked.terms
    runs = terms.mode is JobMode.auto
    return unattached(
        Job,
        id=new_id(),
        user_id=asked.account_id,
        kind=terms.kind,
        name=name,
        description=terms.description,
        original_command=asked.original_command,
        status=JobStatus.pending,
        mode=terms.mode,
        atomicity=terms.atomicity,
        total_rows=0,
        processed_rows=0,
        successful_rows=0,
        failed_rows=0,
        total_cost_cents=0,
        created_at=now,
        updated_at=now,
        phase=JobPhase.load,
        is_ordered=is_ordered,
        # What books nothing has nothing to be estimated.
        previewed_at=None if isinstance(asked.kind, BookedKind) or runs else now,
        lease=new_id(),
        key=asked.key,
        request_sha256=asked.request_sha256,
        file_name=asked.file_name,
        file_sha256=asked.file_sha256,
        options=asked.options,
    )


def _store(
    connection: Connection, job: Job, rows: Sequence[JobRow], now: datetime, total: int | None
) -> Made:
    insert_into = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(JOBS)
    values = {name: vars(job).get(name) for name in _JOB}
    # Two requests with one key: the second waits here for the first, and finds its job.
    stored = connection.execute(
        insert_into.values(values).on_conflict_do_nothing(index_elements=["user_id", "key"])
    )
    if not stored.rowcount:
        return Made(_earlier(connection, job), replayed=True)
    vars(job).update(values)
    after = {"kind": job.kind, "name": job.name, "mode": job.mode, "rows": total}
    line = Line(Action.job_made, f"A {job.kind} was made.", job.user_id, job.id, None, after)
    write(connection, [Said(line, acting.get(), request_id.get())], now)
    add_rows(connection, job, now, rows=rows, is_last=total == len(rows))
    return Made(job, replayed=False)


def _earlier(connection: Connection, job: Job) -> Job:
    query = select(JOBS.c.id).where(JOBS.c.user_id == job.user_id, JOBS.c.key == job.key)
    earlier = locked_job(connection, connection.execute(query).scalar_one())
    assert earlier is not None  # noqa: S101 - its id was just read
    _check_same(earlier, job.request_sha256)
    return earlier


def _check_same(earlier: Job, request_sha256: str | None) -> None:
    if earlier.request_sha256 != request_sha256:
        raise IdempotencyMismatch(
            "This key was used before for another job. Use a new key for a new one."
        )
