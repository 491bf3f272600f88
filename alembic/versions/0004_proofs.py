"""How far each account's books were proven, with the state that the journal leads to there.

A start need not replay a journal from its first entry: it begins where the last proof ended. The
number alone, `users_profile.verified_sequence`, did not carry the cash and the holdings of that
point, so it goes. A row with `accepted` is the state that an operator took for the truth although a
proof had failed. A downgrade drops the proofs; what was proven can be proven again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and drop the column that it replaces."""
    op.create_table(
        "proofs",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("cash_balance", sa.BigInteger(), nullable=False),
        sa.Column("realized_pnl", sa.BigInteger(), nullable=False),
        sa.Column(
            "holdings",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column("accepted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "proven_at",
            sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql"),
            nullable=False,
        ),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_proofs_sequence_not_negative")),
        *(
            sa.CheckConstraint(
                f"typeof({name}) IN ('integer')", name=op.f(f"ck_proofs_{name}_whole")
            ).ddl_if(dialect="sqlite")
            for name in ("cash_balance", "realized_pnl")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users_profile.id"], name=op.f("fk_proofs_user_id")),
        sa.PrimaryKeyConstraint("user_id", "sequence", name=op.f("pk_proofs")),
    )
    op.drop_column("users_profile", "verified_sequence")


def downgrade() -> None:
    """Drop the table, and bring the column back: nothing is proven."""
    op.add_column(
        "users_profile",
        sa.Column(
            "verified_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
    )
    op.drop_table("proofs")
