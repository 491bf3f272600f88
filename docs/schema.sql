-- Paperdesk at revision 0018, as SQLite has it.
-- Written by `make schema`; the migrations in alembic/versions decide.

CREATE TABLE account_rules (
    user_id VARCHAR(36) NOT NULL,
    spread_bps BIGINT DEFAULT 0 NOT NULL,
    slippage_bps BIGINT DEFAULT 0 NOT NULL,
    commission_per_share BIGINT DEFAULT 0 NOT NULL,
    commission_percent BIGINT DEFAULT 0 NOT NULL,
    commission_minimum BIGINT DEFAULT 0 NOT NULL,
    volume_percent BIGINT,
    updated_at VARCHAR(27) NOT NULL, cost_basis_method VARCHAR(32) DEFAULT 'average' NOT NULL CONSTRAINT ck_account_rules_cost_basis CHECK (cost_basis_method IN ('average', 'fifo', 'lifo', 'hifo', 'named')), short_selling BOOLEAN DEFAULT (false) NOT NULL, margin_percent BIGINT DEFAULT 50000000 NOT NULL CONSTRAINT ck_account_rules_margin_percent_whole CHECK (typeof(margin_percent) IN ('integer')) CONSTRAINT ck_account_rules_margin_not_negative CHECK (margin_percent >= 0), maintenance_percent BIGINT DEFAULT 30000000 NOT NULL CONSTRAINT ck_account_rules_maintenance_percent_whole CHECK (typeof(maintenance_percent) IN ('integer')) CONSTRAINT ck_account_rules_maintenance_not_negative CHECK (maintenance_percent >= 0), borrow_percent BIGINT DEFAULT 0 NOT NULL CONSTRAINT ck_account_rules_borrow_percent_whole CHECK (typeof(borrow_percent) IN ('integer')) CONSTRAINT ck_account_rules_borrow_not_negative CHECK (borrow_percent >= 0),
    CONSTRAINT pk_account_rules PRIMARY KEY (user_id),
    CONSTRAINT ck_account_rules_spread_bps_whole CHECK (typeof(spread_bps) IN ('integer')),
    CONSTRAINT ck_account_rules_slippage_bps_whole CHECK (typeof(slippage_bps) IN ('integer')),
    CONSTRAINT ck_account_rules_commission_per_share_whole CHECK (typeof(commission_per_share) IN ('integer')),
    CONSTRAINT ck_account_rules_commission_percent_whole CHECK (typeof(commission_percent) IN ('integer')),
    CONSTRAINT ck_account_rules_commission_minimum_whole CHECK (typeof(commission_minimum) IN ('integer')),
    CONSTRAINT ck_account_rules_volume_percent_whole CHECK (typeof(volume_percent) IN ('integer', 'null')),
    CONSTRAINT ck_account_rules_costs_not_negative CHECK (spread_bps >= 0 AND slippage_bps >= 0 AND commission_per_share >= 0 AND commission_percent >= 0 AND commission_minimum >= 0),
    CONSTRAINT ck_account_rules_volume_positive CHECK (volume_percent > 0),
    CONSTRAINT fk_account_rules_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id)
);

CREATE TABLE api_keys (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36),
    name VARCHAR(128) NOT NULL,
    key_id VARCHAR NOT NULL,
    secret_hash VARCHAR NOT NULL,
    scopes JSON NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    expires_at VARCHAR(27),
    revoked_at VARCHAR(27),
    last_used_at VARCHAR(27),
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_api_keys_key_id UNIQUE (key_id)
);

CREATE INDEX ix_api_keys_user_id ON api_keys (user_id);

CREATE TABLE audit_logs (
    id VARCHAR(36) NOT NULL,
    job_id VARCHAR(36),
    row_number BIGINT,
    timestamp VARCHAR(27) NOT NULL,
    level VARCHAR(32) NOT NULL,
    event_type VARCHAR(32) NOT NULL,
    message TEXT NOT NULL,
    details JSON, user_id VARCHAR(36), actor VARCHAR(128), actor_id VARCHAR(36), action VARCHAR(128), subject VARCHAR(128), request_id VARCHAR(128),
    CONSTRAINT pk_audit_logs PRIMARY KEY (id),
    CONSTRAINT fk_audit_logs_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE,
    CONSTRAINT ck_audit_logs_log_level CHECK (level IN ('INFO', 'WARNING', 'ERROR')),
    CONSTRAINT ck_audit_logs_event_type CHECK (event_type IN ('state_change', 'api_call', 'row_event', 'error'))
);

