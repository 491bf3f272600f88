"""The journal: entries get the account's next number and a hash chained to the entry before.

The hash is SHA-256 over the previous entry's hash and the entry's canonical bytes: a JSON array of
the format's number, the table, and the fields listed here by name and value, amounts in their
smallest unit, times in UTC text. The lists are part of format 1 for ever: a column that is added
later is not in them, and what shall be hashed then is a format 2 beside this one.
"""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from paperdesk.db.types import EXACT, FixedPoint, format_utc
from paperdesk.models import CashMovement, PositionAdjustment, Trade, UserProfile

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


def append(session: Session, account: UserProfile, entry: Entry) -> None:
    """Give an entry the next number and hash, and make it the head of its account's journal."""
    entry.user_id = account.id
    entry.sequence = account.head_sequence + 1
    entry.hash = chained_hash(account.head_hash, entry)
    account.head_sequence = entry.sequence
    account.head_hash = entry.hash
    session.add(entry)


def chained_hash(previous: str, entry: Entry) -> str:
    """Return the hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(previous.encode() + canonical_bytes(entry)).hexdigest()


def canonical_bytes(entry: Entry) -> bytes:
    """Return the bytes that stand for an entry, the same on every database and for ever."""
    columns = inspect(type(entry)).columns
    fields = [
        [name, _canonical(getattr(entry, name), columns[name].type)] for name in FIELDS[type(entry)]
    ]
    canonical = [FORMAT, entry.__tablename__, *fields]
    return json.dumps(canonical, ensure_ascii=True, separators=(",", ":")).encode()


def _canonical(value: Any, kind: TypeEngine[Any]) -> Any:
    if isinstance(value, Decimal) and isinstance(kind, FixedPoint):
        return int(EXACT.scaleb(value, kind.scale))
    return format_utc(value) if isinstance(value, datetime) else value
