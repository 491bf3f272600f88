"""Which request brought a signal, so that the lines of what became of it name the same one.

NULL for signals from before. A downgrade drops the column; the lines of the audit trail stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("signals", sa.Column("request_id", sa.String(128), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("signals", "request_id")