CREATE INDEX ix_audit_logs_job_id ON audit_logs (job_id);

CREATE INDEX ix_audit_logs_subject ON audit_logs (subject);

CREATE INDEX ix_audit_logs_timestamp ON audit_logs (timestamp);

CREATE INDEX ix_audit_logs_user_id_id ON audit_logs (user_id, id);

CREATE TRIGGER audit_logs_refuse_delete BEFORE DELETE ON audit_logs WHEN (OLD.job_id IS NULL) BEGIN SELECT RAISE(ABORT, 'audit_logs is append-only'); END;

CREATE TRIGGER audit_logs_refuse_new_id BEFORE UPDATE ON audit_logs WHEN (OLD.id <> NEW.id OR OLD.rowid <> NEW.rowid) BEGIN SELECT RAISE(ABORT, 'audit_logs is append-only'); END;

CREATE TRIGGER audit_logs_refuse_replace BEFORE INSERT ON audit_logs WHEN EXISTS (SELECT 1 FROM audit_logs AS there WHERE (there.id = NEW.id OR there.rowid = NEW.rowid) AND there.job_id IS NULL) BEGIN SELECT RAISE(ABORT, 'audit_logs is append-only'); END;

CREATE TRIGGER audit_logs_refuse_update BEFORE UPDATE ON audit_logs WHEN (OLD.job_id IS NULL) BEGIN SELECT RAISE(ABORT, 'audit_logs is append-only'); END;

CREATE TABLE cash_movements (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    amount BIGINT NOT NULL,
    "key" VARCHAR(128) NOT NULL,
    note TEXT,
    effective_at VARCHAR(27) NOT NULL,
    sequence BIGINT NOT NULL,
    hash VARCHAR NOT NULL,
    created_at VARCHAR(27) NOT NULL, ticker VARCHAR(24),
    CONSTRAINT pk_cash_movements PRIMARY KEY (id),
    CONSTRAINT ck_cash_movements_amount_whole CHECK (typeof(amount) IN ('integer')),
    CONSTRAINT fk_cash_movements_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_cash_movements_user_id_key UNIQUE (user_id, "key"),
    CONSTRAINT uq_cash_movements_user_id_sequence UNIQUE (user_id, sequence),
    CONSTRAINT ck_cash_movements_cash_movement_kind CHECK (kind IN ('deposit', 'withdrawal', 'dividend', 'interest', 'fee', 'adjustment'))
);

CREATE TRIGGER cash_movements_refuse_delete BEFORE DELETE ON cash_movements  BEGIN SELECT RAISE(ABORT, 'cash_movements is append-only'); END;

CREATE TRIGGER cash_movements_refuse_update BEFORE UPDATE ON cash_movements  BEGIN SELECT RAISE(ABORT, 'cash_movements is append-only'); END;

CREATE TABLE chat_messages (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    role VARCHAR(32) NOT NULL,
    content TEXT NOT NULL,
    actions JSON,
    created_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_chat_messages PRIMARY KEY (id),
    CONSTRAINT fk_chat_messages_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT ck_chat_messages_chat_role CHECK (role IN ('user', 'assistant'))
);

CREATE INDEX ix_chat_messages_user_id_created_at ON chat_messages (user_id, created_at);

CREATE TABLE desk_meta (
    "key" VARCHAR(128) NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_desk_meta PRIMARY KEY ("key")
);

CREATE TABLE domains (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(128) NOT NULL,
    CONSTRAINT pk_domains PRIMARY KEY (id),
    CONSTRAINT uq_domains_name UNIQUE (name)
);

