"""Webhooks and the signals that come in through them."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import (
    AutoId,
    Id,
    Instant,
    Json,
    JsonType,
    Money,
    Name,
    Prose,
    Ticker,
    enum_column,
)
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT
from paperdesk.models.enums import SignalStatus, WebhookMode


class Webhook(Base):
    """A door for signals into one account. Only the SHA-256 of its token is kept.

    `limits` is a JSON object of what a signal may do (tickers, sides, largest notional, and so on),
    `settings` one of how its alerts are taken (senders, symbols, quantity where an alert has none).
    `strategy` is what its orders are said to be of. One that is not `enabled` refuses what comes.
    `signing_version` numbers the secret of senders that sign, 0 while there is none; the one before
    counts until `previous_until`. `allowance_at` is when its allowance of signals is whole again
    (GCRA's theoretical arrival time). A deleted webhook keeps its signals.
    """

    __tablename__ = "webhooks"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), index=True, server_default=DEFAULT_ACCOUNT
    )
    name: Mapped[Name]
    mode: Mapped[WebhookMode] = mapped_column(enum_column(WebhookMode))
    token_hash: Mapped[str] = mapped_column(unique=True)
    limits: Mapped[Json]
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    strategy: Mapped[Name | None]
    settings: Mapped[Json | None]
    signing_version: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    previous_until: Mapped[Instant | None]
    allowance_at: Mapped[Instant | None]
    deleted_at: Mapped[Instant | None]


class SignalWindow(Base):
    """When a body without a time first came: until its window is over, it is the same signal."""

    __tablename__ = "signal_windows"

    webhook_id: Mapped[Id] = mapped_column(ForeignKey("webhooks.id"), primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_arrival: Mapped[Instant]


class Signal(Base):
    """One delivery to a webhook, kept as it came, with what was understood and what it led to.

    The payload that senders are expected to post is a JSON object such as
    `{"ticker": "NASDAQ:AAPL", "action": "buy", "quantity": 10, "price": 187.2,
    "time": "2026-11-22T14:30:00Z", "strategy": "breakout", "id": "breakout-17"}`; TradingView's
    placeholders fill it in. `raw` holds the bytes of the body whatever they were (NULL in rows that
    came from an earlier system); `payload` is NULL when they are not JSON. `signal_id` is 64 hex
    characters of SHA-256: the same signal delivered again has the same one, and is only counted
    (`duplicates`, `last_seen_at`).

    It is `received` while a person has to approve it and `queued` until it is executed, in the
    order of `id` for each webhook and `ticker`; `lease` is whose turn it is, and not before
    `next_attempt_at`. `processed` says that nothing more will become of it, `outcome` or `error` in
    a sentence what did. `notional` (US dollars) is what its order was worth. `missed` says what an
    alert before it must have done that never came. `replay_of` is the signal that it repeats.
    `request_id` is that of its first delivery; what is done about it is audited under it.
    """

    __tablename__ = "signals"
    __table_args__ = (
        CheckConstraint("length(signal_id) = 64", name="signal_id_length"),
        Index(None, "webhook_id", "ticker", "id"),
        # Unfinished ones alone: nearly all are finished, and never in it.
        Index(
            "ix_signals_queued",
            "webhook_id",
            "ticker",
            "id",
            sqlite_where=text(f"status = '{SignalStatus.queued}'"),
            postgresql_where=text(f"status = '{SignalStatus.queued}'"),
        ),
        Index(
            "ix_signals_queued_id",
            "id",
            sqlite_where=text(f"status = '{SignalStatus.queued}'"),
            postgresql_where=text(f"status = '{SignalStatus.queued}'"),
        ),
        Index(None, "webhook_id", "processed_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    signal_id: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"),
        default=DEFAULT_ACCOUNT,
        server_default=DEFAULT_ACCOUNT,
        index=True,
    )
    webhook_id: Mapped[Id | None] = mapped_column(ForeignKey("webhooks.id"))
    payload: Mapped[Any | None] = mapped_column(JsonType)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    understood: Mapped[Any | None] = mapped_column(JsonType)
    status: Mapped[SignalStatus] = mapped_column(
        enum_column(SignalStatus),
        default=SignalStatus.received,
        server_default=SignalStatus.received.value,
    )
    processed: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    order_id: Mapped[Id | None]
    error: Mapped[Prose | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    duplicates: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    received_at: Mapped[Instant] = mapped_column(default=utc_now, index=True)
    ticker: Mapped[Ticker | None]
    sent_at: Mapped[Instant | None]
    lease: Mapped[Id | None]
    next_attempt_at: Mapped[Instant | None]
    last_seen_at: Mapped[Instant | None]
    processed_at: Mapped[Instant | None]
    outcome: Mapped[Prose | None]
    missed: Mapped[Prose | None]
    notional: Mapped[Money | None]
    replay_of: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[Name | None]
