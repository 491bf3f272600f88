"""The inbox: deliveries queue up, are kept in batches, and answered after COMMIT.

It has a lane of its own beside the ledger's, with the same promises: who is answered is kept, and
one that cannot be kept spoils no neighbour.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from paperdesk.audit.actor import Actor, acting, request_id
from paperdesk.db.engine import Database
from paperdesk.errors import NotFound, RateLimited
from paperdesk.ledger.lane.lanes import lane_for
from paperdesk.ledger.lane.waiting import Pending
from paperdesk.signals import killswitch
from paperdesk.signals.arriving import Arrival, Stored, locked, take_in, write_allowances

SIGNALS: Final = "paperdesk_signals"
"""The channel on which a process tells the one that executes that signals wait."""


class Taken(NamedTuple):
    """A delivery that was kept, its signals as they stand, and who brought it."""

    arrival: Arrival
    stored: list[Stored]
    actor: Actor
    request_id: str | None

    @property
    def is_replay(self) -> bool:
        """Whether somebody had it replayed."""
        return any(element.replay_of for element in self.arrival.elements)


Kept = Callable[[Connection, Sequence[Taken]], None]
"""Is told of the deliveries of a batch, within its transaction."""

Heard = Callable[[Sequence[Stored]], None]
"""Is told, after COMMIT and in any thread, of signals that are new."""


class Inbox:
    """Keeps what comes in through the webhooks of a desk."""

    def __init__(
        self,
        database: Database,
        kept: Sequence[Kept] = (),
        heard: Sequence[Heard] = (),
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._kept = tuple(kept)
        self._heard = tuple(heard)
        self._check = check
        self.waiting = 0
        """Deliveries that wait to be kept."""
        self._lane = lane_for(database, self._take_in, self._tell)

    async def receive(self, arrival: Arrival) -> list[Stored]:
        """Keep a delivery, and return its signals as they stand after it.

        Raises RateLimited and NotFound, and Busy, ReadOnly or UnknownOutcome as the ledger does:
        only where nothing is known to be kept.
        """
        if self._check:
            await self._check()
        answer = asyncio.get_running_loop().create_future()
        # Here, not where it is kept: the lane's own task knows nobody.
        pending = Pending(arrival, answer, acting.get(), request_id.get())
        self._lane.put(pending)
        self.waiting += 1
        try:
            stored: list[Stored] = await pending.answer
        finally:
            self.waiting -= 1
        return stored

    async def close(self) -> None:
        """Keep what was accepted, answer it, and stop."""
        await self._lane.close()

    def _take_in(self, connection: Connection, batch: Sequence[Pending]) -> list[Stored]:
        arrivals: list[Arrival] = [pending.command for pending in batch]  # pyright: ignore[reportAssignmentType]
        webhooks = locked(connection, sorted({each.webhook_id for each in arrivals}))
        switches = killswitch.read(connection)
        before = {each.id: each.allowance_at for each in webhooks.values()}
        taken: list[Taken] = []
        for pending, arrival in zip(batch, arrivals, strict=True):
            pending.error = None
            webhook = webhooks.get(arrival.webhook_id)
            if webhook is None:
                pending.error = NotFound("There is no such webhook.")
                continue
            try:
                pending.result = take_in(connection, webhook, arrival, switches, pending.request_id)
            except RateLimited as refusal:
                pending.error = refusal
            else:
                taken.append(Taken(arrival, pending.result, pending.actor, pending.request_id))
        changed = [each for each in webhooks.values() if each.allowance_at != before[each.id]]
        write_allowances(connection, changed)
        for kept in self._kept:
            kept(connection, taken)
        return [each for delivery in taken for each in delivery.stored if each.is_new]

    def _tell(self, new: list[Stored]) -> None:
        if new:
            for heard in self._heard:
                heard(new)


def notify(connection: Connection | Session) -> None:
    """Tell the process that executes that signals wait, when the transaction commits."""
    connection.execute(select(func.pg_notify(SIGNALS, "")))
