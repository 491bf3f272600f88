"""Resets and clones: since when shares that were transferred are held, and what they were worth.

Their entries are hashed with it. And from here on a movement of cash of the kind `adjustment`
begins a chapter, in which what was realised starts from 0. So a downgrade is refused once there is
either: revision 0010 would take both for wrong.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns."""
    op.add_column("position_adjustments", sa.Column("opened_at", INSTANT, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "ALTER TABLE position_adjustments ADD COLUMN price BIGINT "
            "CONSTRAINT ck_position_adjustments_price_whole "
            "CHECK (typeof(price) IN ('integer', 'null'))"
        )
    else:
        op.add_column("position_adjustments", sa.Column("price", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them. Raises RuntimeError where an account was reset or cloned."""
    resets = "SELECT count(*) FROM cash_movements WHERE kind = 'adjustment'"
    moved = (
        "SELECT count(*) FROM position_adjustments WHERE opened_at IS NOT NULL OR price IS NOT NULL"
    )
    for query, what in ((resets, "reset(s)"), (moved, "transfer(s) of shares")):
        if number := op.get_bind().execute(sa.text(query)).scalar():
            raise RuntimeError(
                f"There are {number} {what}, which revision 0010 cannot prove. Go back to a copy "
                "of the database from before instead."
            )
    op.drop_column("position_adjustments", "price")
    op.drop_column("position_adjustments", "opened_at")
