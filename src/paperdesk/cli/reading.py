"""A look into a database without owning, migrating or changing it, whether a desk runs or not."""

import asyncio
import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from paperdesk.clock import utc_now
from paperdesk.db.engine import asyncpg_url
from paperdesk.db.inspection import is_empty, snapshot
from paperdesk.errors import DatabaseUnusable
from paperdesk.settings import sqlite_path

PATIENCE: Final = 5
"""Seconds to wait for PostgreSQL to answer."""

Rows = list[tuple[Any, ...]]

_TABLES: Final = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
}


def ask(url: str, *statements: str) -> list[Rows]:
    """Return the rows of SELECT statements, all of one snapshot. Raises DatabaseUnusable."""
    path = sqlite_path(url)
    return _ask_sqlite(path, statements) if path else asyncio.run(_ask_postgresql(url, statements))


def tables(url: str) -> set[str]:
    """Return the names of the tables; none where there is no database yet."""
    path = sqlite_path(url)
    if path and is_empty(path):
        return set()
    (rows,) = ask(url, _TABLES["sqlite" if path else "postgresql"])
    return {str(name) for (name,) in rows}


def has_key(url: str) -> bool:
    """Say whether the desk has an API key with the scope admin that opens now."""
    if "api_keys" not in tables(url):
        return False
    now = utc_now()
    (rows,) = ask(url, "SELECT scopes, expires_at FROM api_keys WHERE revoked_at IS NULL")
    return any(
        "admin" in (json.loads(scopes) if isinstance(scopes, str) else scopes)
        and (expires_at is None or _instant(expires_at) > now)
        for scopes, expires_at in rows
    )


def _instant(stored: str | datetime) -> datetime:
    """Return an instant as PostgreSQL gives it, or as it stands in a SQLite file."""
    return datetime.fromisoformat(stored) if isinstance(stored, str) else stored


def _ask_sqlite(path: Path, statements: tuple[str, ...]) -> list[Rows]:
    try:
        with snapshot(path) as connection:
            connection.execute("BEGIN")
            return [connection.execute(statement).fetchall() for statement in statements]
    except (sqlite3.Error, OSError) as error:
        raise DatabaseUnusable(f"{path} cannot be read: {error}.") from error


async def _ask_postgresql(url: str, statements: tuple[str, ...]) -> list[Rows]:
    engine = create_async_engine(asyncpg_url(url), connect_args={"timeout": PATIENCE})
    try:
        async with engine.connect() as connection:
            reader = await connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            results: list[Rows] = []
            for statement in statements:
                rows = await reader.execute(text(statement))
                results.append([tuple(row) for row in rows])
            return results
    # The driver takes options of the address as arguments: TypeError is one it does not know.
    except (OSError, SQLAlchemyError, TypeError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        raise DatabaseUnusable(
            f"PostgreSQL does not answer: {cause}. Is it running, and is DATABASE_URL right?"
        ) from error
    finally:
        await engine.dispose()
