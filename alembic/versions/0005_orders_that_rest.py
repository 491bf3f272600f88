"""Orders that wait: what they set aside, how they are linked, when they end and why.

Until now each order was filled when it was placed. An open order is one without `closed_at`, and
the index over open orders has these alone: the many that were filled at once never enter it.
`users_profile.version` grows with each change of an account's open orders, which leaves no entry in
its journal. SQLite cannot add a CHECK to a table, so the table is built anew there. A downgrade
drops what these columns say; the orders stay.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
OPEN = "('new', 'accepted', 'partially_filled', 'held')"
OPEN_ALONE = sa.text("closed_at IS NULL")
LINKED_ALONE = sa.text("group_id IS NOT NULL")
ENDED_AT = (
    f"CASE WHEN status IN {OPEN} THEN NULL "
    "ELSE coalesce(filled_at, canceled_at, expired_at, updated_at) END"
)


ENUMS = {
    "side": ("side", "'buy', 'sell'"),
    "order_type": ("type", "'market', 'limit', 'stop', 'stop_limit', 'trailing_stop'"),
    "time_in_force": ("time_in_force", "'day', 'gtc', 'ioc', 'fok', 'opg', 'cls'"),
    "order_status": (
        "status",
        (
            "'new', 'accepted', 'partially_filled', 'filled', 'canceled', 'expired', 'rejected', "
            "'replaced', 'held'"
        ),
    ),
    "order_class": ("order_class", "'simple', 'bracket', 'oco', 'oto'"),
}
"""By the name of its CHECK, the column and its values."""


def is_one_of(enum: str) -> str:
    """Return the text of an enum's CHECK."""
    column, values = ENUMS[enum]
    return f"{column} IN ({values})"


