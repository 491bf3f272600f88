"""Corporate actions: whose dividend a movement of cash is, and which orders a split changed.

A movement with a ticker is hashed with it; those that were booked before have none, and keep their
hash. So a downgrade is refused once there is such a movement: without the column nobody could prove
it any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("cash_movements", sa.Column("ticker", sa.String(24), nullable=True))
    op.add_column("orders", sa.Column("adjusted_by", sa.String(36), nullable=True))


def downgrade() -> None:
    """Drop them. Raises RuntimeError where a movement names a ticker."""
    found = op.get_bind().execute(
        sa.text("SELECT count(*) FROM cash_movements WHERE ticker IS NOT NULL")
    )
    if number := found.scalar():
        raise RuntimeError(
            f"{number} movement(s) of cash name a ticker, which revision 0009 cannot prove. Go "
            "back to a copy of the database from before instead."
        )
    op.drop_column("orders", "adjusted_by")
    op.drop_column("cash_movements", "ticker")
