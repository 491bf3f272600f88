"""The two lanes a ledger's commands run in: a thread on SQLite, a task on PostgreSQL.

Each call of an async SQLite session is a hop to a thread and back, so a thread of our own with the
standard driver is two to three times faster. On PostgreSQL the same functions run through the async
driver, and the account's row is the lock for everything of the account, over all processes.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from paperdesk.db.engine import Database
from paperdesk.db.failures import is_unavailable
from paperdesk.errors import Busy, PaperdeskError, Refused, UnknownOutcome
from paperdesk.ledger.views import AccountView

LARGEST_BATCH = 64
_RETRIES = 5
_RETRYABLE = frozenset({"40001", "40P01"})

log = structlog.get_logger()
T_co = TypeVar("T_co", covariant=True)


class Command(Protocol[T_co]):
    """Something to book on one account."""

    @property
    def account_id(self) -> str:
        """The account whose books it changes."""
        ...

    def __call__(self, session: Session) -> T_co:
        """Check, then change, and return the result; raise Refused before changing anything."""
        ...


@dataclass(slots=True)
class Pending:
    """A command that waits for its booking; `answer` is set only after COMMIT."""

    command: Command[Any]
    answer: Future[Any] = field(default_factory=Future[Any])
    result: Any = None
    refusal: Refused | None = None

    def settle(self) -> None:
        """Tell the caller what came of it."""
        if self.refusal is not None:
            self.answer.set_exception(self.refusal)
        else:
            self.answer.set_result(self.result)


class Spoiled(Exception):
    """A refused command left changes behind: the batch must be taken back."""


Book = Callable[[Session, Sequence[Pending]], list[AccountView]]
"""Runs a batch in the session's open transaction; returns the accounts as they are after it."""

Publish = Callable[[Sequence[AccountView]], None]
"""Takes the accounts of a batch that was committed."""


class ThreadLane:
    """SQLite: a thread, started with the first command."""

    def __init__(self, database: Database, book: Book, publish: Publish) -> None:
        self._database = database
        self._book_in = book
        self._publish = publish
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def waiting(self) -> int:
        """Return how many commands are queued."""
        return self._queue.qsize()

    def put(self, pending: Pending) -> None:
        """Queue a command."""
        if self._thread is None or not self._thread.is_alive():
            # A daemon: what was not acknowledged may be lost, but must not keep the process alive.
            self._thread = threading.Thread(target=self._run, name="paperdesk-writer", daemon=True)
            self._thread.start()
        self._queue.put(pending)

    async def close(self) -> None:
        """Run what is queued, then stop."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _run(self) -> None:
        sessions = self._database.sync_session_maker()
        while (first := self._queue.get()) is not None:
            batch, stopping = _batch_from(first, self._queue)
            self._book(sessions, batch)
            if stopping:
                return

    def _book(self, sessions: Callable[[], Session], batch: Sequence[Pending]) -> None:
        try:
            with sessions() as session:
                views = self._book_in(session, batch)
                session.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
            if len(batch) > 1 and not _is_nobodys_fault(error):
                for pending in batch:
                    self._book(sessions, [pending])
                return
            _fail(batch, _explained(error))
        else:
            _settle(batch, views, self._publish)


class TaskLane:
    """PostgreSQL: a task that runs the same commands through the async driver."""

    def __init__(self, database: Database, book: Book, publish: Publish) -> None:
        self._database = database
        self._book_in = book
        self._publish = publish
        self._queue: asyncio.Queue[Pending | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def waiting(self) -> int:
        """Return how many commands are queued."""
        return self._queue.qsize()

    def put(self, pending: Pending) -> None:
        """Queue a command."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="paperdesk-writer")
        self._queue.put_nowait(pending)

    async def close(self) -> None:
        """Run what is queued, then stop."""
        if self._task is not None:
            self._queue.put_nowait(None)
            await self._task
            self._task = None

    async def _run(self) -> None:
        while (first := await self._queue.get()) is not None:
            batch, stopping = _batch_from(first, self._queue)
            await self._book(batch)
            if stopping:
                return

    async def _book(self, batch: Sequence[Pending]) -> None:
        for attempt in range(1, _RETRIES + 1):
            committing = False
            try:
                async with self._database.async_session_maker() as session:
                    views = await session.run_sync(self._book_in, batch)
                    committing = True
                    await session.commit()
            except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
                if _worth_retrying(error) and attempt < _RETRIES:
                    continue
                if committing and not isinstance(error, IntegrityError):
                    _fail(batch, _unknown(error))
                elif len(batch) > 1 and not _is_nobodys_fault(error):
                    for pending in batch:
                        await self._book([pending])
                else:
                    _fail(batch, _explained(error))
                return
            _settle(batch, views, self._publish)
            return


class _Waiting(Protocol):
    def empty(self) -> bool: ...
    def get_nowait(self) -> Pending | None: ...


def _batch_from(first: Pending, waiting: _Waiting) -> tuple[list[Pending], bool]:
    """Return what waits, up to a full batch, and whether the lane is to stop after it.

    The lane alone takes from its queue, so what is not empty stays so until it does.
    """
    batch = [first]
    while len(batch) < LARGEST_BATCH and not waiting.empty():
        if (pending := waiting.get_nowait()) is None:
            return batch, True
        batch.append(pending)
    return batch, False


def _settle(batch: Sequence[Pending], views: list[AccountView], publish: Publish) -> None:
    publish(views)
    for pending in batch:
        pending.settle()


def _fail(batch: Sequence[Pending], error: BaseException) -> None:
    for pending in batch:
        pending.answer.set_exception(error)


def _worth_retrying(error: BaseException) -> bool:
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, DBAPIError) and state in _RETRYABLE


def _is_nobodys_fault(error: BaseException) -> bool:
    """Say whether the database was the trouble, so that trying each command alone only waits."""
    return isinstance(error, Busy) or is_unavailable(error)


def _explained(error: BaseException) -> BaseException:
    """Return what to tell the caller of a command that was rolled back."""
    if isinstance(error, PaperdeskError):
        return error
    if isinstance(error, Spoiled) and isinstance(error.__cause__, Refused):
        log.error("ledger.refusal_left_changes", exc_info=error.__cause__)
        return error.__cause__
    if is_unavailable(error):
        log.warning("ledger.database_unavailable", error=str(error).partition("\n")[0])
        return Busy("The database cannot be reached or is busy; nothing was booked. Ask again.")
    log.error("ledger.command_failed", exc_info=error)
    return error


def _unknown(error: BaseException) -> UnknownOutcome:
    log.error("ledger.commit_failed", exc_info=error)
    return UnknownOutcome(
        "The connection to the database broke during the commit. Ask again with the same key: "
        "you get the booking if it was made, and it is made now if it was not."
    )