CREATE TABLE job_rows (
    id VARCHAR(36) NOT NULL,
    job_id VARCHAR(36) NOT NULL,
    row_number BIGINT NOT NULL,
    row_checksum VARCHAR,
    status VARCHAR(32) DEFAULT 'pending' NOT NULL,
    data JSON NOT NULL,
    cost_cents BIGINT DEFAULT 0 NOT NULL,
    idempotency_key VARCHAR,
    order_id VARCHAR(36),
    error_code VARCHAR,
    error_message TEXT,
    attempts BIGINT DEFAULT 0 NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    processed_at VARCHAR(27), lease VARCHAR(36), leased_until VARCHAR(27), line BIGINT, warning TEXT, effect JSON,
    CONSTRAINT pk_job_rows PRIMARY KEY (id),
    CONSTRAINT fk_job_rows_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE,
    CONSTRAINT uq_job_rows_job_id_row_number UNIQUE (job_id, row_number),
    CONSTRAINT ck_job_rows_row_status CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'skipped', 'needs_review'))
);

CREATE INDEX ix_job_rows_failed ON job_rows (job_id, row_number) WHERE status = 'failed';

CREATE INDEX ix_job_rows_job_id ON job_rows (job_id);

CREATE INDEX ix_job_rows_pending ON job_rows (job_id, row_number) WHERE status = 'pending';

CREATE INDEX ix_job_rows_processing ON job_rows (leased_until) WHERE status = 'processing';

CREATE INDEX ix_job_rows_status ON job_rows (status);

CREATE TABLE jobs (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    kind VARCHAR(128) DEFAULT 'basket' NOT NULL,
    name VARCHAR(128) NOT NULL,
    description TEXT,
    original_command TEXT,
    status VARCHAR(32) DEFAULT 'pending' NOT NULL,
    mode VARCHAR(32) DEFAULT 'confirm' NOT NULL,
    atomicity VARCHAR(32) DEFAULT 'partial' NOT NULL,
    total_rows BIGINT DEFAULT 0 NOT NULL,
    processed_rows BIGINT DEFAULT 0 NOT NULL,
    successful_rows BIGINT DEFAULT 0 NOT NULL,
    failed_rows BIGINT DEFAULT 0 NOT NULL,
    total_cost_cents BIGINT DEFAULT 0 NOT NULL,
    error_code VARCHAR,
    error_message TEXT,
    created_at VARCHAR(27) NOT NULL,
    started_at VARCHAR(27),
    completed_at VARCHAR(27),
    updated_at VARCHAR(27) NOT NULL, options JSON, is_ordered BOOLEAN DEFAULT false NOT NULL, lease VARCHAR(36), leased_until VARCHAR(27), previewed_at VARCHAR(27), undone_at VARCHAR(27), file_name VARCHAR(128), file_sha256 VARCHAR(64), "key" VARCHAR(128), request_sha256 VARCHAR(64), phase VARCHAR(32) DEFAULT 'run' NOT NULL CONSTRAINT ck_jobs_job_phase CHECK (phase IN ('load', 'preview', 'run', 'undo')), steps_done BIGINT, steps_total BIGINT,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT fk_jobs_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT ck_jobs_job_status CHECK (status IN ('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')),
    CONSTRAINT ck_jobs_job_mode CHECK (mode IN ('confirm', 'auto')),
    CONSTRAINT ck_jobs_atomicity CHECK (atomicity IN ('partial', 'all'))
);

CREATE INDEX ix_jobs_created_at ON jobs (created_at);

CREATE INDEX ix_jobs_status ON jobs (status);

CREATE INDEX ix_jobs_user_id ON jobs (user_id);

CREATE UNIQUE INDEX ix_jobs_user_id_key ON jobs (user_id, "key");

