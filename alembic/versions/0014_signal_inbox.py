"""The inbox of signals: a queue over the table, and the windows in which equal bodies are one.

And of webhooks: how their alerts are taken, and the secrets of senders that sign. A downgrade drops
what these columns say; signals and webhooks stay.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
QUEUED = sa.text("status = 'queued'")


def webhook_columns() -> list[sa.Column[object]]:
    """Return the new columns of webhooks."""
    return [
        sa.Column("strategy", sa.String(128), nullable=True),
        sa.Column("settings", JSON, nullable=True),
        sa.Column("signing_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("previous_until", INSTANT, nullable=True),
        sa.Column("allowance_at", INSTANT, nullable=True),
        sa.Column("deleted_at", INSTANT, nullable=True),
    ]


def signal_columns() -> list[sa.Column[object]]:
    """Return the new columns of signals, but for their notional."""
    return [
        sa.Column("ticker", sa.String(24), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("lease", sa.String(36), nullable=True),
        sa.Column("next_attempt_at", INSTANT, nullable=True),
        sa.Column("last_seen_at", INSTANT, nullable=True),
        sa.Column("processed_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("missed", sa.Text(), nullable=True),
        sa.Column("replay_of", sa.String(64), nullable=True),
    ]


def upgrade() -> None:
    """Add the columns, the indexes and the table."""
    for column in webhook_columns():
        op.add_column("webhooks", column)
    for column in signal_columns():
        op.add_column("signals", column)
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "ALTER TABLE signals ADD COLUMN notional BIGINT "
            "CONSTRAINT ck_signals_notional_whole CHECK (typeof(notional) IN ('integer', 'null'))"
        )
    else:
        op.add_column("signals", sa.Column("notional", sa.BigInteger(), nullable=True))
    op.drop_index("ix_signals_webhook_id", "signals")
    op.create_index("ix_signals_webhook_id_ticker_id", "signals", ["webhook_id", "ticker", "id"])
    op.create_index(
        "ix_signals_queued",
        "signals",
        ["webhook_id", "ticker", "id"],
        sqlite_where=QUEUED,
        postgresql_where=QUEUED,
    )
    op.create_index(
        "ix_signals_queued_id", "signals", ["id"], sqlite_where=QUEUED, postgresql_where=QUEUED
    )
    op.create_index("ix_signals_webhook_id_processed_at", "signals", ["webhook_id", "processed_at"])
    op.create_table(
        "signal_windows",
        sa.Column("webhook_id", sa.String(36), nullable=False),
        sa.Column("dedupe_key", sa.String(64), nullable=False),
        sa.Column("first_arrival", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_signal_windows_webhook_id")
        ),
        sa.PrimaryKeyConstraint("webhook_id", "dedupe_key", name=op.f("pk_signal_windows")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("signal_windows")
    op.drop_index("ix_signals_webhook_id_processed_at", "signals")
    op.drop_index("ix_signals_queued_id", "signals")
    op.drop_index("ix_signals_queued", "signals")
    op.drop_index("ix_signals_webhook_id_ticker_id", "signals")
    op.create_index("ix_signals_webhook_id", "signals", ["webhook_id"])
    op.drop_column("signals", "notional")
    for column in reversed(signal_columns()):
        op.drop_column("signals", column.name)
    for column in reversed(webhook_columns()):
        op.drop_column("webhooks", column.name)
