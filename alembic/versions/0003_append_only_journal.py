"""The journal and the audit trail are append-only.

Triggers refuse UPDATE and DELETE on the three journal tables, and on audit lines that belong to no
job (a job's own lines go with their job). PostgreSQL's TRUNCATE is refused too. A downgrade takes
the triggers away and keeps every row.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JOURNAL = ("trades", "cash_movements", "position_adjustments")
CONDITIONS = dict.fromkeys(JOURNAL, "") | {"audit_logs": "WHEN (OLD.job_id IS NULL)"}


def upgrade() -> None:
    """Make the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for table, condition in CONDITIONS.items():
            for event in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuse_{event} BEFORE {event.upper()} ON {table} "
                    f"{condition} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; "
        "END $$"
    )
    for table, condition in CONDITIONS.items():
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW {condition} EXECUTE FUNCTION refuse_change()"
        )
    for table in JOURNAL:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Drop the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for table in CONDITIONS:
            for event in ("update", "delete"):
                op.execute(f"DROP TRIGGER {table}_refuse_{event}")
        return
    for table in CONDITIONS:
        op.execute(f"DROP TRIGGER {table}_refuse_change ON {table}")
    for table in JOURNAL:
        op.execute(f"DROP TRIGGER {table}_refuse_truncate ON {table}")
    op.execute("DROP FUNCTION refuse_change()")
