"""The schema: every table of the desk.

Amounts are whole numbers of their smallest unit (money 6 places, prices and quantities 9), the same
on both databases; times are timestamptz on PostgreSQL and text of fixed width on SQLite.
A downgrade drops everything.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.String(27).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def one_of(name: str, *values: str) -> sa.Enum:
    """Return the type of a text column that a named CHECK limits to the values."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def whole(table: str, column: str, *, nullable: bool = False) -> sa.CheckConstraint:
    """Return the CHECK that SQLite, which would take anything, stores an amount as an integer."""
    allowed = "('integer', 'null')" if nullable else "('integer')"
    return sa.CheckConstraint(
        f"typeof({column}) IN {allowed}", name=op.f(f"ck_{table}_{column}_whole")
    ).ddl_if(dialect="sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "desk_meta",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_desk_meta")),
    )
    op.create_table(
        "domains",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
        sa.UniqueConstraint("name", name=op.f("uq_domains_name")),
    )
    op.create_table(
        "price_bars",
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("timeframe", sa.String(length=8), nullable=False),
        sa.Column("start", INSTANT, nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("close", sa.BigInteger(), nullable=False),
        sa.Column("volume", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        whole("price_bars", "close"),
        whole("price_bars", "high"),
        whole("price_bars", "low"),
        whole("price_bars", "open"),
        whole("price_bars", "volume"),
        sa.CheckConstraint("low > 0 AND high >= low", name=op.f("ck_price_bars_prices_sane")),
        sa.PrimaryKeyConstraint("ticker", "timeframe", "start", name=op.f("pk_price_bars")),
    )
    op.create_table(
        "quotes",
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("previous_price", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("timestamp", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        whole("quotes", "previous_price"),
        whole("quotes", "price"),
        sa.CheckConstraint("price > 0", name=op.f("ck_quotes_price_positive")),
        sa.PrimaryKeyConstraint("ticker", name=op.f("pk_quotes")),
    )
    op.create_table(
        "users_profile",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), server_default="", nullable=False),
        sa.Column("cash_balance", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("realized_pnl", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("head_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "head_hash",
            sa.String(),
            server_default="0000000000000000000000000000000000000000000000000000000000000000",
            nullable=False,
        ),
        sa.Column(
            "verified_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("created_at", INSTANT, nullable=False),
        whole("users_profile", "cash_balance"),
        whole("users_profile", "realized_pnl"),
        sa.CheckConstraint("cash_balance >= 0", name=op.f("ck_users_profile_cash_not_negative")),
        sa.CheckConstraint(
            "head_sequence >= 0", name=op.f("ck_users_profile_head_sequence_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users_profile")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_api_keys_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_id", name=op.f("uq_api_keys_key_id")),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])

    op.create_table(
        "cash_movements",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column(
            "kind",
            one_of(
                "cash_movement_kind",
                "deposit",
                "withdrawal",
                "dividend",
                "interest",
                "fee",
                "adjustment",
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("effective_at", INSTANT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        whole("cash_movements", "amount"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_cash_movements_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cash_movements")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_cash_movements_user_id_key")),
        sa.UniqueConstraint("user_id", "sequence", name=op.f("uq_cash_movements_user_id_sequence")),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("role", one_of("chat_role", "user", "assistant"), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("actions", JSON, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_chat_messages_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
    )
    op.create_index(
        "ix_chat_messages_user_id_created_at", "chat_messages", ["user_id", "created_at"]
    )

    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("kind", sa.String(length=128), server_default="basket", nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("original_command", sa.Text(), nullable=True),
        sa.Column(
            "status",
            one_of(
                "job_status", "pending", "running", "paused", "completed", "failed", "cancelled"
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column(
            "mode", one_of("job_mode", "confirm", "auto"), server_default="confirm", nullable=False
        ),
        sa.Column(
            "atomicity",
            one_of("atomicity", "partial", "all"),
            server_default="partial",
            nullable=False,
        ),
        sa.Column("total_rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("processed_rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("successful_rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed_rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_cost_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("completed_at", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users_profile.id"], name=op.f("fk_jobs_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])
    op.create_index("ix_jobs_status", "jobs", ["status"])
    op.create_index("ix_jobs_user_id", "jobs", ["user_id"])

    op.create_table(
        "portfolio_snapshots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("total_value", sa.BigInteger(), nullable=False),
        sa.Column("cash_balance", sa.BigInteger(), nullable=False),
        sa.Column("positions_value", sa.BigInteger(), nullable=False),
        sa.Column("incomplete", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        whole("portfolio_snapshots", "cash_balance"),
        whole("portfolio_snapshots", "positions_value"),
        whole("portfolio_snapshots", "total_value"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_portfolio_snapshots_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portfolio_snapshots")),
    )
    op.create_index(
        "ix_portfolio_snapshots_user_id_recorded_at",
        "portfolio_snapshots",
        ["user_id", "recorded_at"],
    )

    op.create_table(
        "position_adjustments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column(
            "kind",
            one_of(
                "position_adjustment_kind",
                "stock_split",
                "symbol_change",
                "spin_off",
                "transfer",
                "reset",
            ),
            nullable=False,
        ),
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("new_ticker", sa.String(length=24), nullable=True),
        sa.Column("numerator", sa.BigInteger(), nullable=True),
        sa.Column("denominator", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_basis", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("effective_at", INSTANT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        whole("position_adjustments", "amount"),
        whole("position_adjustments", "cost_basis"),
        whole("position_adjustments", "quantity"),
        sa.CheckConstraint(
            "numerator > 0 AND denominator > 0", name=op.f("ck_position_adjustments_ratio_positive")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_position_adjustments_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_position_adjustments")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_position_adjustments_user_id_key")),
        sa.UniqueConstraint(
            "user_id", "sequence", name=op.f("uq_position_adjustments_user_id_sequence")
        ),
    )
    op.create_table(
        "positions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("cost_basis", sa.BigInteger(), nullable=False),
        sa.Column("avg_cost", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        whole("positions", "avg_cost"),
        whole("positions", "cost_basis"),
        whole("positions", "quantity"),
        sa.CheckConstraint("quantity <> 0", name=op.f("ck_positions_quantity_not_zero")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_positions_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_positions")),
        sa.UniqueConstraint("user_id", "ticker", name=op.f("uq_positions_user_id_ticker")),
    )
    op.create_index("ix_positions_ticker", "positions", ["ticker"])

    op.create_table(
        "stocks",
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("domain_id", sa.String(length=36), nullable=False),
        sa.Column("last_updated", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"], name=op.f("fk_stocks_domain_id")),
        sa.PrimaryKeyConstraint("ticker", name=op.f("pk_stocks")),
    )
    op.create_index("ix_stocks_domain_id", "stocks", ["domain_id"])

    op.create_table(
        "watchlist",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("list_id", sa.String(length=36), server_default="primary", nullable=False),
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_watchlist_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watchlist")),
        sa.UniqueConstraint(
            "user_id", "list_id", "ticker", name=op.f("uq_watchlist_user_id_list_id_ticker")
        ),
    )
    op.create_index("ix_watchlist_ticker", "watchlist", ["ticker"])

    op.create_table(
        "watchlists",
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_watchlists_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_watchlists")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("mode", one_of("webhook_mode", "record", "propose", "execute"), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("limits", JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users_profile.id"], name=op.f("fk_webhooks_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_webhooks_token_hash")),
    )
    op.create_index("ix_webhooks_user_id", "webhooks", ["user_id"])

    op.create_table(
        "audit_logs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=True),
        sa.Column("row_number", sa.BigInteger(), nullable=True),
        sa.Column("timestamp", INSTANT, nullable=False),
        sa.Column("level", one_of("log_level", "INFO", "WARNING", "ERROR"), nullable=False),
        sa.Column(
            "event_type",
            one_of("event_type", "state_change", "api_call", "row_event", "error"),
            nullable=False,
        ),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("details", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_audit_logs_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_logs")),
    )
    op.create_index("ix_audit_logs_job_id", "audit_logs", ["job_id"])
    op.create_index("ix_audit_logs_timestamp", "audit_logs", ["timestamp"])

    op.create_table(
        "job_rows",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("row_checksum", sa.String(), nullable=True),
        sa.Column(
            "status",
            one_of(
                "row_status",
                "pending",
                "processing",
                "completed",
                "failed",
                "skipped",
                "needs_review",
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("data", JSON, nullable=False),
        sa.Column("cost_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("processed_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_rows_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_rows")),
        sa.UniqueConstraint("job_id", "row_number", name=op.f("uq_job_rows_job_id_row_number")),
    )
    op.create_index("ix_job_rows_job_id", "job_rows", ["job_id"])
    op.create_index("ix_job_rows_status", "job_rows", ["status"])

    op.create_table(
        "score_snapshots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("fetched_at", INSTANT, nullable=False),
        sa.Column("close_price", sa.BigInteger(), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=True),
        sa.Column("score", sa.Double[float](), nullable=True),
        sa.Column("rank", sa.BigInteger(), nullable=True),
        sa.Column("factors", JSON, nullable=True),
        whole("score_snapshots", "close_price"),
        whole("score_snapshots", "volume", nullable=True),
        sa.ForeignKeyConstraint(
            ["ticker"], ["stocks.ticker"], name=op.f("fk_score_snapshots_ticker")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_snapshots")),
    )
    op.create_index("ix_score_snapshots_fetched_at", "score_snapshots", ["fetched_at"])
    op.create_index("ix_score_snapshots_ticker", "score_snapshots", ["ticker"])

    op.create_table(
        "signals",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("signal_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("webhook_id", sa.String(length=36), nullable=True),
        sa.Column("payload", JSON, nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("understood", JSON, nullable=True),
        sa.Column(
            "status",
            one_of(
                "signal_status", "received", "queued", "executed", "rejected", "recorded", "failed"
            ),
            server_default="received",
            nullable=False,
        ),
        sa.Column("processed", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("duplicates", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.CheckConstraint("length(signal_id) = 64", name=op.f("ck_signals_signal_id_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users_profile.id"], name=op.f("fk_signals_user_id")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_signals_webhook_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
        sa.UniqueConstraint("signal_id", name=op.f("uq_signals_signal_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_signals_received_at", "signals", ["received_at"])
    op.create_index("ix_signals_user_id", "signals", ["user_id"])
    op.create_index("ix_signals_webhook_id", "signals", ["webhook_id"])

    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("client_order_id", sa.String(length=128), nullable=False),
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("side", one_of("side", "buy", "sell"), nullable=False),
        sa.Column(
            "type",
            one_of("order_type", "market", "limit", "stop", "stop_limit", "trailing_stop"),
            nullable=False,
        ),
        sa.Column(
            "time_in_force",
            one_of("time_in_force", "day", "gtc", "ioc", "fok", "opg", "cls"),
            nullable=False,
        ),
        sa.Column(
            "status",
            one_of(
                "order_status",
                "new",
                "accepted",
                "partially_filled",
                "filled",
                "canceled",
                "expired",
                "rejected",
                "replaced",
                "held",
            ),
            nullable=False,
        ),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("notional", sa.BigInteger(), nullable=True),
        sa.Column("limit_price", sa.BigInteger(), nullable=True),
        sa.Column("stop_price", sa.BigInteger(), nullable=True),
        sa.Column("trail_price", sa.BigInteger(), nullable=True),
        sa.Column("trail_percent", sa.BigInteger(), nullable=True),
        sa.Column("filled_quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("filled_avg_price", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("strategy", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("signal_id", sa.String(length=64), nullable=True),
        sa.Column("leg", sa.String(), nullable=True),
        sa.Column("submitted_at", INSTANT, nullable=False),
        sa.Column("filled_at", INSTANT, nullable=True),
        sa.Column("canceled_at", INSTANT, nullable=True),
        sa.Column("expired_at", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        whole("orders", "filled_avg_price", nullable=True),
        whole("orders", "filled_quantity"),
        whole("orders", "limit_price", nullable=True),
        whole("orders", "notional", nullable=True),
        whole("orders", "quantity", nullable=True),
        whole("orders", "stop_price", nullable=True),
        whole("orders", "trail_percent", nullable=True),
        whole("orders", "trail_price", nullable=True),
        sa.CheckConstraint(
            "(quantity IS NULL) <> (notional IS NULL)", name=op.f("ck_orders_quantity_or_notional")
        ),
        sa.CheckConstraint(
            "filled_quantity >= 0", name=op.f("ck_orders_filled_quantity_not_negative")
        ),
        sa.CheckConstraint("notional > 0", name=op.f("ck_orders_notional_positive")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_orders_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["signals.signal_id"], name=op.f("fk_orders_signal_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users_profile.id"], name=op.f("fk_orders_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("signal_id", "leg", name=op.f("uq_orders_signal_id_leg")),
        sa.UniqueConstraint(
            "user_id", "client_order_id", name=op.f("uq_orders_user_id_client_order_id")
        ),
    )
    op.create_index("ix_orders_status_ticker", "orders", ["status", "ticker"])
    op.create_index("ix_orders_user_id_status", "orders", ["user_id", "status"])

    op.create_table(
        "trades",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), server_default="default", nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("ticker", sa.String(length=24), nullable=False),
        sa.Column("side", one_of("side", "buy", "sell"), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("realized_pnl", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("strategy", sa.String(length=128), nullable=True),
        sa.Column("executed_at", INSTANT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        whole("trades", "fee"),
        whole("trades", "price"),
        whole("trades", "quantity"),
        whole("trades", "realized_pnl"),
        whole("trades", "value"),
        sa.CheckConstraint("price > 0", name=op.f("ck_trades_price_positive")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_trades_quantity_positive")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_trades_order_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users_profile.id"], name=op.f("fk_trades_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trades")),
        sa.UniqueConstraint("user_id", "sequence", name=op.f("uq_trades_user_id_sequence")),
    )
    op.create_index("ix_trades_order_id", "trades", ["order_id"])
    op.create_index(
        "ix_trades_user_id_ticker_sequence", "trades", ["user_id", "ticker", "sequence"]
    )


def downgrade() -> None:
    """Drop every table, those that are referred to last."""
    for table in (
        "trades",
        "orders",
        "signals",
        "score_snapshots",
        "job_rows",
        "audit_logs",
        "webhooks",
        "watchlists",
        "watchlist",
        "stocks",
        "positions",
        "position_adjustments",
        "portfolio_snapshots",
        "jobs",
        "chat_messages",
        "cash_movements",
        "api_keys",
        "users_profile",
        "quotes",
        "price_bars",
        "domains",
        "desk_meta",
    ):
        op.drop_table(table)
