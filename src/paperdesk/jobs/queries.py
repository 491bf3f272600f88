"""Reading jobs, their rows and their logs."""

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.errors import NotFound
from paperdesk.models import AuditLog, Job, JobRow, JobStatus, RowStatus


def jobs_of(
    account: str, status: JobStatus | None, kind: str | None, before: str | None
) -> Select[Job]:
    """Return the query for an account's jobs, the last made first."""
    query = select(Job).where(Job.user_id == account).order_by(Job.id.desc())
    if status is not None:
        query = query.where(Job.status == status)
    if kind is not None:
        query = query.where(Job.kind == kind)
    return query if before is None else query.where(Job.id < before)


async def job_of(session: AsyncSession, account: str, job_id: str) -> Job:
    """Return an account's job. Raises NotFound if it has no such."""
    job = await session.get(Job, job_id)
    if job is None or job.user_id != account:
        raise NotFound("There is no such job.")
    return job


def rows_of(job: Job, status: RowStatus | None, after: int) -> Select[JobRow]:
    """Return the query for a job's rows after a number, in their order."""
    query = select(JobRow).where(JobRow.job_id == job.id, JobRow.row_number > after)
    if status is not None:
        query = query.where(JobRow.status == status)
    return query.order_by(JobRow.row_number)


def outcomes_of(job: Job) -> Select[JobRow, int]:
    """Return the query for what came of a job's rows: the first row of each kind, and how many."""
    same = (JobRow.status, JobRow.error_code)
    kinds = (
        select(func.min(JobRow.row_number).label("first"), func.count().label("rows"))
        .where(JobRow.job_id == job.id)
        .group_by(*same)
        .subquery()
    )
    return (
        select(JobRow, kinds.c.rows)
        .join(kinds, JobRow.row_number == kinds.c.first)
        .where(JobRow.job_id == job.id)
        .order_by(JobRow.row_number)
    )


def logs_of(job: Job, after: str | None) -> Select[AuditLog]:
    """Return the query for a job's log, the first line first."""
    query = select(AuditLog).where(AuditLog.job_id == job.id).order_by(AuditLog.id)
    return query if after is None else query.where(AuditLog.id > after)
