"""The journal: entries get the account's next number and a hash chained to the entry before.

The hash is SHA-256 over the previous entry's hash and the entry's canonical bytes: a JSON array of
the format's number, the table, and the fields listed here by name and value, amounts in their
smallest unit, times in UTC text. The lists are part of format 1 for ever: a column that is added
later is not in them, and what shall be hashed then is a format 2 beside this one.
"""

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial
from typing import Any

from sqlalchemy import inspect

from paperdesk.db.types import EXACT, FixedPoint, UtcDateTime, format_utc
from paperdesk.models import CashMovement, PositionAdjustment, Trade

Entry = Trade | CashMovement | PositionAdjustment

FORMAT = 1
FIELDS: dict[type[Entry], tuple[str, ...]] = {
    Trade: (
        "id",
        "user_id",
        "order_id",
        "ticker",
        "side",
        "quantity",
        "price",
        "value",
        "fee",
        "realized_pnl",
        "source",
        "strategy",
        "executed_at",
        "sequence",
    ),
    CashMovement: (
        "id",
        "user_id",
        "kind",
        "amount",
        "key",
        "note",
        "effective_at",
        "sequence",
        "created_at",
    ),
    PositionAdjustment: (
        "id",
        "user_id",
        "kind",
        "ticker",
        "new_ticker",
        "numerator",
        "denominator",
        "quantity",
        "cost_basis",
        "amount",
        "key",
        "note",
        "effective_at",
        "sequence",
        "created_at",
    ),
}

FIRST_HASH = "0" * 64
"""What the first entry of an account is chained to."""


def chained_hash(previous: str, entry: Entry) -> str:
    """Return the hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(previous.encode() + canonical_bytes(entry)).hexdigest()


def canonical_bytes(entry: Entry) -> bytes:
    """Return the bytes that stand for an entry, the same on every database and for ever."""
    # Not by attribute where it can be helped: that takes as long as all the rest.
    values = vars(entry)
    fields = [
        [name, value if canonical is None or value is None else canonical(value)]
        for name, canonical in _canonical_fields(type(entry))
        for value in (values[name] if name in values else getattr(entry, name),)
    ]
    return json.dumps([FORMAT, entry.__tablename__, *fields], separators=(",", ":")).encode()


@cache
def _canonical_fields(table: type[Entry]) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Return a table's hashed fields, each with what makes its value canonical."""
    columns = inspect(table).columns
    return [(name, _canonical(columns[name].type)) for name in FIELDS[table]]


def _canonical(kind: object) -> Callable[[Any], Any] | None:
    if isinstance(kind, FixedPoint):
        return partial(_units, scale=kind.scale)
    return format_utc if isinstance(kind, UtcDateTime) else None


def _units(value: Decimal, scale: int) -> int:
    return int(EXACT.scaleb(value, scale))
