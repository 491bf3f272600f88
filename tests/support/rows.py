"""A valid row for any table, made from the schema itself, so that none is ever forgotten."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, Enum, Table, inspect, select
from sqlalchemy.types import JSON, Boolean, Float, Integer, LargeBinary, String

from paperdesk.db.types import FixedPoint, UtcDateTime
from paperdesk.models import Base
from support.databases import START

TABLES = Base.metadata.sorted_tables


def row(table: Table, number: int = 1) -> dict[str, Any]:
    """Return values for every column; rows of different numbers share no unique value."""
    values = {column.name: _value(column, number) for column in table.columns}
    match table.name:
        case "orders":
            # An open one, by its first status.
            values |= {"notional": None, "closed_at": None}
        case "trades":
            # One that closed something forbids a downgrade.
            values |= {"cost_basis_method": None, "opened_at": None, "closed_lots": None}
        case "cash_movements":
            # So does one with a ticker.
            values["ticker"] = None
        case "position_adjustments":
            # And one of a transfer.
            values |= {"opened_at": None, "price": None}
        case "signals":
            values["signal_id"] = f"{number:064d}"
        case _:
            pass
    return values


def add(connection: Connection, table: Table, number: int = 1, /, **changes: Any) -> dict[str, Any]:
    """Insert a row and, first, the rows that it refers to; return what was inserted."""
    for key in table.foreign_keys:
        target = key.column
        value = row(target.table, number)[target.name]
        found = connection.execute(target.table.select().where(target == value)).first()
        if found is None and changes.get(key.parent.name, ...) is ...:
            add(connection, target.table, number)
    values = row(table, number) | changes
    connection.execute(table.insert().values({k: v for k, v in values.items() if v is not ...}))
    return values


def fill(connection: Connection, number: int = 1) -> None:
    """Insert one row into every table."""
    for table in TABLES:
        key = next(iter(table.primary_key.columns))
        wanted = row(table, number)[key.name]
        if connection.execute(table.select().where(key == wanted)).first() is None:
            add(connection, table, number)


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables and columns that there are, in the order of their keys."""
    found: dict[str, list[dict[str, Any]]] = {}
    inspector = inspect(connection)
    there = inspector.get_table_names()
    for table in TABLES:
        if table.name not in there:
            continue
        names = {column["name"] for column in inspector.get_columns(table.name)}
        query = select(*(column for column in table.columns if column.name in names))
        rows = connection.execute(query.order_by(*table.primary_key.columns))
        found[table.name] = [dict(one) for one in rows.mappings()]
    return found


def _text(column: Column[Any], number: int) -> str:
    text = f"{column.table.name[:12]}-{column.name[:8]}-{number}"
    return text[-int(getattr(column.type, "length", None) or 64) :]


_MAKERS: tuple[tuple[type[Any], Callable[[Any, int], Any]], ...] = (
    (FixedPoint, lambda _, number: Decimal(number) + Decimal("0.25")),
    (UtcDateTime, lambda _, number: START + timedelta(seconds=number)),
    (Enum, lambda column, _: str(column.type.enums[0])),
    (JSON, lambda _, number: {"number": number, "list": [None, "é"]}),
    (Boolean, lambda _column, _number: True),
    (LargeBinary, lambda _, number: bytes([0, 255, number])),
    (Float, lambda _, number: number + 0.5),
    (Integer, lambda _, number: number),
    (String, _text),
)


def _value(column: Column[Any], number: int) -> Any:
    for key in column.foreign_keys:
        return row(key.column.table, number)[key.column.name]
    return next(make for kind, make in _MAKERS if isinstance(column.type, kind))(column, number)
