"""Engines and sessions: one `Database` a process and file, on SQLite (WAL) or PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from paperdesk.db.closing import RollingBack, Threads
from paperdesk.db.exact_json import EXACTLY
from paperdesk.db.failures import telling_of_commits
from paperdesk.db.lock import Ownership, WriteLock, real_path
from paperdesk.errors import DatabaseUnusable
from paperdesk.settings import database_url, sqlite_path

READERS: Final = 4
WRITERS: Final = 8
LANES: Final = 2
"""Connections of PostgreSQL for what is booked in batches: the ledger, and the inbox of signals."""
PATIENCE: Final = 10.0
"""Seconds that a session waits for a connection or for its turn to write."""

PRAGMAS: Final[dict[str, str | int]] = {
    "busy_timeout": 5000,
    "journal_mode": "wal",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "cache_size": 10_000,
    "journal_size_limit": 64 * 1024 * 1024,
    "cell_size_check": "ON",
    "trusted_schema": "OFF",
    # So that the row which a REPLACE takes away is guarded as one that is deleted.
    "recursive_triggers": "ON",
    # On macOS fsync alone leaves the data in the drive's cache; elsewhere these two do nothing.
    "fullfsync": "ON",
    "checkpoint_fullfsync": "ON",
}
WRITER_PRAGMAS: Final = PRAGMAS | {"wal_autocheckpoint": 1000}
READER_PRAGMAS: Final = PRAGMAS | {"wal_autocheckpoint": 0, "query_only": "ON"}

SILENCE: Final = 20.0
"""Seconds after which a PostgreSQL that answers nothing counts as lost; longer than any lock."""

DURABLE: Final = {"synchronous_commit": "on"}
"""Said out loud to PostgreSQL: where its default is off, COMMIT returns before the disk."""

_TURN = "paperdesk_write_turn"


class Database:
    """The engines and session makers of one database.

    On SQLite every write transaction of the process, whoever begins it, waits for one queue from
    BEGIN IMMEDIATE to the end of COMMIT; readers see a snapshot and cannot write at all. Opening
    a database does not migrate it: `paperdesk.init_db` does that and hands out the result.
    """

    def __init__(self, target: str | Path) -> None:
        self.url = url = database_url(target)
        path = sqlite_path(url)
        # The real file from here on: what is locked, checked and opened must be one and the same.
        self.path = real_path(path) if path else None
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if self.path else "postgresql"
        self._ownership: Ownership | None = None
        self._sync_engine: Engine | None = None
        self._threads = Threads()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        if self.path:
            self._ownership = Ownership.take(self.path)
            lock = self._ownership.write_lock
            self.writer = self.lane = _sqlite_writer(self.path, lock, self._threads)
            self.reader = _sqlite_reader(self.path, self._threads)
            self._make_sync_engine = partial(_sqlite_sync, self.path, lock)
        else:
            self.writer = _postgresql(url)
            # The ledger's own: readers, and whoever waits for a row, must not keep it from booking.
            self.lane = _postgresql(url, pool_size=LANES, lock_timeout="3s")
            # One snapshot for all statements of a reading session, as on SQLite.
            self.reader = self.writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._make_sync_engine = partial(_postgresql_sync, url)
            for engine in (self.writer, self.lane):
                event.listen(engine.sync_engine, "connect", self._note_loop)
        own = (self.writer, self.reader) if self.path else (self.writer, self.lane)
        for engine in own:
            self._refuse_once_closed(engine.sync_engine)
        self.async_session_maker = async_sessionmaker(self.writer, expire_on_commit=False)
        self.reading_session_maker = async_sessionmaker(self.reader, expire_on_commit=False)

    @property
    def closed(self) -> bool:
        """Say whether the database was closed; then it can no longer be used."""
        return self._closed

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """Give a session that sees one snapshot and cannot write. Keep it short."""
        self._check_open()
        async with self.reading_session_maker() as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """Give a session in a transaction that commits at the end, or rolls back on an error.

        Not for money: that goes through the ledger. Never wait for the network in here, nor begin
        another write in the same task: that one would wait for this one to end. Raises
        UnknownOutcome where the COMMIT itself fails and may have been made.
        """
        self._check_open()
        async with self.async_session_maker() as session:
            yield session
            with telling_of_commits():
                await session.commit()

    @contextmanager
    def sync_session(self) -> Generator[Session]:
        """Give a plain session, for scripts and threads; commit yourself.

        It blocks while others write: an event loop's thread must not use it.
        On PostgreSQL this needs psycopg, which the `postgres` extra installs.
        """
        with Session(self.sync_engine, expire_on_commit=False) as session:
            yield session

    @property
    def sync_engine(self) -> Engine:
        """The engine of plain connections, which share the write queue of this database."""
        self._check_open()
        if self._sync_engine is None:
            self._sync_engine = self._make_sync_engine()
            self._refuse_once_closed(self._sync_engine)
        return self._sync_engine

    @contextmanager
    def long_read(self) -> Generator[Session]:
        """Give a plain session on a connection of its own that sees one snapshot, for a thread.

        For what reads for so long that it would take a reader from the requests. On PostgreSQL
        this needs psycopg, which the `postgres` extra installs.
        """
        self._check_open()
        with Session(self._long_reader) as session:
            yield session

    @cached_property
    def _long_reader(self) -> Engine:
        # It pools nothing. One for all reads, since each engine compiles its statements anew.
        return _sqlite_long_reader(self.path) if self.path else postgresql_reader(self.url)

    async def close(self) -> None:
        """Close all connections and give up the file. Safe to call twice."""
        self._closed = True
        ownership, self._ownership = self._ownership, None
        sync_engine, self._sync_engine = self._sync_engine, None
        # A connection of asyncpg can say goodbye in its own loop only. Where that loop is gone, the
        # socket is let go of.
        gone = self._loop is not None and self._loop.is_closed()
        try:
            for engine in (self.reader, self.writer, self.lane):
                await engine.dispose(close=not gone)
            if sync_engine is not None:
                sync_engine.dispose()
            # A connection that a cancelled task or the garbage collector cut off closes in its own
            # time: after the file was given up, and after its loop is gone, it must not.
            await asyncio.to_thread(self._threads.join)
        finally:
            if ownership is not None:
                ownership.release()

    def _note_loop(self, _connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        self._loop = asyncio.get_running_loop()

    def _check_open(self) -> None:
        if self._closed:
            raise DatabaseUnusable("This database was closed. Open it again with init_db.")

    def _refuse_once_closed(self, engine: Engine) -> None:
        """Make every way to a new connection fail: session makers and engines outlive `close`."""

        def on_do_connect(
            _dialect: Dialect, _record: ConnectionPoolEntry, _args: Any, _parameters: Any
        ) -> None:
            self._check_open()

        event.listen(engine, "do_connect", on_do_connect)


_CONNECT: Final = {"factory": RollingBack}


def _sqlite_url(path: Path, driver: str = "sqlite+aiosqlite") -> URL:
    # Not put together as text: SQLAlchemy would decode `%41` in it, and open another file.
    return URL.create(driver, database=str(path))


def sqlite_engine_for_migrations(path: Path) -> AsyncEngine:
    """Return an engine whose foreign keys are off, as rebuilding a table needs.

    The pragma is ignored inside a transaction, so it must be set when the connection opens.
    """
    engine = create_async_engine(
        _sqlite_url(path), pool_size=1, max_overflow=0, connect_args=_CONNECT, **EXACTLY
    )
    _configure(engine.sync_engine, WRITER_PRAGMAS | {"foreign_keys": "OFF"}, "IMMEDIATE")
    return engine


def _sqlite_writer(path: Path, lock: WriteLock, threads: Threads) -> AsyncEngine:
    engine = create_async_engine(
        _sqlite_url(path),
        pool_size=WRITERS,
        max_overflow=0,
        pool_timeout=PATIENCE,
        connect_args={"factory": threads.connect},
        **EXACTLY,
    )
    _queue_writes(engine.sync_engine, lock, lock.acquire_in_greenlet)
    _configure(engine.sync_engine, WRITER_PRAGMAS, "IMMEDIATE")
    return engine


def _sqlite_reader(path: Path, threads: Threads) -> AsyncEngine:
    engine = create_async_engine(
        _sqlite_url(path),
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=PATIENCE,
        connect_args={"factory": threads.connect},
        **EXACTLY,
    )
    _configure(engine.sync_engine, READER_PRAGMAS, "DEFERRED")
    return engine


def _sqlite_sync(path: Path, lock: WriteLock) -> Engine:
    engine = create_engine(
        _sqlite_url(path, "sqlite"),
        pool_size=2,
        max_overflow=0,
        pool_timeout=PATIENCE,
        connect_args=_CONNECT,
        **EXACTLY,
    )
    _queue_writes(engine, lock, lock.acquire)
    _configure(engine, WRITER_PRAGMAS, "IMMEDIATE")
    return engine


def _sqlite_long_reader(path: Path) -> Engine:
    engine = create_engine(
        _sqlite_url(path, "sqlite"), poolclass=NullPool, connect_args=_CONNECT, **EXACTLY
    )
    _configure(engine, READER_PRAGMAS, "DEFERRED")
    return engine


def take_any_text(connection: Any) -> None:
    """Make a SQLite connection give text that is no UTF-8 with surrogates, and not an error."""

    def decoded(text: bytes) -> str:
        return text.decode("utf-8", "surrogateescape")

    connection.text_factory = decoded


def asyncpg_url(url: str) -> URL:
    """Return a PostgreSQL URL for asyncpg, which calls libpq's `sslmode` plain `ssl`."""
    return _renamed(url, "postgresql+asyncpg", "sslmode", "ssl")


