"""Jobs as a queue: leases of jobs and of rows, what is done with them, and what rows booked.

A job also keeps its options, its file's name and SHA-256, and the key that it was asked for under.
A downgrade drops what these columns say; jobs and rows stay.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INSTANT = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
PHASES = "('load', 'preview', 'run', 'undo')"
PARTIAL = {
    "pending": ["job_id", "row_number"],
    "processing": ["leased_until"],
    "failed": ["job_id", "row_number"],
}
"""Indexes over the rows of one status alone."""


def job_columns() -> list[sa.Column[object]]:
    """Return the new columns of jobs, but for their phase."""
    return [
        sa.Column("options", JSON, nullable=True),
        sa.Column("is_ordered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lease", sa.String(36), nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("previewed_at", INSTANT, nullable=True),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.Column("file_name", sa.String(128), nullable=True),
        sa.Column("file_sha256", sa.String(64), nullable=True),
        sa.Column("key", sa.String(128), nullable=True),
        sa.Column("request_sha256", sa.String(64), nullable=True),
    ]


def row_columns() -> list[sa.Column[object]]:
    """Return the new columns of rows."""
    return [
        sa.Column("lease", sa.String(36), nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("warning", sa.Text(), nullable=True),
        sa.Column("effect", JSON, nullable=True),
    ]


def upgrade() -> None:
    """Add the columns and the indexes."""
    for column in job_columns():
        op.add_column("jobs", column)
    op.execute(
        "ALTER TABLE jobs ADD COLUMN phase VARCHAR(32) DEFAULT 'run' NOT NULL "
        f"CONSTRAINT ck_jobs_job_phase CHECK (phase IN {PHASES})"
    )
    op.create_index("ix_jobs_user_id_key", "jobs", ["user_id", "key"], unique=True)
    for column in row_columns():
        op.add_column("job_rows", column)
    for status, columns in PARTIAL.items():
        only = sa.text(f"status = '{status}'")
        op.create_index(
            f"ix_job_rows_{status}",
            "job_rows",
            columns,
            sqlite_where=only,
            postgresql_where=only,
        )


def downgrade() -> None:
    """Drop them."""
    for status in PARTIAL:
        op.drop_index(f"ix_job_rows_{status}", "job_rows")
    for column in reversed(row_columns()):
        op.drop_column("job_rows", column.name)
    op.drop_index("ix_jobs_user_id_key", "jobs")
    op.drop_column("jobs", "phase")
    for column in reversed(job_columns()):
        op.drop_column("jobs", column.name)