CREATE TABLE "orders" (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    client_order_id VARCHAR(128) NOT NULL,
    ticker VARCHAR(24) NOT NULL,
    side VARCHAR(32) NOT NULL,
    type VARCHAR(32) NOT NULL,
    time_in_force VARCHAR(32) NOT NULL,
    status VARCHAR(32) NOT NULL,
    quantity BIGINT,
    notional BIGINT,
    limit_price BIGINT,
    stop_price BIGINT,
    trail_price BIGINT,
    trail_percent BIGINT,
    filled_quantity BIGINT DEFAULT 0 NOT NULL,
    filled_avg_price BIGINT,
    source VARCHAR(128) NOT NULL,
    strategy VARCHAR(128),
    note TEXT,
    signal_id VARCHAR(64),
    leg VARCHAR,
    submitted_at VARCHAR(27) NOT NULL,
    filled_at VARCHAR(27),
    canceled_at VARCHAR(27),
    expired_at VARCHAR(27),
    updated_at VARCHAR(27) NOT NULL,
    order_class VARCHAR(32) DEFAULT 'simple' NOT NULL,
    watermark BIGINT,
    extended_hours BOOLEAN DEFAULT (false) NOT NULL,
    reserved_cash BIGINT DEFAULT 0 NOT NULL,
    reserved_quantity BIGINT DEFAULT 0 NOT NULL,
    group_id VARCHAR(36),
    replaces VARCHAR(36),
    replaced_by VARCHAR(36),
    reason TEXT,
    triggered_at VARCHAR(27),
    expires_at VARCHAR(27),
    closed_at VARCHAR(27), lots JSON, adjusted_by VARCHAR(36),
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT ck_orders_reserved_not_negative CHECK (reserved_cash >= 0 AND reserved_quantity >= 0),
    CONSTRAINT ck_orders_open_or_closed CHECK ((closed_at IS NULL) = (status IN ('new', 'accepted', 'partially_filled', 'held'))),
    CONSTRAINT ck_orders_quantity_whole CHECK (typeof(quantity) IN ('integer', 'null')),
    CONSTRAINT ck_orders_notional_whole CHECK (typeof(notional) IN ('integer', 'null')),
    CONSTRAINT ck_orders_limit_price_whole CHECK (typeof(limit_price) IN ('integer', 'null')),
    CONSTRAINT ck_orders_stop_price_whole CHECK (typeof(stop_price) IN ('integer', 'null')),
    CONSTRAINT ck_orders_trail_price_whole CHECK (typeof(trail_price) IN ('integer', 'null')),
    CONSTRAINT ck_orders_trail_percent_whole CHECK (typeof(trail_percent) IN ('integer', 'null')),
    CONSTRAINT ck_orders_filled_quantity_whole CHECK (typeof(filled_quantity) IN ('integer')),
    CONSTRAINT ck_orders_filled_avg_price_whole CHECK (typeof(filled_avg_price) IN ('integer', 'null')),
    CONSTRAINT ck_orders_watermark_whole CHECK (typeof(watermark) IN ('integer', 'null')),
    CONSTRAINT ck_orders_reserved_cash_whole CHECK (typeof(reserved_cash) IN ('integer')),
    CONSTRAINT ck_orders_reserved_quantity_whole CHECK (typeof(reserved_quantity) IN ('integer')),
    CONSTRAINT ck_orders_quantity_or_notional CHECK ((quantity IS NULL) <> (notional IS NULL)),
    CONSTRAINT ck_orders_filled_quantity_not_negative CHECK (filled_quantity >= 0),
    CONSTRAINT ck_orders_notional_positive CHECK (notional > 0),
    CONSTRAINT ck_orders_quantity_positive CHECK (quantity > 0),
    CONSTRAINT fk_orders_signal_id FOREIGN KEY(signal_id) REFERENCES signals (signal_id),
    CONSTRAINT fk_orders_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_orders_signal_id_leg UNIQUE (signal_id, leg),
    CONSTRAINT uq_orders_user_id_client_order_id UNIQUE (user_id, client_order_id),
    CONSTRAINT ck_orders_side CHECK (side IN ('buy', 'sell')),
    CONSTRAINT ck_orders_order_type CHECK (type IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')),
    CONSTRAINT ck_orders_time_in_force CHECK (time_in_force IN ('day', 'gtc', 'ioc', 'fok', 'opg', 'cls')),
    CONSTRAINT ck_orders_order_status CHECK (status IN ('new', 'accepted', 'partially_filled', 'filled', 'canceled', 'expired', 'rejected', 'replaced', 'held')),
    CONSTRAINT ck_orders_order_class CHECK (order_class IN ('simple', 'bracket', 'oco', 'oto'))
);

CREATE INDEX ix_orders_group_id ON orders (group_id) WHERE group_id IS NOT NULL;

CREATE INDEX ix_orders_user_id_id ON orders (user_id, id);

CREATE INDEX ix_orders_user_id_ticker ON orders (user_id, ticker) WHERE closed_at IS NULL;

CREATE TABLE portfolio_snapshots (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    total_value BIGINT NOT NULL,
    cash_balance BIGINT NOT NULL,
    positions_value BIGINT NOT NULL,
    incomplete BOOLEAN DEFAULT (false) NOT NULL,
    recorded_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_portfolio_snapshots PRIMARY KEY (id),
    CONSTRAINT ck_portfolio_snapshots_cash_balance_whole CHECK (typeof(cash_balance) IN ('integer')),
    CONSTRAINT ck_portfolio_snapshots_positions_value_whole CHECK (typeof(positions_value) IN ('integer')),
    CONSTRAINT ck_portfolio_snapshots_total_value_whole CHECK (typeof(total_value) IN ('integer')),
    CONSTRAINT fk_portfolio_snapshots_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id)
);