def psycopg_url(url: str) -> URL:
    """Return a PostgreSQL URL for psycopg, which speaks libpq's own words."""
    return _renamed(url, "postgresql+psycopg", "ssl", "sslmode")


def _renamed(url: str, driver: str, option: str, name: str) -> URL:
    made = make_url(url).set(drivername=driver)
    if option not in made.query:
        return made
    value = made.query[option]
    return made.difference_update_query([option]).update_query_dict({name: value})


def _postgresql(url: str, pool_size: int = 10, lock_timeout: str = "10s") -> AsyncEngine:
    return create_async_engine(
        asyncpg_url(url),
        # Said out loud, so that row locks mean the same whatever the server's default is.
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=PATIENCE,
        pool_pre_ping=True,
        connect_args={
            "timeout": PATIENCE,
            # A server that was cut off says nothing: no statement may wait for it for ever.
            "command_timeout": SILENCE,
            "server_settings": {
                **DURABLE,
                "application_name": "paperdesk",
                "timezone": "UTC",
                "lock_timeout": lock_timeout,
                "idle_in_transaction_session_timeout": "15s",
            },
        },
        **EXACTLY,
    )


def _postgresql_sync(url: str) -> Engine:
    return create_engine(
        psycopg_url(url),
        isolation_level="READ COMMITTED",
        connect_args={"options": "-c synchronous_commit=on"},
        **EXACTLY,
    )


