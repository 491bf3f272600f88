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
    # A CHECK of its own column is all that SQLite adds to a table that is there.
    checks = [
        sa.CheckConstraint("margin_percent >= 0", name=op.f("ck_account_rules_margin_not_negative"))
    ]
    if op.get_bind().dialect.name == "sqlite":
        whole = op.f("ck_account_rules_margin_percent_whole")
        checks.append(sa.CheckConstraint("typeof(margin_percent) IN ('integer')", name=whole))
    op.add_column(
        "account_rules",
        sa.Column(
            "margin_percent",
            sa.BigInteger(),
            *checks,
            server_default=sa.text("50000000"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("account_rules", "margin_percent")
    op.drop_column("account_rules", "short_selling")
