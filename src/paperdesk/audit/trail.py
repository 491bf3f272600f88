"""Writing the audit trail: a line for each thing done, in the transaction that does it.

`note` writes one in a session; the ledger's commands note theirs in the books of their batch, which
`write` inserts at once. Who did it comes from `acting` and `request_id`. No secret gets in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import JSON, Connection, Dialect, bindparam, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from paperdesk.audit.actor import Actor, acting, request_id
from paperdesk.audit.secrets import may_hold_secrets, without_secrets_in
from paperdesk.db.prepared import Prepared
from paperdesk.db.types import JsonType
from paperdesk.ids import new_id
from paperdesk.models import AuditLog, EventType, LogLevel
from paperdesk.redaction import without_secrets

LONGEST_TEXT: Final = 128
"""Characters of what a line is about, and of the id of its request."""


class Action(StrEnum):
    """What was done, to what: `order.` begins all that was done to orders."""

    account_opened = "account.opened"
    account_changed = "account.changed"
    account_reset = "account.reset"
    account_cloned = "account.cloned"
    order_placed = "order.placed"
    order_replaced = "order.replaced"
    order_changed = "order.changed"
    """Its size, prices or ticker, by a corporate action or an order that it is linked to."""
    order_triggered = "order.triggered"
    """A price reached its stop."""
    order_begun = "order.begun"
    """An exit began to work, because its entry was filled."""
    order_filled = "order.filled"
    """While it rested: what is filled at once is part of order.placed."""
    order_canceled = "order.canceled"
    order_expired = "order.expired"
    order_rejected = "order.rejected"
    position_closed = "position.closed"
    trades_replayed = "trades.replayed"
    history_imported = "history.imported"
    """Rows of a job that say what happened elsewhere."""
    trade_undone = "trade.undone"
    cash_moved = "cash.moved"
    borrowing_charged = "borrowing.charged"
    margin_called = "margin.called"
    action_booked = "action.booked"
    """A corporate action."""
    watchlist_added = "watchlist.added"
    watchlist_removed = "watchlist.removed"
    domain_added = "domain.added"
    domain_removed = "domain.removed"
    stock_added = "stock.added"
    stock_changed = "stock.changed"
    """It was moved to another domain, or got another name."""
    stock_removed = "stock.removed"
    key_made = "key.made"
    key_revoked = "key.revoked"
    key_rotated = "key.rotated"
    key_changed = "key.changed"
    webhook_made = "webhook.made"
    webhook_changed = "webhook.changed"
    webhook_rotated = "webhook.rotated"
    webhook_removed = "webhook.removed"
    signal_received = "signal.received"
    signal_executed = "signal.executed"
    signal_rejected = "signal.rejected"
    signal_failed = "signal.failed"
    signal_replayed = "signal.replayed"
    signal_approved = "signal.approved"
    signal_dismissed = "signal.dismissed"
    killswitch_engaged = "killswitch.engaged"
    killswitch_released = "killswitch.released"
    job_made = "job.made"
    job_changed = "job.changed"
    job_removed = "job.removed"
    desk_seeded = "desk.seeded"
    desk_closed = "desk.closed"
    """A proof failed: it takes no changes."""
    desk_reopened = "desk.reopened"
    proof_accepted = "proof.accepted"
    """What a proof found wrong is taken for the truth."""


class Line(NamedTuple):
    """One thing that was done. `before` and `after` are plain values, decimals or times.

    `subject` is the id of what was changed, `account_id` the account that it belongs to.
    """

    action: Action
    message: str
    account_id: str | None = None
    subject: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    level: LogLevel = LogLevel.INFO


class Said(NamedTuple):
    """A line, and who did what it says."""

    line: Line
    actor: Actor
    request_id: str | None


class _Encoded(TypeDecorator[Any]):
    """JSON that is given as its text."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type that the database really has."""
        return dialect.type_descriptor(JsonType.dialect_impl(dialect))

    def bind_processor(self, dialect: Dialect) -> None:
        """Convert nothing."""


_COLUMNS: Final = (
    "id",
    "timestamp",
    "level",
    "event_type",
    "message",
    "details",
    "user_id",
    "actor",
    "actor_id",
    "action",
    "subject",
    "request_id",
)
_LINES: Final = Prepared(
    insert(AuditLog).values({"details": bindparam("details", type_=_Encoded())}), _COLUMNS
)
_encoder: Final = msgspec.json.Encoder(enc_hook=str)


def note(
    session: Session | AsyncSession,
    line: Line,
    now: datetime,
    *,
    actor: Actor | None = None,
) -> None:
    """Write a line in the transaction of a session.

    It is done by whoever acts in the present task, unless it is said who does.
    """
    said = Said(line, acting.get() if actor is None else actor, request_id.get())
    values = dict(zip(_COLUMNS[1:], _rows([said], now)[0], strict=True))
    if values["details"] is not None:
        values["details"] = msgspec.json.decode(values["details"])
    session.add(AuditLog(id=new_id(), **values))


def write(connection: Connection, said: Sequence[Said], now: datetime) -> None:
    """Insert lines in the transaction of a connection, in their order."""
    if said:
        rows = _rows(said, now)
        _LINES.run(connection, [(new_id(), *row) for row in rows])


def _rows(said: Sequence[Said], now: datetime) -> list[tuple[Any, ...]]:
    """Return the values of `_COLUMNS` after the id."""
    texts = [
        (line.message, _details(line), _short(line.subject), _short(request))
        for line, _, request in said
    ]
    if may_hold_secrets("\n".join(filter(None, chain.from_iterable(texts)))):
        texts = [_cleaned(*each) for each in texts]
    return [
        (
            now,
            line.level,
            EventType.state_change,
            message,
            details,
            line.account_id,
            actor.kind,
            actor.id,
            line.action,
            subject,
            request,
        )
        for (line, actor, _), (message, details, subject, request) in zip(said, texts, strict=True)
    ]


def _details(line: Line) -> str | None:
    """Return what there was before and after, as JSON."""
    if line.before is None:
        details = None if line.after is None else {"after": line.after}
    elif line.after is None:
        details = {"before": line.before}
    else:
        details = {"before": line.before, "after": line.after}
    return None if details is None else _encoder.encode(details).decode()


def _cleaned(
    message: str, details: str | None, subject: str | None, request: str | None
) -> tuple[str, str | None, str | None, str | None]:
    """Return the texts of a line without secrets."""
    return (
        without_secrets(message),
        details and without_secrets_in(details),
        subject and without_secrets(subject),
        request and without_secrets(request),
    )


def _short(text: str | None) -> str | None:
    return text if text is None else text[:LONGEST_TEXT]
