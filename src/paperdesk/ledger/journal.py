"""The journal: entries get the account's next number and a hash chained to the entry before.

The hash is SHA-256 over the previous entry's hash and the entry's canonical bytes: a JSON array of
its table and every column but the hash, amounts in their smallest unit, times in UTC text.
"""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from paperdesk.db.types import EXACT, FixedPoint, format_utc
from paperdesk.models import CashMovement, PositionAdjustment, Trade, UserProfile

Entry = Trade | CashMovement | PositionAdjustment

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
    fields: list[Any] = [entry.__tablename__]
    for column in inspect(type(entry)).columns:
        if column.key != "hash":
            value = getattr(entry, column.key)
            if isinstance(column.type, FixedPoint) and isinstance(value, Decimal):
                value = int(EXACT.scaleb(value, column.type.scale))
            elif isinstance(value, datetime):
                value = format_utc(value)
            fields.append([column.key, value])
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()
