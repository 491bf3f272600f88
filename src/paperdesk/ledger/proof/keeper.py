"""When the desk proves its books, and what follows from it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from paperdesk.audit.trail import Action, Line, note
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.failures import is_unavailable
from paperdesk.ledger.proof import marks, proving
from paperdesk.ledger.proof.proving import Problem, Verdict, Watch
from paperdesk.ledger.proof.standing import Standing
from paperdesk.ledger.proof.state import state_hash
from paperdesk.models import LogLevel

NIGHT: Final = 3
"""The hour of the desk's day at which everything is proven."""

_LOOK_EVERY: Final = 300.0
"""Seconds between two quick looks. They move the marks, so that the next start is quick."""

_BREATH: Final = 0.001
"""Seconds that a proof nobody waits for sleeps after each piece, so that requests go first."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Proven:
    """The outcome of a proof, and the hash of the state that was proven."""

    verdict: Verdict
    state_hash: str


_Work = Callable[[Session, Watch], Proven]


class Stopped(Exception):
    """The desk stops: the proof ends without an outcome."""


class Keeper:
    """Proves the books of a desk: at its start, every night, and when asked to. One at a time.

    Where a proof finds what no operator has accepted, the desk becomes read-only.
    """

    def __init__(self, database: Database, clock: Clock, standing: Standing, timezone: str) -> None:
        self._database = database
        self._clock = clock
        self._standing = standing
        self._zone = ZoneInfo(timezone)
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[Proven] | None = None
        self._stopping = threading.Event()
        self._working: set[asyncio.Task[Any]] = set()

    async def look(self) -> Verdict:
        """Check heads, balances, and the entries since the last proof."""
        async with self._turn:
            looked = await self._in_thread(_look)
            await self._conclude(looked.verdict)
        return looked.verdict

    async def prove(self, *, breath: float = 0.0) -> Proven:
        """Prove everything as it is now. Who asks before a proof begins shares it."""
        if self._next is None or self._next.done():
            self._next = self._started(self._prove(breath))
        # A caller that goes away stops no proof that another waits for.
        return await asyncio.shield(self._next)

    async def reopen(self, *, accept: bool) -> Proven:
        """Prove anew and take changes again if nothing is wrong that nobody accepted.

        With `accept` what is wrong is accepted: noted in the audit trail, and no reason any more to
        become read-only. Verifying goes on to show it.
        """
        proven = await self.prove()
        fresh = proven.verdict.fresh
        if fresh and not accept:
            return proven
        now, reason = self._clock.now(), await self._standing.reason()
        async with self._database.write() as session:
            if fresh:
                await session.run_sync(marks.accept, fresh, now)
                message = f"{len(fresh)} problem(s) in the books were accepted by the operator."
                after = {"problems": _plain(fresh)}
                line = Line(Action.proof_accepted, message, after=after, level=LogLevel.WARNING)
                note(session, line, now)
            if reason:
                message = "The desk takes changes again."
                before = {"read_only": reason}
                note(session, Line(Action.desk_reopened, message, before=before), now)
            await self._standing.open(session)
        self._standing.opened()
        return proven

    async def run(self) -> None:
        """Prove everything once, then look often and prove every night, for ever."""
        proven_at = self._clock.now()
        await self.prove(breath=_BREATH)
        while True:
            await self._clock.sleep(_LOOK_EVERY)
            now = self._clock.now()
            if night_between(proven_at, now, self._zone):
                proven_at = now
                await self.prove(breath=_BREATH)
            else:
                await self.look()

    async def close(self) -> None:
        """Break off what runs."""
        self._stopping.set()
        await asyncio.gather(*self._working, return_exceptions=True)

    async def _prove(self, breath: float) -> Proven:
        async with self._turn:
            # Who comes from here on wants to know of what is written from here on.
            self._next = None
            proven = await self._in_thread(_prove, breath)
            await self._conclude(proven.verdict)
        return proven

    async def _in_thread(self, work: _Work, breath: float = 0.0) -> Proven:
        def watch(_entries: int) -> None:
            if self._stopping.is_set():
                raise Stopped
            time.sleep(breath)

        def run() -> Proven:
            try:
                with self._database.long_read() as session:
                    return work(session, watch)
            except DBAPIError as error:
                if is_unavailable(error):
                    raise
                problem = Problem(None, None, f"The database cannot be read: {error.orig}.")
                return Proven(Verdict(problems=[problem], fresh=[problem]), "")

        return await asyncio.shield(self._started(asyncio.to_thread(run)))

    def _started(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that `close` waits for, whoever else no longer does."""
        task = asyncio.create_task(work, name="paperdesk-proof")
        self._working.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            # Asked for, so that nothing is said of an error when nobody waits any more.
            task.exception()

    async def _conclude(self, verdict: Verdict) -> None:
        if verdict.fresh:
            await self._standing.close(_plain(verdict.fresh))
            return
        moved = sorted(verdict.points)
        for start in range(0, len(moved), marks.AT_ONCE):
            some = moved[start : start + marks.AT_ONCE]
            points = {account_id: verdict.points[account_id] for account_id in some}
            async with self._database.write() as session:
                await session.run_sync(marks.move, points, self._clock.now())


def night_between(before: datetime, now: datetime, zone: ZoneInfo) -> bool:
    """Say whether the hour at which everything is proven has come between two instants."""
    local = now.astimezone(zone)
    night = local.replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    if night > local:
        night -= timedelta(days=1)
    return before < night


def _prove(session: Session, watch: Watch) -> Proven:
    return Proven(proving.prove(session, watch), state_hash(session, watch))


def _look(session: Session, watch: Watch) -> Proven:
    return Proven(proving.look(session, watch), "")


def _plain(problems: list[Problem]) -> list[dict[str, Any]]:
    return [problem._asdict() for problem in problems]