CREATE INDEX ix_portfolio_snapshots_user_id_recorded_at ON portfolio_snapshots (user_id, recorded_at);

CREATE TABLE position_adjustments (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    ticker VARCHAR(24) NOT NULL,
    new_ticker VARCHAR(24),
    numerator BIGINT,
    denominator BIGINT,
    quantity BIGINT DEFAULT 0 NOT NULL,
    cost_basis BIGINT DEFAULT 0 NOT NULL,
    amount BIGINT DEFAULT 0 NOT NULL,
    "key" VARCHAR(128) NOT NULL,
    note TEXT,
    effective_at VARCHAR(27) NOT NULL,
    sequence BIGINT NOT NULL,
    hash VARCHAR NOT NULL,
    created_at VARCHAR(27) NOT NULL, opened_at VARCHAR(27), price BIGINT CONSTRAINT ck_position_adjustments_price_whole CHECK (typeof(price) IN ('integer', 'null')),
    CONSTRAINT pk_position_adjustments PRIMARY KEY (id),
    CONSTRAINT ck_position_adjustments_amount_whole CHECK (typeof(amount) IN ('integer')),
    CONSTRAINT ck_position_adjustments_cost_basis_whole CHECK (typeof(cost_basis) IN ('integer')),
    CONSTRAINT ck_position_adjustments_quantity_whole CHECK (typeof(quantity) IN ('integer')),
    CONSTRAINT ck_position_adjustments_ratio_positive CHECK (numerator > 0 AND denominator > 0),
    CONSTRAINT fk_position_adjustments_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_position_adjustments_user_id_key UNIQUE (user_id, "key"),
    CONSTRAINT uq_position_adjustments_user_id_sequence UNIQUE (user_id, sequence),
    CONSTRAINT ck_position_adjustments_position_adjustment_kind CHECK (kind IN ('stock_split', 'symbol_change', 'spin_off', 'transfer', 'reset'))
);

CREATE TRIGGER position_adjustments_refuse_delete BEFORE DELETE ON position_adjustments  BEGIN SELECT RAISE(ABORT, 'position_adjustments is append-only'); END;

CREATE TRIGGER position_adjustments_refuse_update BEFORE UPDATE ON position_adjustments  BEGIN SELECT RAISE(ABORT, 'position_adjustments is append-only'); END;

CREATE TABLE position_lots (
    user_id VARCHAR(36) NOT NULL,
    ticker VARCHAR(24) NOT NULL,
    number BIGINT NOT NULL,
    opened_at VARCHAR(27) NOT NULL,
    quantity BIGINT NOT NULL,
    cost_basis BIGINT NOT NULL,
    CONSTRAINT pk_position_lots PRIMARY KEY (user_id, ticker, number),
    CONSTRAINT ck_position_lots_cost_basis_whole CHECK (typeof(cost_basis) IN ('integer')),
    CONSTRAINT ck_position_lots_quantity_whole CHECK (typeof(quantity) IN ('integer')),
    CONSTRAINT ck_position_lots_quantity_not_zero CHECK (quantity <> 0),
    CONSTRAINT fk_position_lots_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id)
);

