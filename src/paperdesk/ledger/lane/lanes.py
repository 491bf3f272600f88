"""The two lanes a ledger's commands run in: a thread on SQLite, a task on PostgreSQL.

Each call of an async SQLite session is a hop to a thread and back; a thread of our own with the
standard driver spares them all. On PostgreSQL the same functions run through the async
driver, and the account's row is the lock for everything of the account, over all processes.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from paperdesk.db.engine import Database
from paperdesk.db.failures import is_unavailable, was_rolled_back
from paperdesk.errors import Busy, PaperdeskError, Refused, UnknownOutcome
from paperdesk.ledger.lane.waiting import LONGEST_QUEUE, FairQueue, Pending
from paperdesk.ledger.views import AccountView

LARGEST_BATCH = 64
"""Commands in one transaction: of many clients some are answered while others are booked."""
STOPPING = "The desk is stopping. Nothing was booked; ask again when it is back."
_RETRIES = 10
_PAUSE = 0.005
"""Seconds before the first retry of a batch that lost against another process; more each time."""
_RETRYABLE = frozenset({"40001", "40P01"})

log = structlog.get_logger()


class Spoiled(Exception):
    """A refused command left changes behind: the batch must be taken back."""


Book = Callable[[Connection, Sequence[Pending]], list[AccountView]]
"""Runs a batch in the connection's open transaction; returns the accounts as they are after it."""

Publish = Callable[[Sequence[AccountView]], None]
"""Takes the accounts of a batch that was committed."""


class ThreadLane:
    """SQLite: a thread, started with the first command."""

    def __init__(self, database: Database, book: Book, publish: Publish) -> None:
        self._database = database
        self._book_in = book
        self._publish = publish
        self._queue = FairQueue()
        self._woken = threading.Condition()
        self._closing = False
        self._waking: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def put(self, pending: Pending) -> None:
        """Queue a command. Raises Busy where there is no room."""
        loop = pending.answer.get_loop()
        with self._woken:
            if self._closing:
                raise Busy(STOPPING)
            self._queue.put(pending)
            if self._waking is not loop:
                # Once for all commands of this turn of the loop: woken by the first of them, the
                # writer would book it alone, and wrest the interpreter from those that make more.
                self._waking = loop
                loop.call_soon(self._wake)

    def _wake(self) -> None:
        with self._woken:
            self._waking = None
            self._woken.notify()
            if self._queue and (self._thread is None or not self._thread.is_alive()):
                # A daemon: what was not acknowledged may be lost, but must not keep the process.
                name = "paperdesk-writer"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    async def close(self) -> None:
        """Run what is queued, then stop."""
        with self._woken:
            self._closing = True
            self._wake()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while batch := self._next():
            self._book(batch)
            if refusal := _refused_by_the_database(batch):
                with self._woken:
                    _fail(waiting := self._queue.take(LONGEST_QUEUE), refusal)
                batch += waiting
            _answer_in_their_loops(batch)

    def _next(self) -> list[Pending]:
        with self._woken:
            while not self._queue and not self._closing:
                self._woken.wait()
            return self._queue.take(LARGEST_BATCH)

    def _book(self, batch: Sequence[Pending]) -> None:
        committing = False
        try:
            with self._database.sync_engine.connect() as connection:
                views = self._book_in(connection, batch)
                committing = True
                connection.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
            if committing and not was_rolled_back(error):
                _fail(batch, _unknown(error))
            elif len(batch) > 1 and not _is_nobodys_fault(error):
                for number, pending in enumerate(batch):
                    self._book([pending])
                    if refusal := _refused_by_the_database([pending]):
                        _fail(batch[number:], refusal)
                        break
            else:
                _fail(batch, _explained(error))
        else:
            self._publish(views)


class TaskLane:
    """PostgreSQL: a task that runs the same commands through the async driver."""

    def __init__(self, database: Database, book: Book, publish: Publish) -> None:
        self._database = database
        self._book_in = book
        self._publish = publish
        self._queue = FairQueue()
        self._woken = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def put(self, pending: Pending) -> None:
        """Queue a command. Raises Busy where there is no room."""
        if self._closing:
            raise Busy(STOPPING)
        self._queue.put(pending)
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="paperdesk-writer")

    async def close(self) -> None:
        """Run what is queued, then stop."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while batch := await self._next():
            await self._book(batch)
            if refusal := _refused_by_the_database(batch):
                _fail(waiting := self._queue.take(LONGEST_QUEUE), refusal)
                batch += waiting
            _settle(batch)

    async def _next(self) -> list[Pending]:
        while not self._queue and not self._closing:
            self._woken.clear()
            await self._woken.wait()
        return self._queue.take(LARGEST_BATCH)

    async def _book(self, batch: Sequence[Pending]) -> None:
        for attempt in range(1, _RETRIES + 1):
            committing = False
            try:
                async with self._database.writer.connect() as connection:
                    views = await connection.run_sync(self._book_in, batch)
                    committing = True
                    await connection.commit()
            except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
                if _worth_retrying(error) and attempt < _RETRIES:
                    await asyncio.sleep(_PAUSE * attempt)
                    continue
                if committing and not was_rolled_back(error):
                    _fail(batch, _unknown(error))
                elif len(batch) > 1 and not _is_nobodys_fault(error):
                    for number, pending in enumerate(batch):
                        await self._book([pending])
                        if refusal := _refused_by_the_database([pending]):
                            _fail(batch[number:], refusal)
                            break
                else:
                    _fail(batch, _explained(error))
            else:
                self._publish(views)
            return


def _answer_in_their_loops(batch: Sequence[Pending]) -> None:
    """Answer callers from the writer's thread, with one call a loop instead of one a caller."""
    loops: defaultdict[asyncio.AbstractEventLoop, list[Pending]] = defaultdict(list)
    for pending in batch:
        loops[pending.answer.get_loop()].append(pending)
    for loop, answered in loops.items():
        # A loop that was closed has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, answered)


def _settle(batch: Sequence[Pending]) -> None:
    for pending in batch:
        pending.settle()


def _refused_by_the_database(batch: Sequence[Pending]) -> Busy | None:
    """Return the refusal if the database took nothing of a batch: what waits need not wait for it.

    Else each batch of a long queue would wait out the same lock, or the same connection.
    """
    first = batch[0].error
    if isinstance(first, Busy) and all(pending.error is first for pending in batch):
        return first
    return None


def _fail(batch: Sequence[Pending], error: BaseException) -> None:
    for pending in batch:
        pending.error = error


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
        "The database failed during the commit. Ask again with the same key: "
        "you get the booking if it was made, and it is made now if it was not."
    )
