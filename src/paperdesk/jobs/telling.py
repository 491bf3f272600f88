"""What is told of jobs: to streams, to the job's own log, and to workers that wait."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, insert, select

from paperdesk.audit.secrets import without_secrets_in
from paperdesk.events.event import Event
from paperdesk.ids import new_id
from paperdesk.jobs.schemas import JobAnswer
from paperdesk.models import AuditLog, EventType, Job, LogLevel
from paperdesk.redaction import without_secrets

CHANNEL: Final = "paperdesk_jobs"
"""The channel on which processes tell each other's workers that there is something to do."""


class LogLine(NamedTuple):
    """A line of a job's own log; `row` is the number of the row that it is about."""

    message: str
    row: int | None = None
    level: LogLevel = LogLevel.INFO
    details: Mapping[str, Any] | None = None


def event_of(job: Job) -> Event:
    """Return what streams are told of a job, as it is now."""
    return Event(job.user_id, "job", job.id, JobAnswer.model_validate(job))


def log(connection: Connection, job: Job, lines: Sequence[LogLine], now: datetime) -> None:
    """Write lines into a job's log, in the transaction of a connection."""
    if not lines:
        return
    connection.execute(
        insert(AuditLog),
        [
            {
                "id": new_id(),
                "job_id": job.id,
                "row_number": line.row,
                "timestamp": now,
                "level": line.level,
                "event_type": EventType.state_change if line.row is None else EventType.row_event,
                "message": without_secrets(line.message),
                "details": _clean(line.details),
                "user_id": job.user_id,
            }
            for line in lines
        ],
    )


def wake(connection: Connection) -> None:
    """Tell the workers of all processes, once the transaction commits, that there is work."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def _clean(details: Mapping[str, Any] | None) -> Any:
    if details is None:
        return None
    return msgspec.json.decode(without_secrets_in(msgspec.json.encode(details).decode()))