CREATE TABLE positions (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    ticker VARCHAR(24) NOT NULL,
    quantity BIGINT NOT NULL,
    cost_basis BIGINT NOT NULL,
    avg_cost BIGINT NOT NULL,
    opened_at VARCHAR(27) NOT NULL,
    updated_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_positions PRIMARY KEY (id),
    CONSTRAINT ck_positions_avg_cost_whole CHECK (typeof(avg_cost) IN ('integer')),
    CONSTRAINT ck_positions_cost_basis_whole CHECK (typeof(cost_basis) IN ('integer')),
    CONSTRAINT ck_positions_quantity_whole CHECK (typeof(quantity) IN ('integer')),
    CONSTRAINT ck_positions_quantity_not_zero CHECK (quantity <> 0),
    CONSTRAINT fk_positions_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_positions_user_id_ticker UNIQUE (user_id, ticker)
);

CREATE INDEX ix_positions_ticker ON positions (ticker);

CREATE TABLE price_bars (
    ticker VARCHAR(24) NOT NULL,
    timeframe VARCHAR(8) NOT NULL,
    start VARCHAR(27) NOT NULL,
    open BIGINT NOT NULL,
    high BIGINT NOT NULL,
    low BIGINT NOT NULL,
    close BIGINT NOT NULL,
    volume BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_price_bars PRIMARY KEY (ticker, timeframe, start),
    CONSTRAINT ck_price_bars_close_whole CHECK (typeof(close) IN ('integer')),
    CONSTRAINT ck_price_bars_high_whole CHECK (typeof(high) IN ('integer')),
    CONSTRAINT ck_price_bars_low_whole CHECK (typeof(low) IN ('integer')),
    CONSTRAINT ck_price_bars_open_whole CHECK (typeof(open) IN ('integer')),
    CONSTRAINT ck_price_bars_volume_whole CHECK (typeof(volume) IN ('integer')),
    CONSTRAINT ck_price_bars_prices_sane CHECK (low > 0 AND high >= low)
);

CREATE TABLE proofs (
    user_id VARCHAR(36) NOT NULL,
    sequence BIGINT NOT NULL,
    hash VARCHAR NOT NULL,
    cash_balance BIGINT NOT NULL,
    realized_pnl BIGINT NOT NULL,
    holdings JSON NOT NULL,
    accepted BOOLEAN DEFAULT false NOT NULL,
    proven_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_proofs PRIMARY KEY (user_id, sequence),
    CONSTRAINT ck_proofs_sequence_not_negative CHECK (sequence >= 0),
    CONSTRAINT ck_proofs_cash_balance_whole CHECK (typeof(cash_balance) IN ('integer')),
    CONSTRAINT ck_proofs_realized_pnl_whole CHECK (typeof(realized_pnl) IN ('integer')),
    CONSTRAINT fk_proofs_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id)
);

CREATE TABLE "quotes" (
    ticker VARCHAR(24) NOT NULL,
    price BIGINT NOT NULL,
    previous_price BIGINT NOT NULL,
    volume BIGINT,
    source VARCHAR(128) NOT NULL,
    timestamp VARCHAR(27) NOT NULL,
    received_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_quotes PRIMARY KEY (ticker),
    CONSTRAINT ck_quotes_previous_price_whole CHECK (typeof(previous_price) IN ('integer')),
    CONSTRAINT ck_quotes_price_whole CHECK (typeof(price) IN ('integer')),
    CONSTRAINT ck_quotes_volume_whole CHECK (typeof(volume) IN ('integer', 'null')),
    CONSTRAINT ck_quotes_price_positive CHECK (price > 0)
);

CREATE TABLE score_snapshots (
    id VARCHAR(36) NOT NULL,
    ticker VARCHAR(24) NOT NULL,
    fetched_at VARCHAR(27) NOT NULL,
    close_price BIGINT NOT NULL,
    volume BIGINT,
    score DOUBLE,
    rank BIGINT,
    factors JSON,
    CONSTRAINT pk_score_snapshots PRIMARY KEY (id),
    CONSTRAINT ck_score_snapshots_close_price_whole CHECK (typeof(close_price) IN ('integer')),
    CONSTRAINT ck_score_snapshots_volume_whole CHECK (typeof(volume) IN ('integer', 'null')),
    CONSTRAINT fk_score_snapshots_ticker FOREIGN KEY(ticker) REFERENCES stocks (ticker)
);

