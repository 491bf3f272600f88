"""The rows of signals that wait, as a try to execute one finds and leaves them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, exists, literal_column, select, update

from paperdesk.db.prepared import Prepared
from paperdesk.models import Base, SignalStatus, WebhookMode

_SIGNALS: Final[Table] = Base.metadata.tables["signals"]
_WEBHOOKS: Final[Table] = Base.metadata.tables["webhooks"]


@dataclass(slots=True)
class Waiting:
    """A queued signal, with its webhook as it is now."""

    webhook_id: str
    ticker: str
    understood: Any
    attempts: int
    error: str | None
    replay_of: str | None
    user_id: str
    name: str
    strategy: str | None
    enabled: bool
    deleted_at: datetime | None
    limits: Any
    settings: Any
    mode: WebhookMode
    is_behind: bool
    """Whether a signal before it, of the same webhook and ticker, is not executed yet."""


def _query() -> Prepared:
    """Return the query for a signal that waits and is on a lease, with its webhook; locked."""
    before = _SIGNALS.alias("before")
    is_behind = exists().where(
        before.c.webhook_id == _SIGNALS.c.webhook_id,
        before.c.ticker == _SIGNALS.c.ticker,
        before.c.id < _SIGNALS.c.id,
        # Written out, as in the index over those that wait.
        before.c.status == literal_column(f"'{SignalStatus.queued}'"),
    )
    query = (
        select(
            _SIGNALS.c.webhook_id,
            _SIGNALS.c.ticker,
            _SIGNALS.c.understood,
            _SIGNALS.c.attempts,
            _SIGNALS.c.error,
            _SIGNALS.c.replay_of,
            _SIGNALS.c.user_id,
            _WEBHOOKS.c.name,
            _WEBHOOKS.c.strategy,
            _WEBHOOKS.c.enabled,
            _WEBHOOKS.c.deleted_at,
            _WEBHOOKS.c.limits,
            _WEBHOOKS.c.settings,
            _WEBHOOKS.c.mode,
            is_behind,
        )
        .join(_WEBHOOKS, _WEBHOOKS.c.id == _SIGNALS.c.webhook_id)
        .where(
            _SIGNALS.c.signal_id == bindparam("signal_id"),
            _SIGNALS.c.status == literal_column(f"'{SignalStatus.queued}'"),
            _SIGNALS.c.lease == bindparam("lease"),
        )
        .with_for_update(of=_SIGNALS)
    )
    return Prepared(query, ("signal_id", "lease"))


_WAITING: Final = _query()
_WRITTEN: Final = (
    "status",
    "processed",
    "processed_at",
    "order_id",
    "outcome",
    "error",
    "notional",
    "lease",
    "next_attempt_at",
    "attempts",
)
_RESULT: Final = Prepared(
    update(_SIGNALS)
    .where(_SIGNALS.c.signal_id == bindparam("signal"))
    .values({name: bindparam(name, type_=_SIGNALS.c[name].type) for name in _WRITTEN}),
    ("signal", *_WRITTEN),
)


def waiting(connection: Connection, signal_id: str, lease: str) -> Waiting | None:
    """Return a signal that waits and is on this lease, locked; None if it is not, or no more."""
    rows = _WAITING.rows(connection, (signal_id, lease))
    return Waiting(*rows[0]) if rows else None


def write_result(connection: Connection, signal_id: str, change: Mapping[str, Any]) -> None:
    """Write what became of a signal. What is not named: it waits still, on no lease."""
    written = {"status": SignalStatus.queued, "processed": False} | dict(change)
    _RESULT.run(connection, [[signal_id, *(written.get(name) for name in _WRITTEN)]])
