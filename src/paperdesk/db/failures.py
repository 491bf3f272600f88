"""Tells a database that does not answer now from one that answers with a refusal."""

import sqlite3
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from paperdesk.errors import UnknownOutcome

_SQLITE_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
    }
)
"""After these a transaction was taken back, a COMMIT included."""

_SQLITE_TROUBLE: Final = _SQLITE_CODES | {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""The disk, the memory or the folder is in trouble: that is mended, and the desk goes on."""

_PRIMARY: Final = 0xFF
"""The bits of a SQLite result code that say the kind; those above refine it."""

_CLASSES: Final = frozenset({"08", "28", "3D", "53", "57"})
"""No connection, nobody is let in, no such database, no resources, the operator stepped in."""

_CUT_OFF: Final = frozenset({"08", "57"})
"""Of these the classes that come when the server goes away, perhaps in the midst of a COMMIT."""

_LOCK_TIMEOUT: Final = "55P03"

_STATES: Final = frozenset({_LOCK_TIMEOUT, "55000", "40001", "40P01", "25006", "25P03", "25P04"})
"""A lock that could not be had in time; a database that takes no connections; a transaction that
lost against others; a server that is read-only, as after a failover; a transaction that idled, or
took, too long."""


def is_unavailable(error: BaseException) -> bool:
    """Say whether the database cannot be reached, or is locked or overloaded now.

    Then waiting helps. False for what stays wrong: a corrupt file, a missing table, bad SQL.
    """
    if isinstance(error, PoolTimeout | ConnectionError | TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _refused_now(error)
    if isinstance(error, sqlite3.Error):
        return _is_sqlite(error, _SQLITE_TROUBLE)
    # What a driver raises while connecting, which SQLAlchemy 2.0 lets through as it is.
    return is_of_asyncpg(error) or (isinstance(error, OSError) and _while_connecting(error))


def was_rolled_back(error: BaseException) -> bool:
    """Say whether a COMMIT that failed with this has surely left nothing behind.

    SQLite takes a transaction back where the disk is full or the file locked, PostgreSQL where it
    answers with an error. After a failed fsync or on a lost connection the transaction may be
    found committed later.
    """
    original = getattr(error, "orig", None)
    for one in (original, getattr(original, "__cause__", None)):
        if isinstance(one, sqlite3.Error):
            return isinstance(one, sqlite3.IntegrityError) or _is_sqlite(one, _SQLITE_CODES)
        if state := _state(one):
            return state[:2] not in _CUT_OFF
    return False


@contextmanager
def telling_of_commits() -> Generator[None]:
    """Raise UnknownOutcome where the COMMIT within fails, and may have been made all the same."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DBAPIError | OSError) and not was_rolled_back(error):
            raise UnknownOutcome(
                "The database failed during the commit. Look whether the change is there before "
                "you ask again."
            ) from error
        raise


def _refused_now(error: DBAPIError) -> bool:
    original = error.orig
    cause = getattr(original, "__cause__", None)
    for one in (original, cause):
        if isinstance(one, sqlite3.Error):
            return _is_sqlite(one, _SQLITE_TROUBLE)
        state = _state(one)
        if state:
            return state in _STATES or state[:2] in _CLASSES
    if isinstance(error, InterfaceError):
        # asyncpg's word for an argument that it cannot encode is an InterfaceError too.
        return not isinstance(cause, ValueError)
    if isinstance(cause, OSError) or type(cause).__name__ == "InternalClientError":
        # The latter is asyncpg's word for a connection that ends between two messages.
        return True
    # psycopg has no state for a server that it does not reach.
    return type(original).__module__.startswith("psycopg") and (
        type(original).__name__ in {"OperationalError", "ConnectionTimeout"}
    )


def _state(error: Any) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def _is_sqlite(error: sqlite3.Error, codes: AbstractSet[int]) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "is locked" in str(error)
    return code & _PRIMARY in codes


def is_lock_timeout(error: BaseException) -> bool:
    """Say whether PostgreSQL could not give a row's lock in time: the rest of it is well."""
    original = getattr(error, "orig", None)
    causes = (original, getattr(original, "__cause__", None))
    return any(_state(one) == _LOCK_TIMEOUT for one in causes)


def is_of_asyncpg(error: BaseException) -> bool:
    """Say whether asyncpg raised it and SQLAlchemy 2.0 let it through as it is."""
    return type(error).__module__.partition(".")[0] == "asyncpg"


def _while_connecting(error: OSError) -> bool:
    """Say whether an OSError passed through asyncpg, so that no other missing file counts."""
    trace = error.__traceback__
    while trace:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == "asyncpg":
            return True
        trace = trace.tb_next
    return False