CREATE INDEX ix_score_snapshots_fetched_at ON score_snapshots (fetched_at);

CREATE INDEX ix_score_snapshots_ticker ON score_snapshots (ticker);

CREATE TABLE signal_windows (
    webhook_id VARCHAR(36) NOT NULL,
    dedupe_key VARCHAR(64) NOT NULL,
    first_arrival VARCHAR(27) NOT NULL,
    CONSTRAINT pk_signal_windows PRIMARY KEY (webhook_id, dedupe_key),
    CONSTRAINT fk_signal_windows_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhooks (id)
);

CREATE TABLE signals (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    signal_id VARCHAR(64) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    webhook_id VARCHAR(36),
    payload JSON,
    raw BLOB,
    understood JSON,
    status VARCHAR(32) DEFAULT 'received' NOT NULL,
    processed BOOLEAN DEFAULT (false) NOT NULL,
    order_id VARCHAR(36),
    error TEXT,
    attempts BIGINT DEFAULT 0 NOT NULL,
    duplicates BIGINT DEFAULT 0 NOT NULL,
    received_at VARCHAR(27) NOT NULL, ticker VARCHAR(24), sent_at VARCHAR(27), lease VARCHAR(36), next_attempt_at VARCHAR(27), last_seen_at VARCHAR(27), processed_at VARCHAR(27), outcome TEXT, missed TEXT, replay_of VARCHAR(64), notional BIGINT CONSTRAINT ck_signals_notional_whole CHECK (typeof(notional) IN ('integer', 'null')), request_id VARCHAR(128),
    CONSTRAINT ck_signals_signal_id_length CHECK (length(signal_id) = 64),
    CONSTRAINT fk_signals_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT fk_signals_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhooks (id),
    CONSTRAINT uq_signals_signal_id UNIQUE (signal_id),
    CONSTRAINT ck_signals_signal_status CHECK (status IN ('received', 'queued', 'executed', 'rejected', 'recorded', 'failed'))
);

CREATE INDEX ix_signals_queued ON signals (webhook_id, ticker, id) WHERE status = 'queued';

CREATE INDEX ix_signals_queued_id ON signals (id) WHERE status = 'queued';

CREATE INDEX ix_signals_received_at ON signals (received_at);

CREATE INDEX ix_signals_user_id ON signals (user_id);

CREATE INDEX ix_signals_webhook_id_processed_at ON signals (webhook_id, processed_at);

CREATE INDEX ix_signals_webhook_id_ticker_id ON signals (webhook_id, ticker, id);

CREATE TABLE stocks (
    ticker VARCHAR(24) NOT NULL,
    name VARCHAR(128) NOT NULL,
    domain_id VARCHAR(36) NOT NULL,
    last_updated VARCHAR(27),
    CONSTRAINT pk_stocks PRIMARY KEY (ticker),
    CONSTRAINT fk_stocks_domain_id FOREIGN KEY(domain_id) REFERENCES domains (id)
);

CREATE INDEX ix_stocks_domain_id ON stocks (domain_id);

CREATE TABLE trades (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    order_id VARCHAR(36),
    ticker VARCHAR(24) NOT NULL,
    side VARCHAR(32) NOT NULL,
    quantity BIGINT NOT NULL,
    price BIGINT NOT NULL,
    value BIGINT NOT NULL,
    fee BIGINT DEFAULT 0 NOT NULL,
    realized_pnl BIGINT DEFAULT 0 NOT NULL,
    source VARCHAR(128) NOT NULL,
    strategy VARCHAR(128),
    executed_at VARCHAR(27) NOT NULL,
    sequence BIGINT NOT NULL,
    hash VARCHAR NOT NULL, cost_basis_method VARCHAR(32) CONSTRAINT ck_trades_cost_basis CHECK (cost_basis_method IN ('average', 'fifo', 'lifo', 'hifo', 'named')), opened_at VARCHAR(27), closed_lots TEXT,
    CONSTRAINT pk_trades PRIMARY KEY (id),
    CONSTRAINT ck_trades_fee_whole CHECK (typeof(fee) IN ('integer')),
    CONSTRAINT ck_trades_price_whole CHECK (typeof(price) IN ('integer')),
    CONSTRAINT ck_trades_quantity_whole CHECK (typeof(quantity) IN ('integer')),
    CONSTRAINT ck_trades_realized_pnl_whole CHECK (typeof(realized_pnl) IN ('integer')),
    CONSTRAINT ck_trades_value_whole CHECK (typeof(value) IN ('integer')),
    CONSTRAINT ck_trades_price_positive CHECK (price > 0),
    CONSTRAINT ck_trades_quantity_positive CHECK (quantity > 0),
    CONSTRAINT fk_trades_order_id FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT fk_trades_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_trades_user_id_sequence UNIQUE (user_id, sequence),
    CONSTRAINT ck_trades_side CHECK (side IN ('buy', 'sell'))
);

