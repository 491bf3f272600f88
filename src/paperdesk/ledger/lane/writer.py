"""The one door for money: commands queue up, are booked in batches, and answered after COMMIT.

A command is a plain function of `Books`. One writer takes those that wait, runs them in one
transaction, commits once, and only then answers each caller. A command that is refused must have
changed nothing, so it spoils no neighbour; a batch that fails otherwise is rolled back and run
again one command at a time. The writer owns its commands: a caller that goes away does not stop
what was accepted.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from paperdesk.audit import trail
from paperdesk.audit.actor import acting, request_id
from paperdesk.audit.trail import Said
from paperdesk.clock import Clock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.errors import Refused
from paperdesk.ledger.lane.books import Batch, Books
from paperdesk.ledger.lane.current import CurrentViews
from paperdesk.ledger.lane.lanes import lane_for
from paperdesk.ledger.lane.outcomes import Spoiled
from paperdesk.ledger.lane.rehearsing import Rehearsal
from paperdesk.ledger.lane.waiting import Command, Pending
from paperdesk.ledger.views import AccountView

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Booked(Generic[T]):
    """What a command returned, and the account as it stood when its batch was committed."""

    result: T
    account: AccountView


class NothingSaid(Exception):
    """A command changed something and noted nothing for the audit trail: it is not booked."""


BatchHook = Callable[[Connection, Batch], None]
"""Runs at the end of each batch, within its transaction, with what it changed."""

Listener = Callable[[Batch], None]
"""Is told, after COMMIT and in any thread, what a batch changed; it must not raise."""


class Ledger:
    """The writer of one process, and the accounts as it last left them."""

    def __init__(
        self,
        database: Database,
        hooks: Sequence[BatchHook] = (),
        listeners: Sequence[Listener] = (),
        check: Callable[[], Awaitable[None]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._check = check
        self._hooks = tuple(hooks)
        self._listeners = tuple(listeners)
        self._views: dict[str, AccountView] = {}
        self._publishing = threading.Lock()
        self._current = CurrentViews(database, self._views, self._publish)
        self._lane = lane_for(database, self._book, self._publish_all)

    async def submit(self, command: Command[T]) -> Booked[T]:
        """Book a command and return what came of it, after it was committed.

        Raises what the command was refused with, Busy when the queue is full or the desk is
        stopping, ReadOnly when the desk is that (nothing was booked), UnknownOutcome when the
        connection broke during COMMIT.
        """
        if self._check:
            await self._check()
        answer = asyncio.get_running_loop().create_future()
        # Here, not where it is booked: the writer's own task knows nobody.
        pending = Pending(command, answer, acting.get(), request_id.get())
        self._lane.put(pending)
        # The caller may go away, which cancels its future alone: the booking goes on.
        return await pending.answer

    async def account(self, account_id: str) -> AccountView:
        """Return an account as it is now. Raises NotFound if there is none."""
        known = self._views.get(account_id)
        if known is not None and self._database.dialect == "sqlite":
            # No other process books on a SQLite file.
            return known
        return await self._current.view_of(account_id)

    async def rehearse(self, account_id: str) -> Rehearsal:
        """Return an account to try commands on; nothing is booked. Raises NotFound."""
        return Rehearsal(self._database, await self.account(account_id))

    async def close(self) -> None:
        """Book what was accepted, answer it, and stop."""
        await self._lane.close()

    def _publish(self, view: AccountView) -> AccountView:
        with self._publishing:
            # A slow reader must not put an old view over the writer's newer one.
            newest = self._views.get(view.id)
            if newest is None or newest.point < view.point:
                self._views[view.id] = newest = view
            return newest

    def _book(self, connection: Connection, batch: Sequence[Pending]) -> Batch:
        """Run a batch in the connection's open transaction, up to but not including COMMIT."""
        books = Books(connection)
        books.open(
            {pending.command.account_id for pending in batch},
            keys={pending.command.key for pending in batch if pending.command.key},
            known=self._views,
        )
        said: list[Said] = []
        for pending in batch:
            said += _run(pending, books)
        changed = books.settle()
        trail.write(connection, said, self._clock.now())
        for hook in self._hooks:
            hook(connection, changed)
        views = {view.id: view for view in changed.accounts}
        for pending in batch:
            if pending.error is None:
                account = books.account(pending.command.account_id)
                pending.result = Booked(pending.result, views.get(account.id, account.before))
        return changed

    def _publish_all(self, changed: Batch) -> None:
        for view in changed.accounts:
            self._publish(view)
        for listener in self._listeners:
            listener(changed)


def _run(pending: Pending, books: Books) -> list[Said]:
    """Run a command, and return what it says that it did."""
    pending.error = None
    before, done = books.traces(), books.doings()
    try:
        pending.result = pending.command(books)
    except Refused as refusal:
        if before is None or books.traces() != before:
            raise Spoiled from refusal
        pending.error = refusal
        books.noted()
        return []
    lines = books.noted()
    if not lines and books.doings() != done:
        raise NothingSaid(type(pending.command).__name__)
    return [Said(line, pending.actor, pending.request_id) for line in lines]
