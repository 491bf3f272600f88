"""Connections of SQLite that end when they are told to, with their transactions and threads."""

import sqlite3
import threading
import time
from typing import Any, Final
from weakref import WeakSet

_ENDING: Final = 1.0
"""Seconds that closing a database waits for connections that were cut off."""


class RollingBack(sqlite3.Connection):
    """A connection that rolls back when it is closed, whatever cursors still stand open.

    A cancelled task's cursor outlives it, in a traceback perhaps. SQLite keeps a connection that is
    closed under an open cursor half alive, with its transaction and so with the write lock.
    """

    def close(self) -> None:
        """Take back what was not committed, then close."""
        try:
            if self.in_transaction:
                self.rollback()
        finally:
            super().close()


class Threads:
    """The threads of aiosqlite's connections: each connection has one."""

    def __init__(self) -> None:
        self._threads: WeakSet[threading.Thread] = WeakSet()
        self._lock = threading.Lock()

    def connect(self, *args: Any, **options: Any) -> RollingBack:
        """Open a connection in the thread that will serve it: a `factory` of the driver."""
        with self._lock:
            self._threads.add(threading.current_thread())
        return RollingBack(*args, **options)

    def join(self) -> None:
        """Wait until those have ended whose connections were closed.

        Not for ever: the thread of a session that somebody still holds goes on.
        """
        with self._lock:
            threads = tuple(self._threads)
        until = time.monotonic() + _ENDING
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
