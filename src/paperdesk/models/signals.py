"""Webhooks and the signals that come in through them."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import AutoId, Id, Instant, Json, JsonType, Name, Prose, enum_column
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT
from paperdesk.models.enums import SignalStatus, WebhookMode


class Webhook(Base):
    """A door for signals into one account. Only the SHA-256 of its token is kept.

    `limits` is a JSON object of what a signal may do: tickers, sides, largest notional, and so on.
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


class Signal(Base):
    """One delivery to a webhook, kept as it came, with what was understood and what it led to.

    The payload that senders are expected to post is a JSON object such as
    `{"ticker": "NASDAQ:AAPL", "action": "buy", "quantity": 10, "price": 187.2,
    "time": "2026-11-22T14:30:00Z", "strategy": "breakout", "id": "breakout-17"}`; TradingView's
    placeholders fill it in. `raw` holds the bytes of the body whatever they were (NULL in rows that
    came from an earlier system); `payload` is NULL when they are not JSON. `signal_id` is 64 hex
    characters of SHA-256: the same signal delivered again has the same one, and is only counted.
    """

    __tablename__ = "signals"
    __table_args__ = (
        CheckConstraint("length(signal_id) = 64", name="signal_id_length"),
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
    webhook_id: Mapped[Id | None] = mapped_column(ForeignKey("webhooks.id"), index=True)
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
