"""Statements over the models that are compiled once, for paths where each microsecond counts.

An ORM statement is analysed, its cache key made and its parameters named each time it runs. These
are compiled on first use and then handed to the driver with their values in place; types convert
exactly as they do elsewhere. They see what the session has flushed, and nothing else of it.

SQLite's standard driver gets them without SQLAlchemy in between, unless somebody listens to what
is executed; and many rows in one statement, because the driver lets other threads run at each.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    ClauseElement,
    Connection,
    Dialect,
    SelectBase,
    Table,
    bindparam,
    column,
    insert,
    update,
    values,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, class_mapper
from sqlalchemy.orm.attributes import manager_of_class
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

M = TypeVar("M", bound=DeclarativeBase)
T = TypeVar("T")

_Convert = Callable[[Any], Any]

_MOST_ROWS: Final = 64
"""Rows in one statement; fewer are powers of two, so that there are few statements to keep."""
_ROW: Final = re.compile(r"\bVALUES (\((?:\?, )*\?\))")
"""The place of a row's values, where there may be more of them."""


class Prepared:
    """A statement with named parameters, run with their values by position of `names`."""

    def __init__(self, statement: ClauseElement, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it once for each row of values."""
        if not rows:
            return
        compiled = self._for(connection.dialect)
        bound = compiled.all_bound(rows)
        driver = _unwatched(connection)
        if driver is None:
            connection.exec_driver_sql(compiled.text, bound)
            return
        try:
            if compiled.row is None:
                driver.executemany(compiled.text, bound)
            else:
                for text, some in compiled.in_chunks(compiled.row, bound):
                    driver.execute(text, some)
        except sqlite3.Error as error:
            raise _explained(error, compiled.text, connection.dialect) from error

    def rows(self, connection: Connection, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run it and return what it selects."""
        compiled = self._for(connection.dialect)
        bound = compiled.bound(values)
        driver = _unwatched(connection)
        if driver is None:
            found = connection.exec_driver_sql(compiled.text, bound).fetchall()
        else:
            try:
                found = driver.execute(compiled.text, bound).fetchall()
            except sqlite3.Error as error:
                raise _explained(error, compiled.text, connection.dialect) from error
        return compiled.converted(found)

    def _for(self, dialect: Dialect) -> "_Compiled":
        # By driver too: two of one database write their parameters differently.
        compiled = self._compiled.get(dialect.driver)
        if compiled is None:
            compiled = _Compiled(self._statement, self._names, dialect)
            self._compiled[dialect.driver] = compiled
        return compiled


def _unwatched(connection: Connection) -> Any:
    """Return the connection of SQLite's standard driver, in a transaction, to be used directly.

    None for another driver, and where somebody listens to what is executed.
    """
    if connection.dialect.driver != "pysqlite":
        return None
    watched: Any = connection.dispatch
    if watched.before_cursor_execute or watched.after_cursor_execute:
        return None
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.dbapi_connection


def _explained(error: sqlite3.Error, text: str, dialect: Dialect) -> BaseException:
    """Return a driver's error as SQLAlchemy's, as every other statement raises it."""
    return DBAPIError.instance(text, None, error, sqlite3.Error, dialect=dialect)


def unattached(model: type[M], **values: Any) -> M:
    """Return an instance that no session will ever know, for a `PreparedInsert`.

    The model's own constructor notes each value as a change to be written, which costs more than
    the values themselves.
    """
    manager = manager_of_class(model)
    assert manager is not None  # noqa: S101 - for the type checker
    instance = manager.new_instance()
    vars(instance).update(values)
    return instance


class PreparedInsert(Generic[M]):
    """The INSERT of one model, with every column, taken from instances that no session knows."""

    def __init__(self, model: type[M]) -> None:
        columns = list(class_mapper(model).column_attrs)
        self._keys = [column.key for column in columns]
        self._prepared = Prepared(insert(model), [column.columns[0].name for column in columns])

    def run(self, connection: Connection, instances: Iterable[M]) -> None:
        """Write the instances, as one statement. What they do not say is NULL."""
        rows = [
            # Not by attribute: each would be looked up as something that may yet be loaded.
            [values.get(key) for key in self._keys]
            for values in map(vars, instances)
        ]
        self._prepared.run(connection, rows)


def prepared_update(table: Table, names: Sequence[str], **fixed: ClauseElement) -> Prepared:
    """Return the UPDATE of rows by `id`: it is run with the id and the values of `names`.

    `fixed` is what every row has alike, without parameters. No id may be there twice.
    """
    types = {name: table.c[name].type for name in ("id", *names)}
    # Not by the columns' own names: SQLAlchemy would take those for values to be set.
    row = tuple(bindparam(f"said_{name}", type_=kind) for name, kind in types.items())
    columns = (column(name, kind) for name, kind in types.items())
    said = values(*columns, name="said").data([row]).cte("said")
    statement = (
        update(table)
        .where(table.c.id == said.c.id)
        .values({name: said.c[name] for name in names} | fixed)
    )
    return Prepared(statement, [f"said_{name}" for name in types])


class _Compiled:
    """The text of a statement for one dialect, and what its values go through."""

    def __init__(self, statement: ClauseElement, names: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the type checker
        self.text = str(compiled)
        position = {name: at for at, name in enumerate(names)}
        self._named = None if compiled.positiontup is not None else tuple(compiled.binds)
        order = compiled.positiontup or tuple(compiled.binds)
        self._binds = [
            (position[name], binder(compiled.binds[name].type, dialect)) for name in order
        ]
        given = [(at, None) for at in range(len(names))]
        self._are_as_given = self._named is None and self._binds == given
        columns = list(statement.selected_columns) if isinstance(statement, SelectBase) else []
        self._results = [_reader(column.type, dialect) for column in columns]
        found = _ROW.search(self.text)
        only = found is not None and found[0].count("?") == self.text.count("?")
        self.row = found if only and self._named is None else None

    def in_chunks(
        self, row: re.Match[str], bound: Sequence[Any]
    ) -> Iterable[tuple[str, tuple[Any, ...]]]:
        """Give the rows as few statements with many rows each."""
        first = 0
        while first < len(bound):
            rows = min(_MOST_ROWS, 1 << (len(bound) - first).bit_length() - 1)
            more = f", {row[1]}" * (rows - 1)
            yield (
                f"{self.text[: row.end()]}{more}{self.text[row.end() :]}",
                tuple(chain.from_iterable(bound[first : first + rows])),
            )
            first += rows

    def all_bound(self, rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """Return rows of values as the driver takes them. By columns: that takes half as long."""
        if self._are_as_given:
            return [tuple(row) for row in rows]
        columns = list(zip(*rows, strict=True))
        bound = zip(
            *[_all_converted(columns[at], convert) for at, convert in self._binds], strict=True
        )
        if self._named is None:
            return list(bound)
        return [dict(zip(self._named, row, strict=True)) for row in bound]

    def bound(self, values: Sequence[Any]) -> tuple[Any, ...] | dict[str, Any]:
        bound = tuple(
            [values[at] if convert is None else convert(values[at]) for at, convert in self._binds]
        )
        return bound if self._named is None else dict(zip(self._named, bound, strict=True))

    def converted(self, found: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """Return rows that were found as what their columns are of."""
        if not any(self._results):
            return [tuple(row) for row in found]
        return [
            tuple(
                [
                    value if convert is None else convert(value)
                    for value, convert in zip(row, self._results, strict=True)
                ]
            )
            for row in found
        ]


def _all_converted(values: Sequence[Any], convert: _Convert | None) -> Sequence[Any]:
    if convert is None:
        return values
    first = values[0]
    if all(value is first for value in values):
        return [convert(first)] * len(values)
    return [convert(value) for value in values]


def binder(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    """Return what makes of a value what the driver takes; None where it is the same."""
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def numbered(name: str, count: int) -> list[str]:
    """Return the names of as many parameters, for an IN."""
    return [f"{name}_{n}" for n in range(count)]


def padded(values: Iterable[T]) -> list[T]:
    """Return the values of an IN, the last repeated up to a power of two: few statements then."""
    padded = list(values)
    while len(padded) & (len(padded) - 1):
        padded.append(padded[-1])
    return padded
