"""The task that has queued signals executed, those of each webhook and ticker in their order.

The queue is the table. What is taken from it is leased first, with its attempt counted, so that one
that brings the process down is given up in the end; then the ledger's writer executes it, and
writes what came of it in the transaction that books. One process of a desk does this: the leader.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Executable, Table, event, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.audit.actor import Actor, ActorKind, acting, request_id
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, PaperdeskError, ReadOnly, UnknownOutcome, UnknownTicker
from paperdesk.ids import new_id
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.market.feed import Market
from paperdesk.models import Base, SignalStatus
from paperdesk.orders.placing import why_unpriced
from paperdesk.orders.venue import Venue
from paperdesk.runtime.leader import Leadership
from paperdesk.runtime.tasks import happens_within
from paperdesk.signals.execution import ExecuteSignal
from paperdesk.signals.inbox import notify
from paperdesk.signals.queue import turns_in

PATIENCE: Final = 1.0
"""Seconds after which the queue is looked at though nobody told of a signal."""
_PAUSE: Final = timedelta(seconds=1)
CROWD: Final = 4
"""Deliveries that wait to be kept at once in a burst, and else hardly ever."""
_LONG: Final = 0.25
"""Seconds after which what is left of a batch goes on beside the next one."""
_WAY: Final = 0.025
_WAYS: Final = 20
"""Steps of seconds in which deliveries go first: half a second at the most."""

_SIGNALS: Final[Table] = Base.metadata.tables["signals"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A signal that is on lease."""

    signal_id: str
    user_id: str
    webhook_id: str
    ticker: str
    request_id: str | None


