"""One hash over all that the books say: equal where the same commands led, on either database.

Left out are ids made at random, the journal's hashes (which cover such ids), and the times at which
rows were last written. What has no key of its caller's has its own random id for a key: that is
left out too, and such an order is known by its first trade.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from paperdesk.ledger.journal import FIELDS
from paperdesk.ledger.proof.entries import (
    JOURNAL,
    NAMES,
    ORDER_FIELDS,
    WINDOW,
    Raw,
    raw,
    table_of,
    window,
)
from paperdesk.ledger.rules import Rules
from paperdesk.models import (
    DEFAULT_ACCOUNT,
    AccountRules,
    Order,
    Position,
    PositionLot,
    Trade,
    UserProfile,
)

_encode: Final = json.JSONEncoder(separators=(",", ":"), default=repr).encode
_RANDOM: Final = frozenset({"id", "user_id", "order_id", "key"})
_BUSINESS: Final = {
    table: itemgetter(*(i for i, name in enumerate(NAMES[table]) if name not in _RANDOM))
    for table in JOURNAL
}
"""Takes from an entry's fields those that the same commands fill with the same values."""

_KEY: Final = {table: FIELDS[table].index("key") for table in JOURNAL if "key" in FIELDS[table]}

_ORDER_ID: Final = ORDER_FIELDS.index("id")
_ORDER_KEY: Final = ORDER_FIELDS.index("client_order_id")

_LOT: Final = ("ticker", "number", "opened_at", "quantity", "cost_basis")
_ACCOUNT: Final = ("name", "cash_balance", "realized_pnl", "head_sequence")
_POSITION: Final = ("ticker", "quantity", "cost_basis", "avg_cost")
_ORDER: Final = (
    "ticker",
    "side",
    "type",
    "time_in_force",
    "order_class",
    "extended_hours",
    "status",
    "quantity",
    "notional",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "watermark",
    "filled_quantity",
    "filled_avg_price",
    "reserved_cash",
    "reserved_quantity",
    "reason",
    "source",
    "strategy",
    "note",
    "lots",
    "leg",
    "submitted_at",
    "triggered_at",
    "filled_at",
    "canceled_at",
    "expired_at",
    "expires_at",
    "closed_at",
)
_RULES: Final = tuple(field.name for field in fields(Rules))


def state_hash(session: Session, watch: Callable[[int], None] = lambda _: None) -> str:
    """Return the SHA-256 of what the books say, in hex. Reads in bounded memory; blocks.

    `watch` is called now and then with 0; what it raises ends it.
    """
    profiles = table_of(UserProfile).c
    accounts = session.scalars(select(profiles.id)).all()
    # Sorted by content: apart from the default account's, ids are random.
    digests = sorted(_account(session, account_id, watch) for account_id in accounts)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _account(session: Session, account_id: str, watch: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    profile = _rows(session, UserProfile, _ACCOUNT, "id", account_id)[0]
    name = account_id if account_id == DEFAULT_ACCOUNT else None
    digest.update(_bytes([name, *profile]))
    for rules in _rows(session, AccountRules, _RULES, "user_id", account_id):
        digest.update(_bytes(rules))
    for position in sorted(_rows(session, Position, _POSITION, "user_id", account_id), key=repr):
        digest.update(_bytes(position))
    for lot in sorted(_rows(session, PositionLot, _LOT, "user_id", account_id)):
        digest.update(_bytes(lot))
    for entries in _journal(session, account_id, profile[_ACCOUNT.index("head_sequence")]):
        digest.update(_bytes(entries))
        watch(0)
    digest.update(_bytes([_orders(session, account_id, watch)]))
    return digest.hexdigest()


def _rows(
    session: Session, model: Any, names: Sequence[str], key: str, value: str
) -> list[tuple[Any, ...]]:
    table, dialect = table_of(model), session.get_bind().dialect.name
    query = select(*(raw(table.c[name], dialect) for name in names)).where(table.c[key] == value)
    return [tuple(row) for row in session.execute(query)]


def _journal(session: Session, account_id: str, last: int) -> Iterator[list[Any]]:
    """Give the entries of an account, a window of them at a time."""
    for after in range(0, last, WINDOW):
        found = window(session, account_id, after, min(after + WINDOW, last))
        if not found:
            # The journal ends before the number that the account names.
            return
        yield [_fields(entry) for _, entry in sorted(found.items(), key=itemgetter(0))]


def _fields(entry: Raw | None) -> Sequence[Any]:
    if entry is None:
        return ()
    fields = [entry.table.__tablename__, *_BUSINESS[entry.table](entry.values)]
    if entry.table is Trade:
        fields.append(_key(entry.order[_ORDER_ID], entry.order[_ORDER_KEY]))
    else:
        fields.append(_key(entry.values[0], entry.values[_KEY[entry.table]]))
    return fields


def _orders(session: Session, account_id: str, watch: Callable[[int], None]) -> str:
    """Return a digest of an account's orders, whatever the order in which they are read."""
    total, last = 0, ""
    query = _orders_query(session.get_bind().dialect.name)
    page: Sequence[Any]
    while page := session.execute(query, {"account": account_id, "last": last}).all():
        last = page[-1][1]
        watch(0)
        for order_id, key, *said in page:
            digest = hashlib.sha256(_bytes([_key(order_id, key), *said])).digest()
            # A sum, because the two databases sort text differently.
            total += int.from_bytes(digest)
    return f"{total % 2**256:064x}"


@cache
def _orders_query(dialect: str) -> Any:
    orders, trades = table_of(Order), table_of(Trade).c
    first = (
        select(func.min(trades.sequence)).where(trades.order_id == orders.c.id).scalar_subquery()
    )
    return (
        select(
            orders.c.id,
            orders.c.client_order_id,
            first,
            *(raw(orders.c[name], dialect) for name in _ORDER),
        )
        .where(
            orders.c.user_id == bindparam("account"), orders.c.client_order_id > bindparam("last")
        )
        .order_by(orders.c.client_order_id)
        .limit(WINDOW)
    )


def _key(own_id: str | None, key: str | None) -> str | None:
    """Return a caller's key; None where there was none, and the id at random stands for it."""
    return None if key == own_id else key


def _bytes(values: Sequence[Any]) -> bytes:
    return _encode(values).encode()
