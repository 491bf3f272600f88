"""Selling more than is held, for accounts that wish it: what it takes and what it costs.

An account without a row sells what it holds, as all did until now. A downgrade drops what these
columns say; shares that are sold short stay sold.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column(
        "account_rules",
        sa.Column("short_selling", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        # Written out: CHECKs of a column are all that SQLite adds to a table that is there, and a
        # Column keeps several of them in no order.
        op.execute(
            "ALTER TABLE account_rules ADD COLUMN margin_percent BIGINT DEFAULT 50000000 NOT NULL "
            "CONSTRAINT ck_account_rules_margin_percent_whole "
            "CHECK (typeof(margin_percent) IN ('integer')) "
            "CONSTRAINT ck_account_rules_margin_not_negative CHECK (margin_percent >= 0)"
        )
        return
    op.add_column(
        "account_rules",
        sa.Column(
            "margin_percent",
            sa.BigInteger(),
            sa.CheckConstraint(
                "margin_percent >= 0", name=op.f("ck_account_rules_margin_not_negative")
            ),
            server_default=sa.text("50000000"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("account_rules", "margin_percent")
    op.drop_column("account_rules", "short_selling")
