"""Taking a delivery into the inbox, within an open transaction: what is new, what is a duplicate.

No read decides that: `signal_id` is unique, and an insert that meets it counts a duplicate instead.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Self

from sqlalchemy import Column, Connection, Table, bindparam, case, delete, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from paperdesk.db.prepared import Prepared
from paperdesk.errors import RateLimited
from paperdesk.models import Base, Signal, SignalStatus, Webhook, WebhookMode
from paperdesk.signals import killswitch
from paperdesk.signals.limits import why_not
from paperdesk.signals.missing import missed_before
from paperdesk.signals.reading.dedupe import DedupeKey
from paperdesk.signals.reading.model import NotUnderstood, Understood
from paperdesk.signals.reading.parsing import canonical
from paperdesk.signals.terms import Limits, limits_of, taking_of

_SIGNALS: Final[Table] = Base.metadata.tables["signals"]
_WINDOWS: Final[Table] = Base.metadata.tables["signal_windows"]
_MINUTE: Final = 60

UNFINISHED: Final = frozenset({SignalStatus.received, SignalStatus.queued})
"""Where a signal is while something may yet become of it."""

_ON_ARRIVAL: Final = {
    WebhookMode.record: SignalStatus.recorded,
    WebhookMode.propose: SignalStatus.received,
    WebhookMode.execute: SignalStatus.queued,
}


@dataclass(frozen=True, slots=True)
class Element:
    """One signal of a delivery: what it says, its key, and what is kept of its body."""

    said: Understood | NotUnderstood
    key: DedupeKey
    payload: Any
    raw: bytes | None
    replay_of: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery to a webhook, read and ready to be kept."""

    webhook_id: str
    elements: Sequence[Element]
    at: datetime
    rate_per_minute: int
    """What the desk allows a webhook that has no rate of its own."""

    @property
    def account_id(self) -> str:
        """Whose turn it takes: each webhook waits behind its own deliveries alone."""
        return self.webhook_id


@dataclass(frozen=True, slots=True)
class Stored:
    """A signal as it stands in the inbox after a delivery, whether that was its first or not."""

    signal_id: str
    user_id: str
    webhook_id: str
    ticker: str | None
    status: SignalStatus
    order_id: str | None
    outcome: str | None
    error: str | None
    duplicates: int
    other_body: bool = False
    """Whether this delivery brought another body under the id of the first; it is not executed."""

    @property
    def is_new(self) -> bool:
        """Whether this delivery was its first."""
        return not self.duplicates


@dataclass(frozen=True, slots=True)
class _Door:
    """A webhook as one delivery finds it, with its terms validated once for all of its signals."""

    webhook: Webhook
    limits: Limits
    window: timedelta
    rate: int
    """New signals in a minute."""
    stopped: str | None
    """Why nothing is traded through it."""
    request_id: str | None

    @classmethod
    def of(
        cls,
        webhook: Webhook,
        arrival: Arrival,
        switches: Mapping[str, str],
        request_id: str | None,
    ) -> Self:
        limits = limits_of(webhook)
        return cls(
            webhook,
            limits,
            timedelta(seconds=taking_of(webhook).window_seconds),
            limits.rate_per_minute or arrival.rate_per_minute,
            killswitch.why_stopped(switches, webhook),
            request_id,
        )


def take_in(
    connection: Connection,
    webhook: Webhook,
    arrival: Arrival,
    switches: Mapping[str, str],
    request_id: str | None,
) -> list[Stored]:
    """Keep a delivery, and return its signals. Raises RateLimited, and has kept nothing new then.

    `webhook` is its row, locked; its allowance is changed and is to be written. `switches` are the
    kill switches that are on, `request_id` that of the request that brought it.
    """
    door = _Door.of(webhook, arrival, switches, request_id)
    stored = [_keep(connection, door, element, arrival.at) for element in arrival.elements]
    pairs = zip(stored, arrival.elements, strict=True)
    new = [(each.signal_id, element) for each, element in pairs if each.is_new]
    if count := sum(element.replay_of is None for _, element in new):
        wait = _spend(door, arrival.at, count)
        if wait is not None:
            _forget(connection, webhook, new)
            raise _too_fast(door, wait)
    return stored


