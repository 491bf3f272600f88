"""Statements that are compiled once for all desks of a process of the tests.

SQLAlchemy compiles each statement once an engine; a desk has several engines, and each test a desk
of its own: nearly half of the processor time went into compiling the same again. The dialects here
are SQLAlchemy's own, of which all of one driver are equal to one another, so that one cache serves
all of their engines.
"""

from typing import Any

from sqlalchemy import Dialect, Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class _Shared(Dialect):
    """Equal to each other dialect of its driver that reads and writes JSON as it does."""

    _json_serializer: Any
    _json_deserializer: Any

    def _same(self) -> tuple[Any, ...]:
        return self.name, self.driver, self._json_serializer, self._json_deserializer

    def __hash__(self) -> int:
        return hash(self._same())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shared) and self._same() == other._same()

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=_compiled)


_compiled: dict[Any, Any] = {}


class Aiosqlite(_Shared, SQLiteDialect_aiosqlite):
    """SQLite in a thread."""

    supports_statement_cache = True


class Pysqlite(_Shared, SQLiteDialect_pysqlite):
    """SQLite."""

    supports_statement_cache = True


class Asyncpg(_Shared, PGDialect_asyncpg):
    """PostgreSQL by asyncpg."""

    supports_statement_cache = True


class Psycopg(_Shared, PGDialect_psycopg):
    """PostgreSQL by psycopg."""

    supports_statement_cache = True


def compile_once() -> None:
    """From now on, let all engines of this process share what was compiled."""
    for name, dialect in (
        ("sqlite.aiosqlite", Aiosqlite),
        ("sqlite", Pysqlite),
        ("postgresql.asyncpg", Asyncpg),
        ("postgresql.psycopg", Psycopg),
    ):
        registry.register(name, __name__, dialect.__name__)