def postgresql_reader(url: str) -> Engine:
    """Return an engine for plain sessions that read one snapshot each, for long."""
    engine = create_engine(
        psycopg_url(url),
        poolclass=NullPool,
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": int(PATIENCE)},
        **EXACTLY,
    )
    return engine.execution_options(postgresql_readonly=True)


def _configure(engine: Engine, pragmas: dict[str, str | int], begin: str) -> None:
    """Take BEGIN out of the driver's hands and set the pragmas of every new connection."""

    def on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver would begin only before a write, and leave reads and DDL outside.
        connection.isolation_level = None
        cursor = connection.cursor()
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name} = {value}")
        cursor.execute("PRAGMA journal_mode")
        mode = str((cursor.fetchone() or ("unknown",))[0])
        cursor.close()
        if mode != "wal":
            raise DatabaseUnusable(
                f"SQLite answers journal_mode={mode}, but Paperdesk needs WAL. "
                "Keep the database on a local disk: network file systems cannot do it."
            )

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def _queue_writes(engine: Engine, lock: WriteLock, acquire: Callable[[float], None]) -> None:
    """Make each transaction of an engine wait for its turn, and pass the turn on at its end.

    Call it before `_configure`: listeners run in the order of their making, and the turn must be
    taken before BEGIN IMMEDIATE takes SQLite's own lock.
    """

    def take_turn(connection: Connection) -> None:
        if _TURN not in connection.info:
            acquire(PATIENCE)
            connection.info[_TURN] = True

    def give_turn(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        if record.info.pop(_TURN, False):
            lock.release()

    event.listen(engine, "begin", take_turn)
    # At check-in the transaction is over, however it ended: committed, rolled back or cut off.
    event.listen(engine, "checkin", give_turn)
    # A session that was forgotten: the garbage collector cannot wait for an async connection, so
    # SQLAlchemy detaches and closes it. The next BEGIN waits out the moment until it is closed.
    event.listen(engine, "detach", give_turn)
