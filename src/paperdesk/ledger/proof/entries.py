"""Reads the journal as the database has it: whole numbers and text, in windows of its sequence.

No Decimal, enum or datetime is made of a value that is about to be hashed: that is faster, and a
value that could not be made is reported as wrong instead of ending the proof.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Enum,
    Select,
    String,
    Table,
    bindparam,
    func,
    inspect,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from paperdesk.db.types import FixedPoint, UtcDateTime
from paperdesk.ledger.journal import FIELDS, FORMAT, FORMAT_WITH_LATER, LATER, Entry
from paperdesk.models import CashMovement, Order, PositionAdjustment, Trade

WINDOW: Final = 1000
"""Entries that are in memory at once."""

JOURNAL: Final[tuple[type[Entry], ...]] = (Trade, CashMovement, PositionAdjustment)
NAMES: Final = {table: (*FIELDS[table], *LATER.get(table, ())) for table in JOURNAL}
"""What is read of an entry."""
ORDER_FIELDS: Final = (
    "id",
    "user_id",
    "ticker",
    "side",
    "status",
    "quantity",
    "filled_quantity",
    "filled_avg_price",
    "filled_at",
    "client_order_id",
)
"""What is read of a trade's order, beside the trade."""

_UTC_TEXT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


class Raw(NamedTuple):
    """An entry: its table, the values of `NAMES`, its hash, its order's fields."""

    table: type[Entry]
    values: Sequence[Any]
    hash: Any
    order: Sequence[Any]


def window(session: Session, account_id: str, after: int, until: int) -> dict[Any, Raw | None]:
    """Return an account's entries by number, from `after` (excluded) until `until`.

    A number that is there twice has None.
    """
    bounds = {"account": account_id, "after": after, "until": until}
    found: dict[Any, Raw | None] = {}
    for table in JOURNAL:
        names = NAMES[table]
        width, place = len(names), names.index("sequence")
        query = _window_query(table, session.get_bind().dialect.name)
        for row in session.execute(query, bounds).all():
            raw = Raw(table, row[:width], row[width], row[width + 1 :])
            found[row[place]] = None if row[place] in found else raw
    return found


def count(session: Session, account_id: str, after: int, until: int | None) -> tuple[int, Any]:
    """Return how many entries an account has in a range of numbers, and the largest number."""
    total, largest = 0, 0
    for table in JOURNAL:
        columns = table_of(table).c
        query = select(func.count(), func.max(columns.sequence)).where(
            columns.user_id == account_id
        )
        if after:
            query = query.where(columns.sequence > after)
        if until is not None:
            query = query.where(columns.sequence <= until)
        number, last = session.execute(query).one()
        total += number
        largest = last if number and last > largest else largest
    return total, largest


def chained(previous: str, entry: Raw) -> str:
    """Return the hash that an entry must have after one with the hash `previous`."""
    return hashlib.sha256((previous + canonical(entry.table, entry.values)).encode()).hexdigest()


def canonical(table: type[Entry], values: Sequence[Any]) -> str:
    """Return the canonical text of raw values, apart from the code that books.

    Raises TypeError for a value that is neither text, a whole number nor NULL.
    """
    width = len(FIELDS[table])
    has_later = any(value is not None for value in values[width:])
    hashed = values if has_later else values[:width]
    return _template(table, has_later=has_later) % tuple([_json(value) for value in hashed])


def raw(column: Any, dialect: str) -> ColumnElement[Any]:
    """Return a column as the whole number or the text that stands for its value."""
    kind = column.type
    if isinstance(kind, UtcDateTime) and dialect == "postgresql":
        return func.to_char(func.timezone("UTC", column), _UTC_TEXT)
    if isinstance(kind, FixedPoint):
        return type_coerce(column, BigInteger)
    if isinstance(kind, UtcDateTime | Enum):
        return type_coerce(column, String)
    return column


def table_of(model: Any) -> Table:
    """Return the table of a model."""
    table: Any = inspect(model).local_table
    return table


def _json(value: Any) -> str | int:
    if value.__class__ is str:
        return encode_basestring_ascii(value)
    if value.__class__ is int:
        return value
    if value is None:
        return "null"
    raise TypeError(f"neither text nor a whole number: {value!r}")


@cache
def _template(table: type[Entry], *, has_later: bool) -> str:
    names = NAMES[table] if has_later else FIELDS[table]
    fields = ",".join(f'["{name}",%s]' for name in names)
    return f'[{FORMAT_WITH_LATER if has_later else FORMAT},"{table.__tablename__}",{fields}]'


@cache
def _window_query(model: type[Entry], dialect: str) -> Select[Any]:
    table, orders = table_of(model), table_of(Order)
    columns = [raw(table.c[name], dialect) for name in (*NAMES[model], "hash")]
    query = select(*columns)
    if model is Trade:
        query = query.add_columns(*(raw(orders.c[name], dialect) for name in ORDER_FIELDS))
        query = query.select_from(table.outerjoin(orders, orders.c.id == table.c.order_id))
    return query.where(
        table.c.user_id == bindparam("account"),
        table.c.sequence > bindparam("after"),
        table.c.sequence <= bindparam("until"),
    )