def _forget(connection: Connection, webhook: Webhook, new: Sequence[tuple[str, Element]]) -> None:
    """Keep nothing of signals that are new; nor when they came, or their window began too early."""
    connection.execute(delete(_SIGNALS).where(_SIGNALS.c.signal_id.in_([each for each, _ in new])))
    keys = [_window_key(webhook, element) for _, element in new if not element.key.for_ever]
    if keys:
        connection.execute(
            delete(_WINDOWS).where(
                _WINDOWS.c.webhook_id == webhook.id, _WINDOWS.c.dedupe_key.in_(keys)
            )
        )


def _keep(connection: Connection, door: _Door, element: Element, at: datetime) -> Stored:
    said, webhook = element.said, door.webhook
    status, error = _first_status(door, element, at)
    ticker = said.ticker if isinstance(said, Understood) else None
    processed = status not in UNFINISHED
    row = {
        "signal_id": _signal_id(connection, door, element, at),
        "user_id": webhook.user_id,
        "webhook_id": webhook.id,
        "payload": element.payload,
        "raw": element.raw,
        "understood": said.model_dump(mode="json", exclude_defaults=True),
        "status": status,
        "processed": processed,
        "processed_at": at if processed else None,
        "error": error,
        "attempts": 0,
        "duplicates": 0,
        "received_at": at,
        "last_seen_at": at,
        "ticker": ticker,
        "sent_at": said.sent_at if isinstance(said, Understood) else None,
        "missed": None if element.replay_of else missed_before(connection, webhook.id, said, at),
        "replay_of": element.replay_of,
        "request_id": door.request_id,
    }
    statement = _insert_or_count(connection.dialect.name, is_named=element.key.is_named)
    *found, payload, raw = tuple(connection.execute(statement, row).one())
    stored = Stored(*found)
    if not element.key.is_named or stored.is_new:
        return stored
    return replace(stored, other_body=_is_another(element, payload, raw))


def _is_another(element: Element, payload: Any, raw: bytes | None) -> bool:
    """Say whether a body differs from the first one's: from its JSON, else from its bytes."""
    if payload is None and element.payload is None:
        return raw != element.raw
    return canonical(payload) != canonical(element.payload)


@cache
def _insert_or_count(dialect: str, *, is_named: bool) -> Any:
    """Return the INSERT that counts a duplicate where the signal is there already.

    It returns the body of the first delivery, too, where a duplicate may have another one.
    """
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(Signal)
    return statement.on_conflict_do_update(
        index_elements=["signal_id"],
        set_={
            "duplicates": _SIGNALS.c.duplicates + 1,
            "last_seen_at": statement.excluded.last_seen_at,
        },
    ).returning(
        _SIGNALS.c.signal_id,
        _SIGNALS.c.user_id,
        _SIGNALS.c.webhook_id,
        _SIGNALS.c.ticker,
        _SIGNALS.c.status,
        _SIGNALS.c.order_id,
        _SIGNALS.c.outcome,
        _SIGNALS.c.error,
        _SIGNALS.c.duplicates,
        *(
            _first(column) if is_named else null()
            for column in (_SIGNALS.c.payload, _SIGNALS.c.raw)
        ),
    )


def _first(column: Column[Any]) -> Any:
    """Return a column of a signal that was there already."""
    return case((_SIGNALS.c.duplicates > 0, column), else_=null())


def _signal_id(connection: Connection, door: _Door, element: Element, at: datetime) -> str:
    """Return the id of a signal: the same for all deliveries of it, and for no other."""
    webhook = door.webhook
    said = [webhook.id, element.key.key]
    if not element.key.for_ever:
        key = _window_key(webhook, element)
        said.append(_first_arrival(connection, webhook.id, key, at, door.window).isoformat())
    return _digest(said)


