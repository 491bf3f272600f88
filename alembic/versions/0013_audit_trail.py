"""The audit trail says who acted, through which door, on what.

Lines of before have none of it. A downgrade drops what these columns say; the lines stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = {
    "user_id": 36,
    "actor": 128,
    "actor_id": 36,
    "action": 128,
    "subject": 128,
    "request_id": 128,
}
INDEXES = {"ix_audit_logs_user_id_id": ["user_id", "id"], "ix_audit_logs_subject": ["subject"]}


def upgrade() -> None:
    """Add the columns."""
    for column, length in COLUMNS.items():
        op.add_column("audit_logs", sa.Column(column, sa.String(length), nullable=True))
    for index, columns in INDEXES.items():
        op.create_index(index, "audit_logs", columns)


def downgrade() -> None:
    """Drop them."""
    for index in INDEXES:
        op.drop_index(index, "audit_logs")
    for column in reversed(COLUMNS):
        op.drop_column("audit_logs", column)
