"""The rows of signals that wait: whose turn it is, and as a try to execute one leaves them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

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


AT_ONCE: Final = 64
"""Signals taken from the queue at once: as many as the ledger books in one transaction."""


def _is_queued(signals: FromClause) -> ColumnElement[bool]:
    """Return the condition of the indexes over those that wait; written out, as it is there."""
    return signals.c.status == literal_column(f"'{SignalStatus.queued}'")


@cache
def turns_in(dialect: str) -> Select[Any]:
    """Return the query for the ids of signals whose turn it may be, in their order; binds `now`.

    It goes from the first that waits for a webhook and ticker to that of the next ones, then on
    behind those first ones that may be tried: what stands behind one that may not costs nothing,
    however much it is. Each step is one look into an index, and no join, for which a planner could
    find that reading all is cheaper.
    """
    # SQLite looks for the first that is not less, and uses an index beyond its first column where
    # that is compared with an expression: a space is less than all that a ticker goes on with.
    beyond = " " if dialect == "sqlite" else ""
    rest, head = _SIGNALS.alias("rest"), _SIGNALS.alias("head")
    order = (rest.c.webhook_id, rest.c.ticker, rest.c.id)

    def first(*conditions: ColumnElement[bool]) -> list[ScalarSelect[Any]]:
        """Return the queue and the id of the first that waits, each by a look of its own."""
        return [
            select(column)
            .where(_is_queued(rest), *conditions)
            .order_by(*order)
            .limit(1)
            .scalar_subquery()
            for column in order
        ]

    webhook, ticker, id_ = first(rest.c.webhook_id.is_not(None), rest.c.ticker.is_not(None))
    heads = select(webhook.label("webhook_id"), ticker.label("ticker"), id_.label("id")).cte(
        "heads", recursive=True
    )
    queue = tuple_(rest.c.webhook_id, rest.c.ticker)
    heads = heads.union_all(
        select(*first(queue > tuple_(heads.c.webhook_id, heads.c.ticker + beyond))).where(
            heads.c.id.is_not(None)
        )
    )
    may_be_tried = (
        select(
            and_(
                head.c.lease.is_(None),
                or_(
                    head.c.next_attempt_at.is_(None),
                    head.c.next_attempt_at <= bindparam("now", type_=head.c.next_attempt_at.type),
                ),
            )
        )
        .where(head.c.id == heads.c.id)
        .scalar_subquery()
    )
    # The first signals of all are among those of the queues that begin first.
    ready = (
        select(heads.c.webhook_id, heads.c.ticker, heads.c.id)
        .where(may_be_tried)
        .order_by(heads.c.id)
        .limit(AT_ONCE)
        .subquery("ready")
    )
    turns = select(ready, literal(1).label("place")).cte("turns", recursive=True)
    its_own = and_(rest.c.webhook_id == turns.c.webhook_id, rest.c.ticker == turns.c.ticker)
    behind = (
        # Not a condition: with it, a planner reads all signals by their ids instead.
        select(case((its_own, rest.c.id)))
        .where(
            _is_queued(rest),
            tuple_(*order) > tuple_(turns.c.webhook_id, turns.c.ticker + "", turns.c.id + 0),
        )
        .order_by(*order)
        .limit(1)
        .scalar_subquery()
    )
    turns = turns.union_all(
        select(turns.c.webhook_id, turns.c.ticker, behind, turns.c.place + 1).where(
            turns.c.id.is_not(None), turns.c.place < AT_ONCE
        )
    )
    found = turns.c.id
    return select(found).where(found.is_not(None)).order_by(found).limit(AT_ONCE)


def _query() -> Prepared:
    """Return the query for a signal that waits and is on a lease, with its webhook; locked."""
    before = _SIGNALS.alias("before")
    is_behind = exists().where(
        before.c.webhook_id == _SIGNALS.c.webhook_id,
        before.c.ticker == _SIGNALS.c.ticker,
        before.c.id < _SIGNALS.c.id,
        _is_queued(before),
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
            _is_queued(_SIGNALS),
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