def added() -> list[sa.Column[Any]]:
    """Return the new columns."""
    zero: dict[str, Any] = {"server_default": sa.text("0"), "nullable": False}
    return [
        sa.Column(
            "order_class",
            sa.String(32),
            server_default="simple",
            nullable=False,
        ),
        sa.Column("watermark", sa.BigInteger(), nullable=True),
        sa.Column(
            "extended_hours", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column("reserved_cash", sa.BigInteger(), **zero),
        sa.Column("reserved_quantity", sa.BigInteger(), **zero),
        sa.Column("group_id", sa.String(36), nullable=True),
        sa.Column("replaces", sa.String(36), nullable=True),
        sa.Column("replaced_by", sa.String(36), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("triggered_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
    ]


def kept() -> list[sa.Column[Any]]:
    """Return the columns that were there before."""
    amount = sa.BigInteger
    return [
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), server_default="default", nullable=False),
        sa.Column("client_order_id", sa.String(128), nullable=False),
        sa.Column("ticker", sa.String(24), nullable=False),
        sa.Column("side", sa.String(32), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("time_in_force", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        *(
            sa.Column(name, amount(), nullable=True)
            for name in (
                "quantity",
                "notional",
                "limit_price",
                "stop_price",
                "trail_price",
                "trail_percent",
            )
        ),
        sa.Column("filled_quantity", amount(), server_default=sa.text("0"), nullable=False),
        sa.Column("filled_avg_price", amount(), nullable=True),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("strategy", sa.String(128), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("signal_id", sa.String(64), nullable=True),
        sa.Column("leg", sa.String(), nullable=True),
        sa.Column("submitted_at", INSTANT, nullable=False),
        sa.Column("filled_at", INSTANT, nullable=True),
        sa.Column("canceled_at", INSTANT, nullable=True),
        sa.Column("expired_at", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
    ]


def constraints(columns: list[sa.Column[Any]]) -> Iterator[sa.schema.SchemaItem]:
    """Give the constraints that were there before, and SQLite's that amounts are whole."""
    for column in columns:
        if isinstance(column.type, sa.BigInteger):
            allowed = "('integer', 'null')" if column.nullable else "('integer')"
            yield sa.CheckConstraint(
                f"typeof({column.name}) IN {allowed}", name=op.f(f"ck_orders_{column.name}_whole")
            )
    yield sa.CheckConstraint(
        "(quantity IS NULL) <> (notional IS NULL)", name=op.f("ck_orders_quantity_or_notional")
    )
    yield sa.CheckConstraint(
        "filled_quantity >= 0", name=op.f("ck_orders_filled_quantity_not_negative")
    )
    yield sa.CheckConstraint("notional > 0", name=op.f("ck_orders_notional_positive"))
    yield sa.CheckConstraint("quantity > 0", name=op.f("ck_orders_quantity_positive"))
    yield sa.ForeignKeyConstraint(
        ["signal_id"], ["signals.signal_id"], name=op.f("fk_orders_signal_id")
    )
    yield sa.ForeignKeyConstraint(["user_id"], ["users_profile.id"], name=op.f("fk_orders_user_id"))
    yield sa.PrimaryKeyConstraint("id", name=op.f("pk_orders"))
    yield sa.UniqueConstraint("signal_id", "leg", name=op.f("uq_orders_signal_id_leg"))
    yield sa.UniqueConstraint(
        "user_id", "client_order_id", name=op.f("uq_orders_user_id_client_order_id")
    )
    names = {column.name for column in columns}
    for enum, (name, _) in ENUMS.items():
        if name in names:
            yield sa.CheckConstraint(is_one_of(enum), name=op.f(f"ck_orders_{enum}"))


CHECKS = {
    "reserved_not_negative": "reserved_cash >= 0 AND reserved_quantity >= 0",
    "open_or_closed": f"(closed_at IS NULL) = (status IN {OPEN})",
}


def rebuild(columns: list[sa.Column[Any]], checks: dict[str, str], values: dict[str, str]) -> None:
    """Make SQLite's table anew, and take the rows over; `values` are those of new columns."""
    named = [sa.CheckConstraint(text, name=op.f(f"ck_orders_{n}")) for n, text in checks.items()]
    # Before the table gets them, as each belongs to one table alone.
    rules = list(constraints(columns))
    op.create_table("orders_new", *columns, *rules, *named)
    names = [column.name for column in kept()] + list(values)
    taken = [column.name for column in kept()] + list(values.values())
    op.execute(
        f"INSERT INTO orders_new ({', '.join(names)}) SELECT {', '.join(taken)} FROM orders"  # noqa: S608 - our own names
    )
    op.drop_table("orders")
    op.rename_table("orders_new", "orders")


def upgrade() -> None:
    """Add the columns, say of each order whether it has ended, and index the open ones."""
    op.add_column(
        "users_profile",
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        rebuild([*kept(), *added()], CHECKS, {"closed_at": ENDED_AT})
    else:
        for column in added():
            op.add_column("orders", column)
        op.execute(f"UPDATE orders SET closed_at = {ENDED_AT}")  # noqa: S608 - our own names
        for name, text in (CHECKS | {"order_class": is_one_of("order_class")}).items():
            op.create_check_constraint(op.f(f"ck_orders_{name}"), "orders", text)
        op.drop_index("ix_orders_status_ticker", "orders")
        op.drop_index("ix_orders_user_id_status", "orders")
    op.create_index("ix_orders_user_id_id", "orders", ["user_id", "id"])
    op.create_index(
        "ix_orders_user_id_ticker",
        "orders",
        ["user_id", "ticker"],
        sqlite_where=OPEN_ALONE,
        postgresql_where=OPEN_ALONE,
    )
    op.create_index(
        "ix_orders_group_id",
        "orders",
        ["group_id"],
        sqlite_where=LINKED_ALONE,
        postgresql_where=LINKED_ALONE,
    )


def downgrade() -> None:
    """Drop the columns and bring the earlier indexes back."""
    if op.get_bind().dialect.name == "sqlite":
        rebuild(kept(), {}, {})
    else:
        for index in ("ix_orders_group_id", "ix_orders_user_id_ticker", "ix_orders_user_id_id"):
            op.drop_index(index, "orders")
        for name in (*CHECKS, "order_class"):
            op.drop_constraint(op.f(f"ck_orders_{name}"), "orders")
        for column in added():
            op.drop_column("orders", column.name)
    op.create_index("ix_orders_status_ticker", "orders", ["status", "ticker"])
    op.create_index("ix_orders_user_id_status", "orders", ["user_id", "status"])
    op.drop_column("users_profile", "version")
