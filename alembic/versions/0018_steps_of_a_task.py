"""How far a task of one row is: its steps, of how many. A downgrade drops both."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COLUMNS = ("steps_done", "steps_total")


def upgrade() -> None:
    """Add the columns."""
    for name in COLUMNS:
        op.add_column("jobs", sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in reversed(COLUMNS):
        op.drop_column("jobs", name)
