"""Quotes are unlogged on PostgreSQL.

The latest price of every ticker is rewritten twice a second and worthless after a crash, so it need
not pass through the write-ahead log. SQLite has no such tables and keeps the quotes as they are.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the table out of the write-ahead log."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE quotes SET UNLOGGED")


def downgrade() -> None:
    """Log the table again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE quotes SET LOGGED")
