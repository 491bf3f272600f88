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

DEFAULTS = {"margin_percent": 50, "maintenance_percent": 30, "borrow_percent": 0}
NOT_NEGATIVE = " AND ".join(f"{name} >= 0" for name in DEFAULTS)


def upgrade() -> None:
    """Add the columns."""
    op.add_column(
        "account_rules",
        sa.Column("short_selling", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, percent in DEFAULTS.items():
        checks: list[sa.CheckConstraint] = []
        if is_sqlite:
            whole = op.f(f"ck_account_rules_{name}_whole")
            checks.append(sa.CheckConstraint(f"typeof({name}) IN ('integer')", name=whole))
        if name == "borrow_percent":
            checks.append(
                sa.CheckConstraint(NOT_NEGATIVE, name=op.f("ck_account_rules_margins_not_negative"))
            )
        op.add_column(
            "account_rules",
            sa.Column(
                name,
                sa.BigInteger(),
                *checks,
                server_default=sa.text(str(percent * 10**6)),
                nullable=False,
            ),
        )


def downgrade() -> None:
    """Drop them."""
    # The CHECK over all of them goes with the column that it was added with: with the last one.
    for name in ("short_selling", *reversed(DEFAULTS)):
        op.drop_column("account_rules", name)
