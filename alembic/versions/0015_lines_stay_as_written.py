"""Lines of the audit trail cannot be put in place of others.

SQLite runs no trigger for the row that INSERT OR REPLACE or UPDATE OR REPLACE takes away, unless
the connection asks for it (`recursive_triggers`); so a line could be rewritten under its id, or in
its place under another. Now a line's id and rowid are never taken again and never change. On
PostgreSQL the trail cannot be truncated, as the journal cannot. A downgrade takes the triggers away
and keeps every line.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        # An automatic rowid is -1 before it is given, which is no line's.
        taken = (
            "SELECT 1 FROM audit_logs AS there "
            "WHERE (there.id = NEW.id OR there.rowid = NEW.rowid) AND there.job_id IS NULL"
        )
        for trigger in (
            f"replace BEFORE INSERT ON audit_logs WHEN EXISTS ({taken})",
            "new_id BEFORE UPDATE ON audit_logs WHEN (OLD.id <> NEW.id OR OLD.rowid <> NEW.rowid)",
        ):
            op.execute(
                f"CREATE TRIGGER audit_logs_refuse_{trigger} "
                "BEGIN SELECT RAISE(ABORT, 'audit_logs is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER audit_logs_refuse_truncate BEFORE TRUNCATE ON audit_logs "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Drop the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_logs_refuse_replace")
        op.execute("DROP TRIGGER audit_logs_refuse_new_id")
        return
    op.execute("DROP TRIGGER audit_logs_refuse_truncate ON audit_logs")
