"""Commands that wait for the writer: a bounded queue that is fair to every account."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from paperdesk.audit.actor import SYSTEM, Actor
from paperdesk.errors import Busy
from paperdesk.ledger.lane.books import Books

LONGEST_QUEUE = 1000
LONGEST_OF_ONE_ACCOUNT = 800
"""One account alone never fills the queue: the others find room in it."""

T_co = TypeVar("T_co", covariant=True)


class Command(Protocol[T_co]):
    """Something to book on one account."""

    @property
    def account_id(self) -> str:
        """The account whose books it changes."""
        ...

    @property
    def key(self) -> str | None:
        """The key under which it may be asked for again without a second effect, if it has one."""
        ...

    def __call__(self, books: Books) -> T_co:
        """Check, then change, and return the result; raise Refused before changing anything.

        What it changes it tells the audit trail, by `books.note`.
        """
        ...


@dataclass(slots=True, eq=False)
class Pending:
    """A command that waits for its booking; `answer` is set only after COMMIT.

    `command` is one of the ledger, or what another lane takes: it waits behind those with the same
    `account_id`. `actor` and `request_id` say who submitted it.
    """

    command: Any
    answer: asyncio.Future[Any]
    actor: Actor = SYSTEM
    request_id: str | None = None
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tell the caller what came of it, in the caller's loop; one that went away is not told."""
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class FairQueue:
    """First come, first served within an account; the accounts take turns. Not thread-safe."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Pending]] = {}
        self._length = 0

    def __len__(self) -> int:
        """Return how many commands wait."""
        return self._length

    def put(self, pending: Pending) -> None:
        """Queue a command. Raises Busy where there is no room; nothing is booked then."""
        account = pending.command.account_id
        queue = self._waiting.get(account)
        if self._length >= LONGEST_QUEUE or (queue and len(queue) >= LONGEST_OF_ONE_ACCOUNT):
            raise Busy("Too many orders are waiting. Nothing was booked; ask again shortly.")
        if queue is None:
            queue = self._waiting[account] = deque()
        queue.append(pending)
        self._length += 1

    def take(self, most: int) -> list[Pending]:
        """Take up to `most` commands, one of each account in turn."""
        batch: list[Pending] = []
        while self._waiting and len(batch) < most:
            account = next(iter(self._waiting))
            queue = self._waiting.pop(account)
            batch.append(queue.popleft())
            if queue:
                # Behind all the others: a dict keeps the order of insertion.
                self._waiting[account] = queue
        self._length -= len(batch)
        return batch

    def take_all_of(self, account_id: str) -> list[Pending]:
        """Take every command of one account."""
        taken = list(self._waiting.pop(account_id, ()))
        self._length -= len(taken)
        return taken
