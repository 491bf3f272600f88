"""The one door for money: commands queue up, are booked in batches, and answered after COMMIT.

A command is a plain function of a sync `Session`. One writer drains the queue of those that wait,
runs them in one transaction, commits once, and only then answers each caller. A command that is
refused must have changed nothing, so it spoils no neighbour; a batch whose flush fails is rolled
back and run again one command at a time. The writer owns its commands: a caller that goes away does
not stop what was accepted.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from paperdesk.db.engine import Database
from paperdesk.errors import Busy, Refused
from paperdesk.ledger.lanes import Command, Pending, Spoiled, TaskLane, ThreadLane
from paperdesk.ledger.views import AccountView, read_view, rows_of, view_from
from paperdesk.models import UserProfile

LONGEST_QUEUE = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Booked(Generic[T]):
    """What a command returned, and the account as it stood when its batch was committed."""

    result: T
    account: AccountView


BatchHook = Callable[[Session, Sequence[AccountView]], None]
"""Runs at the end of each batch, within its transaction, with the accounts that it changed."""


class Ledger:
    """The writer of one process, and the accounts as it last left them."""

    def __init__(self, database: Database, hooks: Sequence[BatchHook] = ()) -> None:
        self._database = database
        self._hooks = tuple(hooks)
        self._views: dict[str, AccountView] = {}
        self._publishing = threading.Lock()
        self._accepting = True
        lane = ThreadLane if database.dialect == "sqlite" else TaskLane
        self._lane = lane(database, self._book, self._publish_all)

    async def submit(self, command: Command[T]) -> Booked[T]:
        """Book a command and return what came of it, after it was committed.

        Raises what the command was refused with, Busy when the queue is full or the desk is
        stopping (nothing was booked), UnknownOutcome when the connection broke during COMMIT.
        """
        if not self._accepting:
            raise Busy("The desk is stopping. Nothing was booked; ask again when it is back.")
        if self._lane.waiting() >= LONGEST_QUEUE:
            raise Busy("Too many orders are waiting. Nothing was booked; ask again shortly.")
        pending = Pending(command)
        # A running future cannot be cancelled: the caller may go away, the booking goes on.
        pending.answer.set_running_or_notify_cancel()
        self._lane.put(pending)
        return await asyncio.wrap_future(pending.answer)

    async def account(self, account_id: str) -> AccountView:
        """Return an account as the writer last left it. Raises NotFound if there is none."""
        known = self._views.get(account_id)
        if known and (self._database.dialect == "sqlite" or await self._is_current(known)):
            return known
        async with self._database.read() as session:
            view = view_from((await session.execute(rows_of(account_id))).all())
        return self._publish(view)

    async def close(self) -> None:
        """Book what was accepted, answer it, and stop."""
        self._accepting = False
        await self._lane.close()

    async def _is_current(self, view: AccountView) -> bool:
        """Say whether no other process booked on the account since."""
        async with self._database.read() as session:
            head = await session.scalar(
                select(UserProfile.head_sequence).where(UserProfile.id == view.id)
            )
        return head == view.sequence

    def _publish(self, view: AccountView) -> AccountView:
        with self._publishing:
            # A slow reader must not put an old view over the writer's newer one.
            newest = self._views.get(view.id)
            if newest is None or newest.sequence < view.sequence:
                self._views[view.id] = newest = view
            return newest

    def _book(self, session: Session, batch: Sequence[Pending]) -> list[AccountView]:
        """Run a batch in the session's open transaction, up to but not including COMMIT."""
        accounts = sorted({pending.command.account_id for pending in batch})
        # Sorted, so that two processes never wait for each other in a circle.
        locked = session.scalars(
            select(UserProfile)
            .where(UserProfile.id.in_(accounts))
            .order_by(UserProfile.id)
            .with_for_update()
        ).all()
        heads = {account.id: account.head_sequence for account in locked}
        flushes: list[object] = []
        event.listen(session, "after_flush", lambda *_: flushes.append(None))
        for pending in batch:
            pending.refusal = None
            flushes.clear()
            try:
                pending.result = pending.command(session)
            except Refused as refusal:
                # A query in between may have flushed what it had changed already.
                if flushes or session.new or session.dirty or session.deleted:
                    raise Spoiled from refusal
                pending.refusal = refusal
            session.flush()
        answered = {p.command.account_id for p in batch if p.refusal is None}
        views = {account_id: read_view(session, account_id) for account_id in sorted(answered)}
        changed = [view for view in views.values() if view.sequence > heads.get(view.id, 0)]
        for hook in self._hooks:
            hook(session, changed)
        session.flush()
        for pending in batch:
            if pending.refusal is None:
                pending.result = Booked(pending.result, views[pending.command.account_id])
        return changed

    def _publish_all(self, views: Sequence[AccountView]) -> None:
        for view in views:
            self._publish(view)
