"""A schema as plain data, as the database itself tells it, so that two can be compared."""

from typing import Any

from sqlalchemy import Connection, inspect, text

Schema = dict[str, dict[str, Any]]
VERSION_TABLE = "alembic_version"


def schema_of(connection: Connection) -> Schema:
    """Return columns, keys, checks and indexes of every table."""
    inspector = inspect(connection)
    found: Schema = {}
    for table in inspector.get_table_names():
        if table == VERSION_TABLE:
            continue
        found[table] = {
            "columns": {
                column["name"]: (
                    column["type"].compile(connection.dialect),
                    column["nullable"],
                    column["default"],
                    column.get("autoincrement"),
                )
                for column in inspector.get_columns(table)
            },
            "primary key": _plain(inspector.get_pk_constraint(table)),
            "foreign keys": _sorted(inspector.get_foreign_keys(table)),
            "unique": _sorted(inspector.get_unique_constraints(table)),
            "checks": _sorted(inspector.get_check_constraints(table)),
            "indexes": _sorted(inspector.get_indexes(table)),
            "numbered for ever": _autoincrement(connection, table),
        }
    return found


def _autoincrement(connection: Connection, table: str) -> bool:
    """Say whether SQLite never gives a number again, which its inspector does not tell."""
    if connection.dialect.name != "sqlite":
        return False
    query = text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table")
    return "AUTOINCREMENT" in str(connection.scalar(query, {"table": table}))


def _plain(item: Any) -> dict[str, Any]:
    found = {key: value for key, value in dict(item).items() if value}
    # Such as the condition of a partial index, whose object equals no other.
    if options := found.get("dialect_options"):
        found["dialect_options"] = {name: str(value) for name, value in options.items()}
    return found


def _sorted(items: Any) -> list[dict[str, Any]]:
    return sorted((_plain(item) for item in items), key=lambda item: str(item.get("name")))