CREATE INDEX ix_trades_order_id ON trades (order_id);

CREATE INDEX ix_trades_user_id_ticker_sequence ON trades (user_id, ticker, sequence);

CREATE TRIGGER trades_refuse_delete BEFORE DELETE ON trades  BEGIN SELECT RAISE(ABORT, 'trades is append-only'); END;

CREATE TRIGGER trades_refuse_update BEFORE UPDATE ON trades  BEGIN SELECT RAISE(ABORT, 'trades is append-only'); END;

CREATE TABLE users_profile (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(128) DEFAULT '' NOT NULL,
    cash_balance BIGINT DEFAULT 0 NOT NULL,
    realized_pnl BIGINT DEFAULT 0 NOT NULL,
    head_sequence BIGINT DEFAULT 0 NOT NULL,
    head_hash VARCHAR DEFAULT '0000000000000000000000000000000000000000000000000000000000000000' NOT NULL,
    created_at VARCHAR(27) NOT NULL, version BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_users_profile PRIMARY KEY (id),
    CONSTRAINT ck_users_profile_cash_balance_whole CHECK (typeof(cash_balance) IN ('integer')),
    CONSTRAINT ck_users_profile_realized_pnl_whole CHECK (typeof(realized_pnl) IN ('integer')),
    CONSTRAINT ck_users_profile_cash_not_negative CHECK (cash_balance >= 0),
    CONSTRAINT ck_users_profile_head_sequence_not_negative CHECK (head_sequence >= 0)
);

CREATE TABLE watchlist (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    list_id VARCHAR(36) DEFAULT 'primary' NOT NULL,
    ticker VARCHAR(24) NOT NULL,
    added_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_watchlist PRIMARY KEY (id),
    CONSTRAINT fk_watchlist_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_watchlist_user_id_list_id_ticker UNIQUE (user_id, list_id, ticker)
);

CREATE INDEX ix_watchlist_ticker ON watchlist (ticker);

CREATE TABLE watchlists (
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    id VARCHAR(36) NOT NULL,
    name VARCHAR(128) NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_watchlists PRIMARY KEY (user_id, id),
    CONSTRAINT fk_watchlists_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id)
);

CREATE TABLE webhooks (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) DEFAULT 'default' NOT NULL,
    name VARCHAR(128) NOT NULL,
    mode VARCHAR(32) NOT NULL,
    token_hash VARCHAR NOT NULL,
    limits JSON NOT NULL,
    enabled BOOLEAN DEFAULT (true) NOT NULL,
    created_at VARCHAR(27) NOT NULL, strategy VARCHAR(128), settings JSON, signing_version BIGINT DEFAULT 0 NOT NULL, previous_until VARCHAR(27), allowance_at VARCHAR(27), deleted_at VARCHAR(27),
    CONSTRAINT pk_webhooks PRIMARY KEY (id),
    CONSTRAINT fk_webhooks_user_id FOREIGN KEY(user_id) REFERENCES users_profile (id),
    CONSTRAINT uq_webhooks_token_hash UNIQUE (token_hash),
    CONSTRAINT ck_webhooks_webhook_mode CHECK (mode IN ('record', 'propose', 'execute'))
);

CREATE INDEX ix_webhooks_user_id ON webhooks (user_id);
