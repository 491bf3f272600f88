"""What is asked of jobs that there are: showing, starting, stopping, mending and deleting them."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.ids import PathId
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    PAGED,
    Cursor,
    Limit,
    id_cursor,
    next_link,
    number_cursor,
    page,
)
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest, InvalidState, NotFound, UnknownOutcome
from paperdesk.events.feed import Feed
from paperdesk.jobs.changing import JobChanges
from paperdesk.jobs.export.folder import ExportFolder
from paperdesk.jobs.lifecycle import JobEvent
from paperdesk.jobs.queries import job_of, jobs_of, logs_of, outcomes_of, rows_of
from paperdesk.jobs.schemas import JobAnswer, LogAnswer, OutcomeAnswer, RowAnswer, RowChange
from paperdesk.jobs.telling import event_of
from paperdesk.jobs.worker import Worker
from paperdesk.models import JobStatus, RowStatus
from paperdesk.users.access import Account

router = slice_router(prefix="/api/jobs", tags=["jobs"], changes=Scope.trade)

JobId = Annotated[PathId, Path(max_length=64, description="The job's id")]
_Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The row's number, from 1")]
_SHOWN: Final = problems(InvalidRequest, NotFound)
_ASKED: Final = problems(InvalidRequest, NotFound, InvalidState, UnknownOutcome)


@router.get("", response_model=list[JobAnswer], responses=PAGED | _SHOWN)
async def read_jobs(
    request: Request,
    session: Db,
    account: Account,
    status: JobStatus | None = None,
    kind: Annotated[Label | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the account's jobs, the last made first. The Link header leads on."""
    query = jobs_of(account, status, kind, id_cursor(cursor))
    found = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(found, limit)
    return Reply(
        [JobAnswer.model_validate(job) for job in shown],
        headers=next_link(request, last.id if last else None),
    )


@router.get("/{job_id}", response_model=JobAnswer, responses=_SHOWN)
async def read_job(session: Db, account: Account, job_id: JobId) -> Response:
    """Show a job: how far it is, and what it cost."""
    return Reply(JobAnswer.model_validate(await job_of(session, account, job_id)))


@router.get("/{job_id}/rows", response_model=list[RowAnswer], responses=PAGED | _SHOWN)
async def read_rows(
    request: Request,
    session: Db,
    account: Account,
    job_id: JobId,
    status: RowStatus | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List a job's rows by their number, with what came of each. The Link header leads on."""
    job = await job_of(session, account, job_id)
    query = rows_of(job, status, number_cursor(cursor) or 0)
    found = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(found, limit)
    return Reply(
        [RowAnswer.model_validate(row) for row in shown],
        headers=next_link(request, str(last.row_number) if last else None),
    )


@router.get("/{job_id}/outcomes", response_model=list[OutcomeAnswer], responses=_SHOWN)
async def read_outcomes(session: Db, account: Account, job_id: JobId) -> Response:
    """Count a job's rows by what came of them, each with an example: the first such row."""
    job = await job_of(session, account, job_id)
    found = (await session.execute(outcomes_of(job))).all()
    return Reply(
        [
            OutcomeAnswer(
                rows=rows,
                status=row.status,
                error_code=row.error_code,
                example=RowAnswer.model_validate(row),
            )
            for row, rows in found
        ]
    )


@router.get("/{job_id}/logs", response_model=list[LogAnswer], responses=PAGED | _SHOWN)
async def read_logs(
    request: Request,
    session: Db,
    account: Account,
    job_id: JobId,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List a job's log, the first line first. The Link header leads on."""
    job = await job_of(session, account, job_id)
    found = (await session.scalars(logs_of(job, id_cursor(cursor)).limit(limit + 1))).all()
    shown, last = page(found, limit)
    return Reply(
        [LogAnswer.model_validate(line) for line in shown],
        headers=next_link(request, last.id if last else None),
    )


@router.patch(
    "/{job_id}/rows/{row_number}",
    response_model=RowAnswer,
    responses=problems(*WITH_BODY, NotFound, InvalidState, UnknownOutcome),
)
async def change_row(
    request: Request, account: Account, job_id: JobId, row_number: _Number, body: RowChange
) -> Response:
    """Put other data in the place of a row's that is not booked; they are checked again.

    A failed row is booked once the job is retried. Not while the job is running.
    """
    state = request.app.state
    database: Database = state.database
    changes: JobChanges = state.job_changes
    async with database.write() as session:
        connection = await session.connection()
        now = state.market.clock.now()
        row = await connection.run_sync(changes.edit, account, job_id, row_number, body.data, now)
        await _tell(request, session, account, job_id)
    state.worker.heard()
    return Reply(RowAnswer.model_validate(row))


@router.post("/{job_id}/start", response_model=JobAnswer, responses=_ASKED)
async def start_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Book a job that was estimated. What its rows cost is decided now, not by the estimate."""
    return await _asked(request, account, job_id, JobEvent.start)


@router.post("/{job_id}/pause", response_model=JobAnswer, responses=_ASKED)
async def pause_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Have a running job wait; rows that are being booked are finished or put back."""
    return await _asked(request, account, job_id, JobEvent.pause)


@router.post("/{job_id}/resume", response_model=JobAnswer, responses=_ASKED)
async def resume_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Have a paused job go on."""
    return await _asked(request, account, job_id, JobEvent.resume)


@router.post("/{job_id}/cancel", response_model=JobAnswer, responses=_ASKED)
async def cancel_job(request: Request, account: Account, job_id: JobId) -> Response:
    """End a job between two rows. What it booked stays, unless it is undone."""
    return await _asked(request, account, job_id, JobEvent.cancel)


@router.post("/{job_id}/retry", response_model=JobAnswer, responses=_ASKED)
async def retry_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Try the failed rows of a job again, and no others."""
    return await _asked(request, account, job_id, JobEvent.retry)


@router.post("/{job_id}/undo", response_model=JobAnswer, responses=_ASKED)
async def undo_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Take back what a job booked, the last row first, at the original prices and fees.

    The cash is then as it would be without the job. A row whose shares are gone needs a review.
    """
    return await _asked(request, account, job_id, JobEvent.undo)


@router.delete("/{job_id}", status_code=204, response_class=Response, responses=_ASKED)
async def delete_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Delete a job that does not run, with its rows, its log and its file. What it booked stays."""
    state = request.app.state
    database: Database = state.database
    changes: JobChanges = state.job_changes
    exports: ExportFolder = state.exports
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(changes.delete, account, job_id, state.market.clock.now())
    await asyncio.to_thread(exports.remove, job_id)
    return Response(status_code=204)


async def _asked(request: Request, account: str, job_id: str, event: JobEvent) -> Response:
    """Have an event happen to a job; it is committed before the workers hear of it."""
    state = request.app.state
    database: Database = state.database
    changes: JobChanges = state.job_changes
    worker: Worker = state.worker
    async with database.write() as session:
        connection = await session.connection()
        job = await connection.run_sync(
            changes.ask, account, job_id, event, state.market.clock.now()
        )
        await session.run_sync(state.feed.tell, event_of(job))
    worker.heard()
    return Reply(JobAnswer.model_validate(job))


async def _tell(request: Request, session: Any, account: str, job_id: str) -> None:
    feed: Feed = request.app.state.feed
    await session.run_sync(feed.tell, event_of(await job_of(session, account, job_id)))
