"""Turns a database's refusal into the name of the constraint that was violated."""

import re
from typing import Any

from sqlalchemy import MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import IntegrityError

_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")
_SQLITE_CHECK = re.compile(r"CHECK constraint failed: (?P<name>\w+)")


def violated(error: IntegrityError, metadata: MetaData) -> str | None:
    """Return the name of the violated constraint, None where the database does not tell.

    PostgreSQL names it. SQLite names a CHECK, but for a unique constraint it lists the columns,
    which the metadata maps back; for a foreign key it says nothing.
    """
    original: Any = error.orig
    for candidate in (original, getattr(original, "__cause__", None)):
        name = getattr(candidate, "constraint_name", None)
        if isinstance(name, str):
            return name
    message = str(original)
    if match := _SQLITE_CHECK.search(message):
        return match["name"]
    if match := _SQLITE_UNIQUE.search(message):
        return _unique_name(match["columns"], metadata)
    return None


def _unique_name(columns: str, metadata: MetaData) -> str | None:
    qualified = [part.strip() for part in columns.split(",")]
    table = metadata.tables.get(qualified[0].partition(".")[0])
    if table is None:
        return None
    names = {part.partition(".")[2] for part in qualified}
    keys: list[PrimaryKeyConstraint | UniqueConstraint] = [table.primary_key]
    keys += [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    for key in keys:
        if {column.name for column in key.columns} == names:
            return str(key.name)
    return None
