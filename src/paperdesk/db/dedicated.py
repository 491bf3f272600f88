"""A PostgreSQL connection outside the pool: for a session's lock, and for notifications."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self

from sqlalchemy import NullPool, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from paperdesk.db.engine import asyncpg_url
from paperdesk.db.exact_json import EXACTLY
from paperdesk.errors import Busy

SILENCE: Final = 6
"""Seconds after which the server ends the session of a process that hangs, with its lock."""

_SETTINGS: Final = {
    "application_name": "paperdesk election",
    "timezone": "UTC",
    "lock_timeout": "2s",
    "idle_session_timeout": f"{SILENCE}s",
    "idle_in_transaction_session_timeout": f"{SILENCE}s",
    # A machine that is switched off sends no goodbye: the server has to find out by itself.
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
_CONNECTING: Final = 3.0
_ANSWERING: Final = 4.0

Heard = Callable[[str], None]
"""Takes the payload of a notification."""


class ConnectionLost(Busy):
    """The connection is gone, and its locks with it."""


class DedicatedConnection:
    """One session of the server: once it is lost it stays lost, and so do its locks.

    What is written through `write` was written while its locks were held: lock and transaction end
    with the session, together.
    """

    def __init__(self, engine: AsyncEngine, connection: AsyncConnection, driver: Any) -> None:
        self.lost = asyncio.Event()
        self._engine = engine
        self._connection = connection
        self._driver = driver
        self._turn = asyncio.Lock()
        self._server_process: int = driver.get_server_pid()
        driver.add_termination_listener(self._note_end)

    @classmethod
    async def open(cls, url: str, channels: Mapping[str, Heard]) -> Self:
        """Connect, and listen on these channels. Raises what the driver raises."""
        engine = create_async_engine(
            asyncpg_url(url),
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            connect_args={
                "timeout": _CONNECTING,
                "command_timeout": _ANSWERING,
                "server_settings": _SETTINGS,
            },
            **EXACTLY,
        )
        connection = await engine.connect()
        # SQLAlchemy would replace a lost connection silently, and the new one has no lock.
        event.listen(engine.sync_engine, "do_connect", _refuse)
        try:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            for channel, heard in channels.items():
                await driver.add_listener(channel, _teller(heard))
            return cls(engine, connection, driver)
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise

    async def try_lock(self, key: int) -> bool:
        """Take the session's advisory lock, or say whether it is still held. Does not wait.

        Raises ConnectionLost when the session is no longer the one that this began with, and
        TimeoutError.
        """
        # A write that takes this long is given up with the connection: none may hang in it.
        async with asyncio.timeout(_ANSWERING), self._turn:
            self._check()
            # Taking a lock that the session has already does no harm.
            locked, process = await self._driver.fetchrow(
                "SELECT pg_try_advisory_lock($1), pg_backend_pid()", key
            )
        if process != self._server_process:
            raise ConnectionLost(
                "A connection pooler changes the session. Let it pool sessions, not transactions."
            )
        return bool(locked)

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """Give a session in a transaction of this connection.

        Raises ConnectionLost, also when the connection ends within it: what was being committed may
        then have been written.
        """
        async with self._turn:
            self._check()
            try:
                async with (
                    AsyncSession(self._connection, expire_on_commit=False) as session,
                    session.begin(),
                ):
                    yield session
            except DBAPIError as error:
                # The driver has many words for it, one of them "internal error".
                if await self._answers():
                    raise
                raise ConnectionLost("The connection to the database was lost.") from error

    async def close(self) -> None:
        """End the session at once, and with it its locks; also one that hangs."""
        self.lost.set()
        self._driver.terminate()
        with suppress(Exception):  # whatever is still in its way, the session has ended
            await self._connection.invalidate()
            await self._connection.close()
        await self._engine.dispose()

    async def _answers(self) -> bool:
        try:
            await self._driver.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - whatever it is, it is no answer
            return False
        return True

    def _note_end(self, _driver: object) -> None:
        self.lost.set()

    def _check(self) -> None:
        if self.lost.is_set():
            raise ConnectionLost("The connection to the database was lost. Nothing was written.")


def _refuse(*_: Any) -> None:
    raise ConnectionLost("The connection to the database was lost. Nothing was written.")


def _teller(heard: Heard) -> Callable[[object, int, str, str], None]:
    def tell(_driver: object, _process: int, _channel: str, payload: str) -> None:
        heard(payload)

    return tell
