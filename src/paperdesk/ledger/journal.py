"""The journal: entries get the account's next number and a hash chained to the entry before.

The hash is SHA-256 over the previous entry's hash and the entry's canonical bytes: a JSON array of
the format's number, the table, and the fields listed here by name and value, amounts in their
smallest unit, times in UTC text. The lists are part of format 1 for ever: a column that was added
later is not in them. An entry that fills columns of `LATER` is of format 2, which hashes these too.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from sqlalchemy import Integer, inspect

from paperdesk.db.types import EXACT, FixedPoint, UtcDateTime, format_utc
from paperdesk.models import CashMovement, PositionAdjustment, Trade

Entry = Trade | CashMovement | PositionAdjustment

FORMAT = 1
FORMAT_WITH_LATER = 2
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

LATER: dict[type[Entry], tuple[str, ...]] = {
    Trade: ("cost_basis_method", "opened_at", "closed_lots"),
    CashMovement: ("ticker",),
    PositionAdjustment: ("opened_at", "price"),
}
"""What format 2 hashes besides: an entry is of it where one of these is not NULL."""

_NO_LATER = (None,) * len(LATER[Trade])

FIRST_HASH = "0" * 64
"""What the first entry of an account is chained to."""


class PlainTrade(NamedTuple):
    """A trade as the database has it: in whole units and text, the hashed fields and the hash."""

    id: str
    user_id: str
    order_id: str | None
    ticker: str
    side: str
    quantity: int
    price: int
    value: int
    fee: int
    realized_pnl: int
    source: str
    strategy: str | None
    executed_at: str
    sequence: int
    cost_basis_method: str | None
    opened_at: str | None
    closed_lots: str | None
    hash: str


def plain_trade(previous: str, fields: tuple[Any, ...]) -> PlainTrade:
    """Return a trade of plain fields, with the hash that it has after one with `previous`."""
    has_later = fields[-len(_NO_LATER) :] != _NO_LATER
    template, names = _canonical_form(Trade, has_later=has_later)
    texts = [
        value
        if value.__class__ is int
        else "null"
        if value is None
        else encode_basestring_ascii(value)
        for value in fields[: len(names)]
    ]
    text = previous + template % tuple(texts)
    return PlainTrade._make((*fields, hashlib.sha256(text.encode()).hexdigest()))


def chained_hash(previous: str, entry: Entry) -> str:
    """Return the hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(previous.encode() + canonical_bytes(entry)).hexdigest()


def canonical_bytes(entry: Entry) -> bytes:
    """Return the bytes that stand for an entry, the same on every database and for ever."""
    # Not by attribute where it can be helped: that takes as long as all the rest.
    values = vars(entry)
    template, fields = _canonical_form(type(entry), has_later=_has_later(entry))
    texts = [
        "null" if value is None else write(value)
        for name, write in fields
        for value in (values[name] if name in values else getattr(entry, name),)
    ]
    return (template % tuple(texts)).encode()


def _has_later(entry: Entry) -> bool:
    return any(getattr(entry, name) is not None for name in LATER.get(type(entry), ()))


@cache
def _canonical_form(
    table: type[Entry], *, has_later: bool
) -> tuple[str, list[tuple[str, Callable[[Any], str]]]]:
    """Return a table's JSON with a place for each value, and what writes each value.

    Most of each entry's JSON is the same, so the library's own writer would mostly write that.
    """
    columns = inspect(table).columns
    names = (*FIELDS[table], *(LATER[table] if has_later else ()))
    fields = [(name, _writer(columns[name].type)) for name in names]
    places = "".join(f',["{name}",%s]' for name, _ in fields)
    number = FORMAT_WITH_LATER if has_later else FORMAT
    return f'[{number},"{table.__tablename__}"{places}]', fields


def _writer(kind: object) -> Callable[[Any], str]:
    if isinstance(kind, FixedPoint):
        return partial(_units, scale=kind.scale)
    if isinstance(kind, UtcDateTime):
        return _time
    return str if isinstance(kind, Integer) else encode_basestring_ascii


def _units(value: Decimal, scale: int) -> str:
    return str(int(EXACT.scaleb(value, scale)))


def _time(value: datetime) -> str:
    return f'"{format_utc(value)}"'
