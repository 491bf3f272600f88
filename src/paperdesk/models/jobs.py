"""Batch jobs, their rows, and the log of who did what."""

from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, Json, JsonType, Name, Prose, enum_column
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT
from paperdesk.models.enums import (
    Atomicity,
    EventType,
    JobMode,
    JobPhase,
    JobStatus,
    LogLevel,
    RowStatus,
)


def _rows_that_are(status: RowStatus, *columns: str) -> Index:
    """Return an index over the rows of one status alone: most have ended, and are never in it."""
    only = text(f"status = '{status}'")
    return Index(f"ix_job_rows_{status}", *columns, sqlite_where=only, postgresql_where=only)


class Job(Base):
    """Many orders or records handled as one piece of work, with an outcome for each row.

    `kind` says what the rows are (basket, import_trades, …) and `original_command` keeps the
    sentence it was made from. The counters are the sums of the rows; `total_cost_cents` is the
    cash that left the account, in whole cents, negative where more came in.

    `phase` is what workers do with its rows; `options` what the kind was told. `is_ordered` says
    that one worker at a time takes its rows, by their number; `lease` is that worker, until
    `leased_until`. `key` is the caller's idempotency key, `request_sha256` of what came under it.
    `steps_done` of `steps_total` say how far a task is within its row, in units of its own such as
    exported rows; NULL where it does not say.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "user_id", "key", unique=True),
        Index(None, "status"),
        Index(None, "created_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"),
        default=DEFAULT_ACCOUNT,
        server_default=DEFAULT_ACCOUNT,
        index=True,
    )
    kind: Mapped[Name] = mapped_column(default="basket", server_default="basket")
    name: Mapped[Name]
    description: Mapped[Prose | None]
    original_command: Mapped[Prose | None]
    status: Mapped[JobStatus] = mapped_column(
        enum_column(JobStatus), default=JobStatus.pending, server_default=JobStatus.pending.value
    )
    mode: Mapped[JobMode] = mapped_column(
        enum_column(JobMode), default=JobMode.confirm, server_default=JobMode.confirm.value
    )
    atomicity: Mapped[Atomicity] = mapped_column(
        enum_column(Atomicity), default=Atomicity.partial, server_default=Atomicity.partial.value
    )
    total_rows: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    processed_rows: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    successful_rows: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    failed_rows: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    total_cost_cents: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    error_code: Mapped[str | None]
    error_message: Mapped[Prose | None]
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    started_at: Mapped[Instant | None]
    completed_at: Mapped[Instant | None]
    updated_at: Mapped[Instant] = mapped_column(default=utc_now, onupdate=utc_now)
    options: Mapped[Any | None] = mapped_column(JsonType)
    phase: Mapped[JobPhase] = mapped_column(
        enum_column(JobPhase), default=JobPhase.run, server_default=JobPhase.run.value
    )
    is_ordered: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    lease: Mapped[Id | None]
    leased_until: Mapped[Instant | None]
    previewed_at: Mapped[Instant | None]
    undone_at: Mapped[Instant | None]
    file_name: Mapped[Name | None]
    file_sha256: Mapped[str | None] = mapped_column(String(64))
    key: Mapped[Name | None]
    request_sha256: Mapped[str | None] = mapped_column(String(64))
    steps_done: Mapped[int | None]
    steps_total: Mapped[int | None]

    rows: Mapped[list["JobRow"]] = relationship(
        back_populates="job",
        cascade="save-update, merge, delete, delete-orphan, expunge",
        passive_deletes=True,
        lazy="raise",
        order_by="JobRow.row_number",
    )
    logs: Mapped[list["AuditLog"]] = relationship(
        back_populates="job",
        cascade="save-update, merge, delete, delete-orphan, expunge",
        passive_deletes=True,
        lazy="raise",
        order_by="AuditLog.timestamp",
    )


class JobRow(Base):
    """One row of a job and its outcome. Rows count from 1.

    `data` is the row as it was given; `row_checksum` its SHA-256, `idempotency_key` what keeps its
    effect from happening twice. `cost_cents` is the cash that left the account, in whole cents;
    of a row that waits what it is estimated to be.

    While it is `processing` the worker with its `lease` has it, until `leased_until`. `effect` says
    what it booked, so that it can be undone; NULL as long as it booked nothing. `line` is where it
    stands in its file, `warning` what a person should know of it.
    """

    __tablename__ = "job_rows"
    __table_args__ = (
        UniqueConstraint("job_id", "row_number"),
        Index(None, "job_id"),
        Index(None, "status"),
        _rows_that_are(RowStatus.pending, "job_id", "row_number"),
        _rows_that_are(RowStatus.processing, "leased_until"),
        _rows_that_are(RowStatus.failed, "job_id", "row_number"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[Id] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    row_number: Mapped[int]
    row_checksum: Mapped[str | None]
    status: Mapped[RowStatus] = mapped_column(
        enum_column(RowStatus), default=RowStatus.pending, server_default=RowStatus.pending.value
    )
    data: Mapped[Json]
    cost_cents: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    idempotency_key: Mapped[str | None]
    order_id: Mapped[Id | None]
    error_code: Mapped[str | None]
    error_message: Mapped[Prose | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    processed_at: Mapped[Instant | None]
    lease: Mapped[Id | None]
    leased_until: Mapped[Instant | None]
    line: Mapped[int | None]
    warning: Mapped[Prose | None]
    effect: Mapped[Any | None] = mapped_column(JsonType)

    job: Mapped[Job] = relationship(back_populates="rows", lazy="raise")


class AuditLog(Base):
    """One line of what happened: of a job where `job_id` is set, else of the desk.

    Lines without a job say who did what and are append-only (a trigger refuses UPDATE and DELETE);
    a job's own lines go only with their job. They outlive what they describe: `user_id` is the
    account that was changed, `subject` the id of what was changed in it, and neither refers to a
    row. `actor` is the door somebody came through (key, webhook, command_line, …), `actor_id` the
    id of that key or webhook, `action` what was done (order.placed, key.revoked, …), `request_id`
    the request that did it. `details` has what there was before and after; never a secret.
    """

    __tablename__ = "audit_logs"
    __table_args__ = (
        Index(None, "job_id"),
        Index(None, "timestamp"),
        Index(None, "user_id", "id"),
        Index(None, "subject"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[Id | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    row_number: Mapped[int | None]
    timestamp: Mapped[Instant] = mapped_column(default=utc_now)
    level: Mapped[LogLevel] = mapped_column(enum_column(LogLevel))
    event_type: Mapped[EventType] = mapped_column(enum_column(EventType))
    message: Mapped[Prose]
    details: Mapped[Any | None] = mapped_column(JsonType)
    user_id: Mapped[Id | None]
    actor: Mapped[Name | None]
    actor_id: Mapped[Id | None]
    action: Mapped[Name | None]
    subject: Mapped[Name | None]
    request_id: Mapped[Name | None]

    job: Mapped[Job | None] = relationship(back_populates="logs", lazy="raise")
