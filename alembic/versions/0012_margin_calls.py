"""What shares sold short must be covered by as prices move, and what borrowing them costs.

An account that has rules gets a maintenance of 30 percent, and borrows for nothing. A downgrade
drops what these columns say.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = (("maintenance_percent", "maintenance", 30_000_000), ("borrow_percent", "borrow", 0))


def upgrade() -> None:
    """Add the columns."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for column, what, default in COLUMNS:
        if is_sqlite:
            # Written out: a Column keeps several CHECKs in no order.
            op.execute(
                f"ALTER TABLE account_rules ADD COLUMN {column} BIGINT DEFAULT {default} NOT NULL "
                f"CONSTRAINT ck_account_rules_{column}_whole "
                f"CHECK (typeof({column}) IN ('integer')) "
                f"CONSTRAINT ck_account_rules_{what}_not_negative CHECK ({column} >= 0)"
            )
            continue
        name = op.f(f"ck_account_rules_{what}_not_negative")
        op.add_column(
            "account_rules",
            sa.Column(
                column,
                sa.BigInteger(),
                sa.CheckConstraint(f"{column} >= 0", name=name),
                server_default=sa.text(str(default)),
                nullable=False,
            ),
        )


def downgrade() -> None:
    """Drop them."""
    for column, *_ in reversed(COLUMNS):
        op.drop_column("account_rules", column)
