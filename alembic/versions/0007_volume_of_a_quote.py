"""How much was traded since the quote before, for accounts that may take only a share of it.

Other processes fill orders at the stored quotes, so they must know it too. SQLite cannot add a
CHECK to a table, so the table is built anew there. A downgrade drops the column.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEPT = ("ticker", "price", "previous_price", "source", "timestamp", "received_at")


def whole(column: str, allowed: str = "'integer'") -> sa.CheckConstraint:
    """Return the CHECK that SQLite, which would take anything, stores an amount as an integer."""
    return sa.CheckConstraint(
        f"typeof({column}) IN ({allowed})", name=op.f(f"ck_quotes_{column}_whole")
    )


def rebuild(*, has_volume: bool) -> None:
    """Make SQLite's table anew, and take the rows over."""
    op.create_table(
        "quotes_new",
        sa.Column("ticker", sa.String(24), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("previous_price", sa.BigInteger(), nullable=False),
        *([sa.Column("volume", sa.BigInteger(), nullable=True)] if has_volume else []),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("timestamp", sa.String(27), nullable=False),
        sa.Column("received_at", sa.String(27), nullable=False),
        whole("previous_price"),
        whole("price"),
        *([whole("volume", "'integer', 'null'")] if has_volume else []),
        sa.CheckConstraint("price > 0", name=op.f("ck_quotes_price_positive")),
        sa.PrimaryKeyConstraint("ticker", name=op.f("pk_quotes")),
    )
    names = ", ".join(KEPT)
    op.execute(f"INSERT INTO quotes_new ({names}) SELECT {names} FROM quotes")  # noqa: S608 - our own names
    op.drop_table("quotes")
    op.rename_table("quotes_new", "quotes")


def upgrade() -> None:
    """Add the column."""
    if op.get_bind().dialect.name == "sqlite":
        rebuild(has_volume=True)
    else:
        op.add_column("quotes", sa.Column("volume", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    if op.get_bind().dialect.name == "sqlite":
        rebuild(has_volume=False)
    else:
        op.drop_column("quotes", "volume")
