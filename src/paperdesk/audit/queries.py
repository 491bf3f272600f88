"""Reading the audit trail."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select

from paperdesk.models import AuditLog, Job, LogLevel


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which lines are wanted; None for any. `action` may be a beginning that ends with a dot.

    Without a `job_id` those that are of no job. `until` and `before_id` are excluded.
    """

    account_id: str | None = None
    actor: str | None = None
    actor_id: str | None = None
    action: str | None = None
    subject: str | None = None
    request_id: str | None = None
    level: LogLevel | None = None
    since: datetime | None = None
    until: datetime | None = None
    job_id: str | None = None
    before_id: str | None = None


def lines_of(wanted: Wanted, bound_to: str | None = None) -> Select[AuditLog]:
    """Return the query for lines, the last written first.

    `bound_to` is the one account whose lines may be seen; None for all.
    """
    same = {
        AuditLog.user_id: wanted.account_id,
        AuditLog.actor: wanted.actor,
        AuditLog.actor_id: wanted.actor_id,
        AuditLog.subject: wanted.subject,
        AuditLog.request_id: wanted.request_id,
        AuditLog.level: wanted.level,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in same.items() if value is not None
    ]
    # Also where it is NULL: that is a condition too.
    conditions.append(
        AuditLog.job_id.is_(None) if wanted.job_id is None else AuditLog.job_id == wanted.job_id
    )
    if wanted.action is not None:
        is_beginning = wanted.action.endswith(".")
        conditions.append(
            AuditLog.action.startswith(wanted.action, autoescape=True)
            if is_beginning
            else AuditLog.action == wanted.action
        )
    if wanted.since is not None:
        conditions.append(AuditLog.timestamp >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditLog.timestamp < wanted.until)
    if wanted.before_id is not None:
        conditions.append(AuditLog.id < wanted.before_id)
    if bound_to is not None:
        of_job = AuditLog.job_id.in_(select(Job.id).where(Job.user_id == bound_to))
        conditions.append((AuditLog.user_id == bound_to) | of_job)
    return select(AuditLog).where(*conditions).order_by(AuditLog.id.desc())