def _window_key(webhook: Webhook, element: Element) -> str:
    return _digest([webhook.id, element.key.key])


def _digest(said: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _first_arrival(
    connection: Connection, webhook_id: str, key: str, at: datetime, window: timedelta
) -> datetime:
    """Return when a body first came, within its window; this is its first arrival else.

    One statement: of two that come at once, the second sees what the first made of it.
    """
    values = {"webhook_id": webhook_id, "dedupe_key": key, "at": at, "over": at - window}
    return connection.execute(_open_window(connection.dialect.name), values).scalar_one()


@cache
def _open_window(dialect: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    first = _WINDOWS.c.first_arrival
    statement = insert(_WINDOWS).values(first_arrival=bindparam("at", type_=first.type))
    over = bindparam("over", type_=first.type)
    return statement.on_conflict_do_update(
        index_elements=["webhook_id", "dedupe_key"],
        set_={
            "first_arrival": case((first <= over, statement.excluded.first_arrival), else_=first)
        },
    ).returning(first)


def _first_status(door: _Door, element: Element, at: datetime) -> tuple[SignalStatus, str | None]:
    """Return where a signal stands on arrival, and why where that is its end."""
    said = element.said
    if isinstance(said, NotUnderstood):
        return SignalStatus.failed, said.reason
    mode = door.webhook.mode
    if mode is WebhookMode.record:
        return SignalStatus.recorded, None
    refusal = door.stopped or why_not(
        said, door.limits, at, at_any_age=element.replay_of is not None
    )
    if refusal is not None:
        return SignalStatus.rejected, refusal
    return _ON_ARRIVAL[mode], None


def _spend(door: _Door, at: datetime, count: int) -> float | None:
    """Take new signals off the allowance of a webhook; return the seconds to wait if it is short.

    The generic cell rate algorithm: a minute's allowance may come at once, and grows back evenly.
    A delivery of more than a minute's signals takes a whole minute: else it could never come.
    """
    cost = timedelta(seconds=min(count, door.rate) * _MINUTE / door.rate)
    whole_again = max(door.webhook.allowance_at or at, at) + cost
    beyond = whole_again - at - timedelta(seconds=_MINUTE)
    if beyond > timedelta(0):
        return beyond.total_seconds()
    door.webhook.allowance_at = whole_again
    return None


def _too_fast(door: _Door, wait: float) -> RateLimited:
    refusal = RateLimited(
        f"This webhook takes {door.rate} signals a minute. Nothing was kept; send it again later, "
        "or raise its rate_per_minute."
    )
    refusal.retry_after = max(1, round(wait + 0.5))
    return refusal


def locked(connection: Connection, webhook_ids: Sequence[str]) -> dict[str, Webhook]:
    """Return the rows of webhooks, locked against every other process, by their ids."""
    columns = [_FIELDS[name] for name in _READ]
    query = (
        select(*columns)
        .where(Webhook.id.in_(sorted(webhook_ids)))
        .order_by(Webhook.id)
        # Not against those that refer to the row, as each new signal does.
        .with_for_update(key_share=True)
    )
    rows = connection.execute(query).all()
    return {row.id: Webhook(**dict(zip(_READ, row, strict=True))) for row in rows}


def write_allowances(connection: Connection, webhooks: Sequence[Webhook]) -> None:
    """Write what is left of the allowances of webhooks."""
    if webhooks:
        _ALLOWANCE.run(connection, [(each.id, each.allowance_at) for each in webhooks])


_ALLOWANCE: Final = Prepared(
    update(Webhook)
    .where(Webhook.id == bindparam("webhook"))
    .values(allowance_at=bindparam("allowance", type_=Webhook.allowance_at.type)),
    ("webhook", "allowance"),
)
_READ: Final = (
    "id",
    "user_id",
    "mode",
    "enabled",
    "limits",
    "settings",
    "allowance_at",
    "deleted_at",
)
_FIELDS: Final = Webhook.__mapper__.columns
