"""Locks: who owns a SQLite file, who migrates, and whose turn it is to write.

All are advisory `flock` locks on files *beside* the database. The database file itself is never
locked or even opened here: closing any descriptor of it would drop SQLite's own locks (POSIX).
"""

import asyncio
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.util import await_only

from paperdesk.errors import Busy, DatabaseHeld, DatabaseUnusable

MIGRATION_PATIENCE = 60.0
_POLL = 0.05
_BUSY = (
    "Other writes to this desk kept the database busy, or this task already holds a write session: "
    "finish it first. Try again shortly."
)


class WriteLock:
    """One writer at a time within the process, in the order of asking, over threads and tasks.

    SQLite's own wait is a lottery in which the unlucky wait until the timeout; a queue of our own
    keeps the slowest writer near the typical one.
    """

    def __init__(self) -> None:
        # Entered again where the garbage collector, which may strike anywhere, ends a transaction
        # that was forgotten. So each step below leaves a state that `release` can work on.
        self._mutex = threading.RLock()
        self._waiting: deque[Future[None]] = deque()
        self._held = False

    def acquire(self, timeout: float) -> None:
        """Block this thread until it is its turn. Raises Busy after `timeout` seconds."""
        turn = self._queue()
        try:
            turn.result(timeout)
        except TimeoutError:
            self._abandon(turn)
            raise Busy(_BUSY) from None

    async def acquire_async(self, timeout: float) -> None:  # noqa: ASYNC109 - callers pass one number
        """Wait in this task until it is its turn. Raises Busy after `timeout` seconds."""
        turn = self._queue()
        try:
            # Not `wait_for`: on Python 3.11 it loses a cancellation that comes with the turn.
            async with asyncio.timeout(timeout):
                await asyncio.wrap_future(turn)
        except TimeoutError:
            self._abandon(turn)
            raise Busy(_BUSY) from None
        except BaseException:
            self._abandon(turn)
            raise

    def acquire_in_greenlet(self, timeout: float) -> None:
        """Wait for the turn inside SQLAlchemy's async bridge, where `await` cannot be written."""
        await_only(self.acquire_async(timeout))

    def release(self) -> None:
        """Give the turn to the one who waited longest."""
        with self._mutex:
            self._held = False
            self._pass_on()

    def _queue(self) -> Future[None]:
        turn: Future[None] = Future()
        with self._mutex:
            self._waiting.append(turn)
            self._pass_on()
        return turn

    def _pass_on(self) -> None:
        while self._waiting and not self._held:
            self._held = True
            turn = self._waiting.popleft()
            if turn.set_running_or_notify_cancel():
                turn.set_result(None)
            else:
                self._held = False

    def _abandon(self, turn: Future[None]) -> None:
        # The turn may have come in the very moment of giving up: then it must be passed on.
        if not turn.cancel():
            self.release()


class Ownership:
    """The right to write to a SQLite file, which one process has and shares within itself."""

    _owned: dict[Path, "Ownership"] = {}  # noqa: RUF012 - the process-wide register is the point
    _register = threading.Lock()

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.write_lock = WriteLock()
        self._descriptor = descriptor
        self._holders = 1

    @classmethod
    def take(cls, path: Path) -> "Ownership":
        """Own the file at once, or raise DatabaseHeld naming the process that does."""
        real = real_path(path)
        with cls._register:
            if owned := cls._owned.get(real):
                owned._holders += 1  # noqa: SLF001 - our own class
                return owned
            lock_file = _beside(real, ".lock")
            descriptor, locked = _open_and_try(lock_file)
            if not locked:
                holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise DatabaseHeld(
                    f"{path} is in use by another Paperdesk process (pid {holder or 'unknown'}). "
                    "Stop that one first, or give this one another DATABASE_URL."
                )
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            owned = cls._owned[real] = cls(real, descriptor)
            return owned

    def release(self) -> None:
        """Give up one share; the last one frees the file for other processes."""
        with self._register:
            self._holders -= 1
            if self._holders == 0:
                del self._owned[self.path]
                os.ftruncate(self._descriptor, 0)
                os.close(self._descriptor)


@contextmanager
def migration_lock(path: Path) -> Generator[None]:
    """Let one process at a time migrate or seed a SQLite file; wait up to a minute for the turn.

    Raises DatabaseHeld when the minute is over. Blocks: call it outside the event loop's thread.
    """
    lock_file = _beside(real_path(path), ".migrate.lock")
    deadline = time.monotonic() + MIGRATION_PATIENCE
    descriptor, locked = _open_and_try(lock_file)
    while not locked:
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise DatabaseHeld(
                f"Another process has been migrating {path} for over "
                f"{MIGRATION_PATIENCE:.0f} s. Look what it is doing, then try again."
            )
        time.sleep(_POLL)
        descriptor, locked = _open_and_try(lock_file)
    try:
        yield
    finally:
        os.close(descriptor)


def real_path(path: Path) -> Path:
    """Return the file that a path leads to, through links and `..`. Raises DatabaseUnusable."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise DatabaseUnusable(f"{path} cannot be used: its links lead nowhere.") from error


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnusable(
            f"{path} cannot be written: {error.strerror}. Paperdesk needs to write in the folder "
            "of its database."
        ) from error


def _open_and_try(path: Path) -> tuple[int, bool]:
    """Open a lock file and say whether it could be locked; the descriptor is the caller's."""
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return descriptor, False
        if _is_in_place(path, descriptor):
            return descriptor, True
        # Somebody removed the file between the two steps: a lock on it would keep nobody away.
        os.close(descriptor)


def _is_in_place(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
