"""`paperdesk`, killed at a named point or with a bug: `python -m support.sabotage serve …`.

SABOTAGE names the point and at which passing it strikes: `before-commit:3`. Passings count from
SIGUSR1 on, so that the desk is under load when it dies; where SABOTAGE_AT_ONCE is set, from the
start. The process then says so on standard error and kills itself with SIGKILL, which no handler
and no buffer survives. Hung on SQLAlchemy and the drivers, and on SQLite itself where the desk goes
past SQLAlchemy: a desk that is watched writes just as one that is not.

PLANTED names a bug of `support.plants`, to see that the tests find it.
"""

import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import ConnectionPoolEntry, Pool, PoolProxiedConnection

LAST_WORDS: Final = "killed itself at "

Reach = Callable[[], None]
"""Called whenever the process is at the point."""


def main() -> None:
    """Set the trap, then be the ordinary command."""
    if wanted := os.environ.get("SABOTAGE"):
        point, _, times = wanted.partition(":")
        POINTS[point](_killer(point, int(times or 1)))
    if planted := os.environ.get("PLANTED"):
        from support.plants import PLANTS  # noqa: PLC0415 - loads half of the desk

        PLANTS[planted]()
    from paperdesk.cli import main as paperdesk  # noqa: PLC0415 - after the traps are set

    paperdesk()


def _killer(point: str, times: int) -> Reach:
    left = times if "SABOTAGE_AT_ONCE" in os.environ else 0

    def arm(*_: object) -> None:
        nonlocal left
        left = times

    signal.signal(signal.SIGUSR1, arm)

    def reach() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.write(2, f"{LAST_WORDS}{point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def _on_statements(heard: Callable[[dict[Any, Any], str], None]) -> None:
    """Tell of each statement of the ledger before it runs, with what is kept on its connection.

    SQLite itself tells of them: the desk hands its statements to the driver directly, and would
    take another way if somebody listened to SQLAlchemy.
    """

    def on_connect(connection: Any, record: ConnectionPoolEntry) -> None:
        # On SQLite the ledger alone writes through the standard driver.
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(lambda statement: heard(record.info, statement))

    def on_execute(
        connection: Connection, _cursor: Any, statement: str, *_rest: Any, **_more: Any
    ) -> None:
        heard(connection.info, statement)

    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        event.listen(Engine, "before_cursor_execute", on_execute)
    else:
        event.listen(Pool, "connect", on_connect)


def _after_begin(reach: Reach) -> None:
    """The account is locked and nothing was written: by BEGIN IMMEDIATE, or by the row lock."""

    def heard(info: dict[Any, Any], statement: str) -> None:
        if info.pop("begun", False):
            reach()
        info["begun"] = statement.endswith("FOR UPDATE") or statement.startswith("BEGIN")

    _on_statements(heard)


def _between_inserts(reach: Reach) -> None:
    """The order was written, its trade was not."""

    def heard(_info: dict[Any, Any], statement: str) -> None:
        if statement.startswith("INSERT INTO trades"):
            reach()

    _on_statements(heard)


def _before_commit(reach: Reach) -> None:
    """Everything was written, and COMMIT is next."""
    _note_bookings()

    def on_commit(connection: Connection) -> None:
        if connection.info.pop("booking", False):
            reach()

    event.listen(Engine, "commit", on_commit)


def _after_commit(reach: Reach) -> None:
    """COMMIT has returned, and nobody was answered."""
    _note_bookings()
    commit = DefaultDialect.do_commit

    def commit_and_reach(self: DefaultDialect, dbapi_connection: PoolProxiedConnection) -> None:
        commit(self, dbapi_connection)
        if dbapi_connection.info.pop("booking", False):
            reach()

    # There is no event for this, neither with the ORM's session nor without.
    DefaultDialect.do_commit = commit_and_reach


def _in_migration(reach: Reach) -> None:
    """A statement of a revision has run, and others have not."""

    def on_executed(
        _connection: Connection, _cursor: Any, statement: str, *_rest: Any, **_more: Any
    ) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")):
            reach()

    event.listen(Engine, "after_cursor_execute", on_executed)


def _in_copy(reach: Reach) -> None:
    """Rows of a table have arrived, and others have not."""

    def on_executed(
        _connection: Connection, _cursor: Any, statement: str, *_rest: Any, **_more: Any
    ) -> None:
        if statement.startswith("INSERT INTO") and "alembic_version" not in statement:
            reach()

    copy = asyncpg.Connection.copy_records_to_table

    async def copy_and_reach(self: Any, *rest: Any, **more: Any) -> Any:
        copied = await copy(self, *rest, **more)
        reach()
        return copied

    event.listen(Engine, "after_cursor_execute", on_executed)
    # PostgreSQL's COPY goes past SQLAlchemy.
    asyncpg.Connection.copy_records_to_table = copy_and_reach


def _note_bookings() -> None:
    def heard(info: dict[Any, Any], statement: str) -> None:
        if statement.startswith("INSERT INTO trades"):
            info["booking"] = True

    _on_statements(heard)


POINTS: Final[dict[str, Callable[[Reach], None]]] = {
    "after-begin": _after_begin,
    "between-inserts": _between_inserts,
    "before-commit": _before_commit,
    "after-commit": _after_commit,
    "in-migration": _in_migration,
    "in-copy": _in_copy,
}

if __name__ == "__main__":
    main()
