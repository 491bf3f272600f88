"""Whole tables, read and written in chunks, for moving them from one database to another.

What both databases store alike travels as it is stored: an amount as its whole number of units, an
enum as its text. The rest (times, JSON, booleans, bytes) goes through its column type.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Enum,
    String,
    Table,
    bindparam,
    insert,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from paperdesk.db.prepared import Prepared, binder
from paperdesk.db.types import is_fixed_point
from paperdesk.errors import DatabaseUnusable

CHUNK: Final = 2000
"""Rows that are in memory at once."""

Rows = Sequence[Sequence[Any]]


class Carrier:
    """Carries the rows of one table, with every column in the order of the table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        types = {column.name: _carried(column) for column in table.columns}
        self._types = list(types.values())
        self._query = select(*(type_coerce(c, types[c.name]) for c in table.columns))
        self._insert = Prepared(
            insert(table).values({n: bindparam(n, type_=kind) for n, kind in types.items()}),
            list(types),
        )

    async def read(self, connection: AsyncConnection) -> AsyncGenerator[Rows]:
        """Give all rows, chunk by chunk. Raises DatabaseUnusable where one cannot be read."""
        try:
            result = await connection.stream(self._query, execution_options={"yield_per": CHUNK})
            async for rows in result.partitions():
                yield rows
        except (DBAPIError, TypeError, ValueError) as error:
            raise DatabaseUnusable(
                f"The table {self.table.name} cannot be read: {_cause(error)}."
            ) from error

    async def write(self, connection: AsyncConnection, rows: Rows) -> None:
        """Insert rows, within the connection's transaction.

        Raises DatabaseUnusable where the database does not take them.
        """
        try:
            if connection.dialect.name == "postgresql":
                await self._copy_in(connection, rows)
            else:
                await connection.run_sync(self._insert.run, rows)
        except Exception as error:
            raise DatabaseUnusable(
                f"The table {self.table.name} does not take what was read: {_cause(error)}."
            ) from error

    async def _copy_in(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write by PostgreSQL's COPY, which neither parses nor plans anything for each row."""
        binders = [binder(kind, connection.dialect) for kind in self._types]
        raw = await connection.get_raw_connection()
        asyncpg: Any = raw.driver_connection
        await asyncpg.copy_records_to_table(
            self.table.name,
            columns=[column.name for column in self.table.columns],
            records=[
                tuple([v if b is None else b(v) for v, b in zip(row, binders, strict=True)])
                for row in rows
            ],
        )


def _cause(error: Exception) -> object:
    return getattr(error, "orig", None) or error


def _carried(column: Column[Any]) -> TypeEngine[Any]:
    if is_fixed_point(column):
        return BigInteger()
    return String() if isinstance(column.type, Enum) else column.type
