"""Lots: shares that were opened together, for accounts that tell them apart when they sell.

A trade that fills one of these columns is hashed with what they say; those that were booked before
fill none, and keep their hash. So a downgrade is refused once there is such a trade: without the
columns nobody could prove it any more. Otherwise it drops what lots say.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
METHODS = "cost_basis_method IN ('average', 'fifo', 'lifo', 'hifo', 'named')"


def whole(table: str, column: str) -> sa.CheckConstraint:
    """Return the CHECK that SQLite, which would take anything, stores an amount as an integer."""
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer')", name=op.f(f"ck_{table}_{column}_whole")
    ).ddl_if(dialect="sqlite")


def upgrade() -> None:
    """Add the columns and the table."""
    op.create_table(
        "position_lots",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("ticker", sa.String(24), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("cost_basis", sa.BigInteger(), nullable=False),
        whole("position_lots", "cost_basis"),
        whole("position_lots", "quantity"),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_position_lots_quantity_not_zero")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_position_lots_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "ticker", "number", name=op.f("pk_position_lots")),
    )
    # A CHECK of its own column is all that SQLite adds to a table that is there.
    op.add_column(
        "trades",
        sa.Column(
            "cost_basis_method",
            sa.String(32),
            sa.CheckConstraint(METHODS, name=op.f("ck_trades_cost_basis")),
            nullable=True,
        ),
    )
    op.add_column("trades", sa.Column("opened_at", INSTANT, nullable=True))
    op.add_column("trades", sa.Column("closed_lots", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("lots", JSON, nullable=True))
    op.add_column(
        "account_rules",
        sa.Column(
            "cost_basis_method",
            sa.String(32),
            sa.CheckConstraint(METHODS, name=op.f("ck_account_rules_cost_basis")),
            server_default="average",
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Drop them. Raises RuntimeError where a trade says when what it closed was opened, or how."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT count(*) FROM trades "
            "WHERE cost_basis_method IS NOT NULL OR opened_at IS NOT NULL"
        )
    )
    if number := found.scalar():
        raise RuntimeError(
            f"{number} trade(s) were booked since revision 0008 in a way that 0007 cannot prove. "
            "Go back to a copy of the database from before instead."
        )
    op.drop_column("account_rules", "cost_basis_method")
    op.drop_column("orders", "lots")
    for name in ("closed_lots", "opened_at", "cost_basis_method"):
        op.drop_column("trades", name)
    op.drop_table("position_lots")