class Executor:
    """Takes signals from the queue for as long as this process leads."""

    def __init__(
        self,
        database: Database,
        leadership: Leadership,
        ledger: Ledger,
        market: Market,
        venue: Venue,
        timezone: str,
        crowd: Callable[[], int],
    ) -> None:
        """`crowd` says how many deliveries wait to be kept."""
        self._database = database
        self._leadership = leadership
        self._ledger = ledger
        self._market = market
        self._venue = venue
        self._zone = ZoneInfo(timezone)
        self._crowd = crowd
        self._trying: set[asyncio.Task[None]] = set()
        self._lease = new_id()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def heard(self, _about: object = None) -> None:
        """Look at the queue soon: something was put there. From any thread."""
        loop = self._loop
        if loop is not None:
            # A loop that was closed has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

    def tell(self, session: AsyncSession) -> None:
        """Have the queue looked at once a session has committed, by whichever process leads."""
        if self._leadership.shared:
            event.listen(session.sync_session, "before_commit", notify, once=True)
        event.listen(session.sync_session, "after_commit", self.heard, once=True)

    async def run(self) -> None:
        """Execute for ever."""
        self._loop = asyncio.get_running_loop()
        self._lease = new_id()
        await self._reclaim()
        try:
            while True:
                self._woken.clear()
                await self._give_way()
                if not await self.execute():
                    await happens_within(self._woken, PATIENCE, self._venue.clock)
        finally:
            for task in self._trying:
                task.cancel()
            await asyncio.gather(*self._trying, return_exceptions=True)
            self._trying.clear()

    async def _give_way(self) -> None:
        """Let a burst of deliveries be answered first, but not for long: whoever sends, waits."""
        for _ in range(_WAYS):
            if self._crowd() < CROWD:
                return
            await self._venue.clock.sleep(_WAY)

    async def execute(self) -> int:
        """Execute what can be executed now, and return how many signals were tried.

        A ticker that has to be asked a price for goes on beside what comes next.
        """
        by_ticker: defaultdict[str, list[_Claimed]] = defaultdict(list)
        claimed = await self._claim()
        for each in claimed:
            by_ticker[each.ticker].append(each)
        self._trying |= {
            asyncio.create_task(self._try(ticker, some), name=f"paperdesk-signals-{ticker}")
            for ticker, some in by_ticker.items()
        }
        if self._trying:
            done, self._trying = await asyncio.wait(self._trying, timeout=_LONG)
            for task in done:
                task.result()
        return len(claimed)

    async def _try(self, ticker: str, signals: Sequence[_Claimed]) -> None:
        """Have the signals of a ticker executed, in their order, once it is priced."""
        try:
            refusal = await why_unpriced(self._market, ticker)
        except Exception:
            # A source that breaks at one ticker must not stop the others. Without a price the
            # command waits, and gives up in the end.
            log.exception("signals.not_priced", ticker=ticker)
            refusal = None
        await asyncio.gather(*(self._submit(each, refusal) for each in signals))

    async def _reclaim(self) -> None:
        """Take back every lease: who had it leads no more, and can book nothing under it."""
        async with self._leadership.write() as session:
            await session.execute(
                update(_SIGNALS)
                .where(_SIGNALS.c.status == SignalStatus.queued, _SIGNALS.c.lease.is_not(None))
                .values(lease=None)
            )

    async def _claim(self) -> list[_Claimed]:
        """Lease the next signals, none behind another that has to wait."""
        claimed = await self._next()
        if claimed:
            async with self._leadership.write() as session:
                await session.execute(
                    update(_SIGNALS)
                    .where(_SIGNALS.c.id.in_(claimed))
                    .values(lease=self._lease, attempts=_SIGNALS.c.attempts + 1)
                )
        return list(claimed.values())

    async def _next(self) -> dict[int, _Claimed]:
        """Return those whose turn it is."""
        now = self._venue.clock.now()
        waiting: set[tuple[str, str]] = set()
        claimed: dict[int, _Claimed] = {}
        async with self._database.read() as session:
            ids = (await session.scalars(turns_in(self._database.dialect), {"now": now})).all()
            rows = (await session.execute(_rows_of(ids))).all()
        for row in rows:
            queue = (row.webhook_id, row.ticker)
            is_early = row.next_attempt_at is not None and row.next_attempt_at > now
            if row.lease is not None or is_early or queue in waiting:
                waiting.add(queue)
            else:
                claimed[row.id] = _Claimed(row.signal_id, row.user_id, *queue, row.request_id)
        return claimed

    async def _submit(self, signal: _Claimed, unpriced: PaperdeskError | None) -> None:
        """Have one executed; put it back where it could not even be tried."""
        acting.set(Actor(ActorKind.webhook, signal.webhook_id))
        request_id.set(signal.request_id)
        command = ExecuteSignal(
            signal.user_id,
            signal.signal_id,
            self._lease,
            self._venue,
            self._zone,
            unpriced if isinstance(unpriced, UnknownTicker) else None,
        )
        try:
            await self._ledger.submit(command)
        except (Busy, ReadOnly, UnknownOutcome) as error:
            await self._put_back(signal, error, was_tried=False)
        except Exception as error:
            log.exception("signal.not_executed", signal=signal.signal_id)
            await self._put_back(signal, error, was_tried=True)

    async def _put_back(self, signal: _Claimed, error: Exception, *, was_tried: bool) -> None:
        """Give a lease back, for a later try; the command gives up what broke off too often."""
        now: datetime = self._venue.clock.now()
        text = (
            str(error) if isinstance(error, PaperdeskError) else "The desk met an error of its own."
        )
        mine = (
            _SIGNALS.c.signal_id == signal.signal_id,
            _SIGNALS.c.status == SignalStatus.queued,
            _SIGNALS.c.lease == self._lease,
        )
        change: dict[Any, Any] = {"lease": None, "next_attempt_at": now + _PAUSE, "error": text}
        if not was_tried:
            change["attempts"] = _SIGNALS.c.attempts - 1
        async with self._leadership.write() as session:
            await session.execute(update(_SIGNALS).where(*mine).values(**change))


def _rows_of(ids: Sequence[int]) -> Executable:
    """Return the query for signals, in their order."""
    return (
        select(
            _SIGNALS.c.id,
            _SIGNALS.c.signal_id,
            _SIGNALS.c.user_id,
            _SIGNALS.c.webhook_id,
            _SIGNALS.c.ticker,
            _SIGNALS.c.lease,
            _SIGNALS.c.next_attempt_at,
            _SIGNALS.c.request_id,
        )
        .where(_SIGNALS.c.id.in_(ids))
        .order_by(_SIGNALS.c.id)
    )
