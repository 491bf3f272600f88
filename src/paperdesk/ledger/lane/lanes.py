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
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from paperdesk.db.engine import Database
from paperdesk.db.failures import is_lock_timeout, was_rolled_back
from paperdesk.errors import Busy
from paperdesk.ledger.lane.outcomes import (
    AccountHeld,
    OutcomeUnknown,
    TransactionLost,
    explained,
    fail,
    given_up,
    is_nobodys_fault,
    leave_open,
    refused_by_the_database,
)
from paperdesk.ledger.lane.waiting import LONGEST_QUEUE, FairQueue, Pending

LARGEST_BATCH = 64
"""Commands in one transaction: of many clients some are answered while others are booked."""
STOPPING = "The desk is stopping. Nothing was booked; ask again when it is back."
_RETRIES = 10
_PAUSE = 0.005
"""Seconds before the first retry of a batch that lost against another process; more each time."""
_RETRYABLE = frozenset({"40001", "40P01"})


T = TypeVar("T")

Book = Callable[[Connection, Sequence[Pending]], T]
"""Runs a batch in the connection's open transaction; returns what it changed."""

Publish = Callable[[T], None]
"""Takes what a batch changed that was committed."""


class ThreadLane(Generic[T]):
    """SQLite: a thread, started with the first command."""

    def __init__(self, database: Database, book: Book[T], publish: Publish[T]) -> None:
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
            try:
                self._book(batch)
            except BaseException as error:
                # It ends the lane, and the next command begins a new one: nobody waits for ever.
                with self._woken:
                    self._thread = None
                    waiting = self._queue.take(LONGEST_QUEUE)
                _answer_in_their_loops(given_up(batch, waiting, error))
                raise
            if refusal := refused_by_the_database(batch):
                with self._woken:
                    fail(waiting := self._queue.take(LONGEST_QUEUE), refusal)
                batch += waiting
            _answer_in_their_loops(batch)

    def _next(self) -> list[Pending]:
        with self._woken:
            while not self._queue and not self._closing:
                self._woken.wait()
            return self._queue.take(LARGEST_BATCH)

    def _book(self, batch: Sequence[Pending]) -> None:
        try:
            changed = self._transact(batch)
        except OutcomeUnknown as error:
            leave_open(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
            if len(batch) > 1 and not is_nobodys_fault(error):
                for number, pending in enumerate(batch):
                    self._book([pending])
                    if refusal := refused_by_the_database([pending]):
                        fail(batch[number:], refusal)
                        break
            else:
                fail(batch, explained(error))
        else:
            self._publish(changed)

    def _transact(self, batch: Sequence[Pending]) -> T:
        committing = False
        try:
            with self._database.sync_engine.connect() as connection:
                changed = self._book_in(connection, batch)
                _check_transaction(connection)
                committing = True
                connection.commit()
        except Exception as error:
            if committing and not was_rolled_back(error):
                raise OutcomeUnknown from error
            raise
        return changed


class TaskLane(Generic[T]):
    """PostgreSQL: a task that runs the same commands through the async driver."""

    def __init__(self, database: Database, book: Book[T], publish: Publish[T]) -> None:
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
            try:
                await self._book(batch)
            except BaseException as error:
                waiting = self._queue.take(LONGEST_QUEUE)
                _settle(given_up(batch, waiting, error))
                raise
            if refusal := refused_by_the_database(batch):
                if isinstance(refusal, AccountHeld):
                    waiting = self._queue.take_all_of(batch[0].command.account_id)
                else:
                    waiting = self._queue.take(LONGEST_QUEUE)
                fail(waiting, refusal)
                batch += waiting
            _settle(batch)

    async def _next(self) -> list[Pending]:
        while not self._queue and not self._closing:
            self._woken.clear()
            await self._woken.wait()
        return self._queue.take(LARGEST_BATCH)

    async def _book(self, batch: Sequence[Pending]) -> None:
        try:
            changed = await self._transact_again(batch)
        except OutcomeUnknown as error:
            leave_open(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must be answered
            if is_lock_timeout(error) and len(accounts := _by_account(batch)) > 1:
                for of_account in accounts:
                    await self._book(of_account)
            elif len(batch) > 1 and not is_nobodys_fault(error):
                for number, pending in enumerate(batch):
                    await self._book([pending])
                    if refusal := refused_by_the_database([pending]):
                        fail(batch[number:], refusal)
                        break
            else:
                fail(batch, explained(error))
        else:
            self._publish(changed)

    async def _transact_again(self, batch: Sequence[Pending]) -> T:
        """Book a batch, whole and anew where it lost against another process."""
        for attempt in range(1, _RETRIES):
            try:
                return await self._transact(batch)
            except DBAPIError as error:
                if not _lost_a_race(error):
                    raise
                await asyncio.sleep(_PAUSE * attempt)
        return await self._transact(batch)

    async def _transact(self, batch: Sequence[Pending]) -> T:
        committing = False
        try:
            async with self._database.lane.connect() as connection:
                changed = await connection.run_sync(self._book_in, batch)
                # Where a statement failed and nobody said so, PostgreSQL answers COMMIT with
                # ROLLBACK, which is no error to the driver. Any other statement it refuses.
                await connection.exec_driver_sql("SELECT 1")
                committing = True
                await connection.commit()
        except Exception as error:
            if committing and not was_rolled_back(error):
                raise OutcomeUnknown from error
            raise
        return changed


def lane_for(database: Database, book: Book[T], publish: Publish[T]) -> ThreadLane[T] | TaskLane[T]:
    """Return the lane that a database needs."""
    kind = ThreadLane[T] if database.dialect == "sqlite" else TaskLane[T]
    return kind(database, book, publish)


def _check_transaction(connection: Connection) -> None:
    """Raise TransactionLost where SQLite took the transaction back and nobody said so.

    To COMMIT nothing would succeed.
    """
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        raise TransactionLost


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


def _by_account(batch: Sequence[Pending]) -> list[list[Pending]]:
    accounts: defaultdict[str, list[Pending]] = defaultdict(list)
    for pending in batch:
        accounts[pending.command.account_id].append(pending)
    return list(accounts.values())


def _lost_a_race(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _RETRYABLE
