"""How an account's orders are filled: spread, slippage, commission, and a share of the volume.

An account without a row fills at the quote, at no cost. A downgrade drops the rows: orders are then
filled as if there were none; what was booked stays.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

AMOUNTS = (
    "spread_bps",
    "slippage_bps",
    "commission_per_share",
    "commission_percent",
    "commission_minimum",
)
NOT_NEGATIVE = " AND ".join(f"{name} >= 0" for name in AMOUNTS)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "account_rules",
        sa.Column("user_id", sa.String(36), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in AMOUNTS
        ),
        sa.Column("volume_percent", sa.BigInteger(), nullable=True),
        sa.Column(
            "updated_at",
            sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql"),
            nullable=False,
        ),
        *(
            sa.CheckConstraint(
                f"typeof({name}) IN ('integer')", name=op.f(f"ck_account_rules_{name}_whole")
            ).ddl_if(dialect="sqlite")
            for name in AMOUNTS
        ),
        sa.CheckConstraint(
            "typeof(volume_percent) IN ('integer', 'null')",
            name=op.f("ck_account_rules_volume_percent_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(NOT_NEGATIVE, name=op.f("ck_account_rules_costs_not_negative")),
        sa.CheckConstraint("volume_percent > 0", name=op.f("ck_account_rules_volume_positive")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_account_rules_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_account_rules")),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("account_rules")
