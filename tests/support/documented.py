"""The schema as the design documents it: what users of the earlier systems rely on."""

from collections.abc import Mapping
from typing import Final

COLUMNS: Final[dict[str, str]] = {
    "users_profile": "id name cash_balance created_at head_sequence head_hash",
    "account_rules": "user_id spread_bps slippage_bps commission_per_share commission_percent "
    "commission_minimum volume_percent cost_basis_method short_selling margin_percent "
    "maintenance_percent borrow_percent",
    "api_keys": "id user_id secret_hash scopes",
    "webhooks": "id user_id name mode token_hash",
    "watchlists": "user_id id name",
    "watchlist": "id user_id list_id ticker added_at",
    "positions": "id user_id ticker quantity avg_cost cost_basis updated_at",
    "position_lots": "user_id ticker number opened_at quantity cost_basis",
    "orders": "id user_id client_order_id ticker side type time_in_force quantity notional "
    "limit_price stop_price trail_price trail_percent status filled_quantity filled_avg_price "
    "source strategy note signal_id leg submitted_at filled_at canceled_at expired_at "
    "order_class group_id replaces replaced_by reserved_cash reserved_quantity expires_at "
    "closed_at lots adjusted_by",
    "trades": "id user_id ticker side quantity price executed_at order_id value fee realized_pnl "
    "source strategy sequence hash cost_basis_method opened_at closed_lots",
    "cash_movements": "id user_id kind amount effective_at key sequence hash ticker",
    "position_adjustments": "id user_id kind numerator denominator effective_at key sequence hash "
    "opened_at price",
    "portfolio_snapshots": "id user_id total_value recorded_at cash_balance positions_value "
    "incomplete",
    "chat_messages": "id user_id role content actions created_at",
    "signal_windows": "webhook_id dedupe_key first_arrival",
    "signals": "id signal_id payload raw received_at processed user_id webhook_id understood "
    "status order_id error attempts duplicates",
    "jobs": "id user_id kind name description original_command status mode total_rows "
    "processed_rows successful_rows failed_rows total_cost_cents created_at started_at "
    "completed_at updated_at error_code error_message",
    "job_rows": "id job_id row_number row_checksum status data cost_cents idempotency_key order_id "
    "error_code error_message attempts created_at processed_at",
    "audit_logs": "id job_id row_number timestamp level event_type message details",
    "domains": "id name",
    "stocks": "ticker name domain_id last_updated",
    "score_snapshots": "id ticker fetched_at close_price volume score rank factors",
    "quotes": "ticker price",
    "price_bars": "ticker timeframe start open high low close volume",
    "desk_meta": "key value",
    "proofs": "user_id sequence hash cash_balance realized_pnl holdings accepted proven_at",
}

UNIQUE: Final[dict[str, list[str]]] = {
    "watchlist": ["user_id list_id ticker"],
    "positions": ["user_id ticker"],
    "orders": ["user_id client_order_id", "signal_id leg"],
    "trades": ["user_id sequence"],
    "cash_movements": ["user_id sequence", "user_id key"],
    "position_adjustments": ["user_id sequence", "user_id key"],
    "signals": ["signal_id"],
    "job_rows": ["job_id row_number"],
    "domains": ["name"],
}

INDEXED: Final[dict[str, list[str]]] = {
    "signals": ["received_at"],
    "jobs": ["status", "created_at"],
    "job_rows": ["job_id", "status"],
    "audit_logs": ["job_id", "timestamp"],
    "score_snapshots": ["ticker", "fetched_at"],
}

ENUMS: Final[dict[tuple[str, str], str]] = {
    ("jobs", "status"): "pending running paused completed failed cancelled",
    ("jobs", "mode"): "confirm auto",
    ("jobs", "atomicity"): "partial all",
    ("job_rows", "status"): "pending processing completed failed skipped needs_review",
    ("audit_logs", "level"): "INFO WARNING ERROR",
    ("audit_logs", "event_type"): "state_change api_call row_event error",
    ("trades", "side"): "buy sell",
    ("orders", "side"): "buy sell",
    ("orders", "status"): "new accepted partially_filled filled canceled expired rejected replaced "
    "held",
    ("chat_messages", "role"): "user assistant",
    ("webhooks", "mode"): "record propose execute",
    ("signals", "status"): "received queued executed rejected recorded failed",
}

DEFAULTS: Final[dict[str, Mapping[str, object]]] = {
    "users_profile": {"cash_balance": 0},
    "watchlist": {"user_id": "default", "list_id": "primary"},
    "positions": {"user_id": "default"},
    "trades": {"user_id": "default", "fee": 0, "realized_pnl": 0},
    "portfolio_snapshots": {"user_id": "default"},
    "chat_messages": {"user_id": "default"},
    "signals": {"processed": False, "attempts": 0, "duplicates": 0},
    "jobs": {"status": "pending", "mode": "confirm"}
    | dict.fromkeys(("total_rows", "processed_rows", "successful_rows", "failed_rows"), 0)
    | {"total_cost_cents": 0},
    "job_rows": {"status": "pending", "cost_cents": 0, "attempts": 0},
}

APPEND_ONLY: Final = ("trades", "cash_movements", "position_adjustments")
