"""Figures of performance for whoever asks: a curve is made once, in a thread, and kept.

A curve lasts until the account books something or the desk's day ends. Then the entries that are
new are read, and the curve is made anew. What moves between, the prices of now, is valued for each
who asks.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.views import AccountView
from paperdesk.market.closes import chunks, closes_from, last_closes
from paperdesk.market.quotes import QuoteBoard
from paperdesk.portfolio.performance.attribution import (
    Attribution,
    attribution_of,
    trades_by,
)
from paperdesk.portfolio.performance.benchmark import benchmark_prices
from paperdesk.portfolio.performance.closing import DayCloses
from paperdesk.portfolio.performance.curve import (
    FRESH,
    Curve,
    Worth,
    account_curve,
    followed_by,
    note_known,
    priced,
)
from paperdesk.portfolio.performance.events import Days, Events, instant_of, moment_of
from paperdesk.portfolio.performance.figures import (
    Figures,
    Span,
    figures_of,
)
from paperdesk.portfolio.performance.journal import entries_of, hash_of
from paperdesk.portfolio.performance.lines import Price
from paperdesk.portfolio.performance.parts import part_of, parts_by
from paperdesk.portfolio.performance.pricing import Pricing, until

MOST_ENTRIES: Final = 500_000
"""Entries of all accounts that are kept in memory, beside those of the one asked for last."""
_MOST_PARTS: Final = 16
_MOST_LOOKS: Final = 20_000
"""Prices that are looked up to know what an account was worth when money came or went."""
_GRACE: Final = timedelta(minutes=1)
"""How long after midnight a day is over: its last minute has to be stored first."""
_PAUSE: Final = 0.0005

T = TypeVar("T")
_Part = tuple[str | None, str | None, str | None]
_Parts = dict[str | None, Curve]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures: of a span (None for its open ends), of a part, beside a benchmark.

    Of the present `chapter`: since the account was opened or last reset.
    """

    start: datetime | None = None
    end: datetime | None = None
    ticker: str | None = None
    source: str | None = None
    strategy: str | None = None
    benchmark: str | None = None
    chapter: bool = False

    @property
    def part(self) -> _Part | None:
        """The ticker, source and strategy that are asked for; None for the whole account."""
        part = (self.ticker, self.source, self.strategy)
        return part if any(part) else None


@dataclass(frozen=True, slots=True)
class Told:
    """The figures, and of which time they are."""

    start: datetime
    end: datetime
    zone: Days
    figures: Figures


@dataclass(frozen=True, slots=True)
class Attributed:
    """What each part made, and in which time."""

    start: datetime
    end: datetime
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class _Seen:
    """A range of an account: from when to when, also as instants, and the prices at its ends.

    `until` is its end for what takes time, `bound` for what is booked: None where all of it counts.
    """

    start: datetime
    end: datetime
    starts: int
    until: int
    bound: int | None
    before: Mapping[str, Price]
    after: Mapping[str, Price]
    current: frozenset[str] | None
    whole_at_end: Worth
    ends: int

    def span(self, curve: Curve) -> Span:
        """Return the range of a curve of the account."""
        return Span(
            self.starts,
            self.until,
            self.bound,
            curve.worth_at(self.starts, self.before),
            curve.worth_at(self.ends, self.after, self.current),
            self.whole_at_end,
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """The curve of an account as of an entry of its journal, on a day; and of its parts.

    `minutes` is how often stored minutes had been changed by then.
    """

    sequence: int
    hash: str
    today: int
    minutes: int
    events: Events
    curve: Curve
    parts: OrderedDict[_Part, Curve] = field(default_factory=OrderedDict[_Part, Curve])
    by: dict[int, _Parts] = field(default_factory=dict[int, _Parts])


class Performance:
    """Makes and keeps the curves of accounts."""

    def __init__(
        self, database: Database, ledger: Ledger, board: QuoteBoard, clock: Clock, timezone: str
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._zone = ZoneInfo(timezone)
        self._pricing = Pricing(database, board, self._zone)
        # One thread for what takes long: several would only take the interpreter from the desk.
        self._thread = ThreadPoolExecutor(1, "paperdesk-performance")
        self._stopping = threading.Event()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._making: dict[str, asyncio.Task[_Kept]] = {}
        self._closes = DayCloses(self._zone)
        self._minutes = 0

    async def of(self, account_id: str, asked: Asked) -> Told:
        """Return the figures that are asked for. Raises NotFound where there is no such account."""
        kept = await self._current(account_id)
        curve = kept.curve if asked.part is None else await self._part(kept, asked.part)
        seen = await self._seen(kept.curve, [curve], asked)
        beside = await self._benchmark(asked.benchmark, kept.curve.days, seen)
        figures = await asyncio.to_thread(lambda: figures_of(curve, seen.span(curve), beside))
        return Told(seen.start, seen.end, kept.curve.days, figures)

    async def by(self, account_id: str, label: int, asked: Asked) -> Attributed:
        """Return what each source or strategy (a column of trades) made in a span.

        Raises NotFound where there is no such account.
        """
        kept = await self._current(account_id)
        parts = kept.by.get(label)
        if parts is None:
            parts = await asyncio.to_thread(parts_by, kept.curve, kept.events, label)
            kept.by[label] = parts
        seen = await self._seen(kept.curve, parts.values(), asked)

        def attribution() -> Attribution:
            trades = trades_by(kept.events, label, seen.starts, seen.bound)
            return attribution_of(kept.curve, parts, seen.span, trades)

        return Attributed(seen.start, seen.end, await asyncio.to_thread(attribution))

    async def _seen(self, whole: Curve, curves: Collection[Curve], asked: Asked) -> _Seen:
        """Return the range that is asked for, with the prices at its ends of what curves hold."""
        now = self._clock.now()
        end = min(asked.end or now, now)
        is_live = end == now
        earliest = moment_of(whole.chapter if asked.chapter else whole.first)
        start = min(max(asked.start or earliest, earliest), end)
        ends = max(instant_of(now), whole.end) if is_live else instant_of(end)
        starts = instant_of(start)
        # What one part sold to another is held by both, and not by the account.
        before = await self._pricing.at(starts, await asyncio.to_thread(_held, curves, starts))
        held = await asyncio.to_thread(_held, [whole, *curves], ends)
        current = None
        if is_live:
            after, current = await self._pricing.now(ends, held)
        else:
            after = await self._pricing.at(ends, held)
        return _Seen(
            start,
            end,
            starts,
            # What is booked right now counts, although no time has passed since.
            max(starts, instant_of(now)) if is_live else ends,
            None if is_live else ends,
            before,
            after,
            current,
            whole.worth_at(ends, after, current),
            ends,
        )

    @property
    def kept(self) -> list[str]:
        """The accounts whose curve is kept, that asked for last at the end."""
        return list(self._kept)

    async def make(self, account_id: str) -> None:
        """Have the curve of an account made, where it is not kept as of now. Raises NotFound."""
        await self._current(account_id)

    def forget(self, ticker: str | None) -> None:
        """Make curves anew: a ticker, or where none is named any, has other minutes of the past."""
        self._closes.forget(ticker)
        self._minutes += 1

    async def close(self) -> None:
        """Break off what is being made."""
        self._stopping.set()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    async def _current(self, account_id: str) -> _Kept:
        """Return the curve of an account as it is now. Who asks at the same time waits for one."""
        while True:
            view = await self._ledger.account(account_id)
            kept = self._kept.get(account_id)
            as_of = (view.sequence, view.head.hash, self._today(), self._minutes)
            if kept and (kept.sequence, kept.hash, kept.today, kept.minutes) == as_of:
                self._kept.move_to_end(account_id)
                return kept
            making = self._making.get(account_id)
            joined = making is not None
            if making is None:
                making = asyncio.create_task(self._make(view, kept), name="paperdesk-performance")
                self._making[account_id] = making
                making.add_done_callback(lambda made: self._ended(account_id, made))
            # Whoever goes away takes it from nobody else.
            kept = await asyncio.shield(making)
            if not joined or kept.sequence >= view.sequence:
                return kept

    def _ended(self, account_id: str, made: asyncio.Task[_Kept]) -> None:
        self._making.pop(account_id, None)
        if not made.cancelled():
            # Asked for, so that nothing is said of an error when nobody waits any more.
            made.exception()

    async def _make(self, view: AccountView, kept: _Kept | None) -> _Kept:
        made = await self._in_thread(lambda session: self._made(session, view, kept))
        self._kept[view.id] = made
        self._kept.move_to_end(view.id)
        entries = sum(each.events.count for each in self._kept.values())
        while entries > MOST_ENTRIES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            entries -= dropped.events.count
        return made

    def _made(self, session: Session, view: AccountView, kept: _Kept | None) -> _Kept:
        """Read and make a curve. Blocks."""
        minutes = self._minutes
        self._closes.look()
        if kept and not (
            kept.sequence <= view.sequence and hash_of(session, view.id, kept.sequence) == kept.hash
        ):
            kept = None
        known = kept.sequence if kept else 0
        entries = entries_of(session, view.id, known, view.sequence, self._breathe)
        events = (kept.events if kept else Events()).followed_by(entries)
        today = self._today()
        goes_on = kept is not None and (kept.today, kept.minutes) == (today, minutes)
        curve = followed_by(kept.curve, entries) if kept and goes_on else None
        flows = {flow.at for flow in curve.flows if flow.sequence > known} if curve else set[int]()
        if curve is None:
            curve = self._new(session, events)
            flows = {flow.at for flow in curve.flows}
        note_known(curve, self._prices_at(session, curve, flows))
        return _Kept(view.sequence, view.head.hash, today, minutes, events, curve)

    def _new(self, session: Session, events: Events) -> Curve:
        now = self._clock.now()
        first = instant_of(now) if events.first is None else events.first
        days = Days(self._zone, first, instant_of(now - _GRACE))
        curve = account_curve(events, days, first)
        self._closes.give(session, curve, self._breathe)
        return priced(curve)

    def _prices_at(
        self, session: Session, curve: Curve, instants: Collection[int]
    ) -> dict[int, dict[str, Price]]:
        """Return the fresh prices just before some instants, none of any where they are too many.

        What is held then and has no such price has none.
        """
        looks = [(at, until(ticker, at, FRESH)) for at in instants for ticker in curve.held_at(at)]
        if len(looks) > _MOST_LOOKS:
            return {}
        found: dict[int, dict[str, Price]] = {at: {} for at in instants}
        dialect = session.get_bind().dialect.name
        rest = iter([at for at, _ in looks])
        for some in chunks(stretch for _, stretch in looks):
            self._breathe()
            at = [next(rest) for _ in some]
            for close in closes_from(session.execute(last_closes(dialect, some))):
                price = Price(instant_of(close.at), close.price)
                found[at[close.stretch]][some[close.stretch].ticker] = price
        return found

    async def _part(self, kept: _Kept, part: _Part) -> Curve:
        curve = kept.parts.get(part)
        if curve is None:
            curve = await asyncio.to_thread(part_of, kept.curve, kept.events, *part)
            kept.parts[part] = curve
            if len(kept.parts) > _MOST_PARTS:
                kept.parts.popitem(last=False)
        return curve

    async def _benchmark(self, ticker: str | None, days: Days, seen: _Seen) -> list[Price] | None:
        """Return a benchmark's prices over a range; None where none is asked for."""
        if ticker is None:
            return None
        span = start, end = seen.starts, seen.until
        first = await self._pricing.last(ticker, start)
        first = first or await self._pricing.first(ticker, start, end)
        if seen.bound is None:
            last = self._pricing.quoted(end, [ticker])[0].get(ticker)
        else:
            last = await self._pricing.last(ticker, end)

        def closes_of(session: Session) -> list[Price]:
            self._closes.look()
            return self._closes.of(session, ticker, days, self._breathe)

        closes = await self._in_thread(closes_of)
        return benchmark_prices(closes, days, span, first=first, last=last)

    async def _in_thread(self, work: Callable[[Session], T]) -> T:
        def run() -> T:
            with self._database.long_read() as session:
                return work(session)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _breathe(self) -> None:
        if self._stopping.is_set():
            raise Busy("The desk is stopping. Ask again when it is back.")
        time.sleep(_PAUSE)

    def _today(self) -> int:
        return (self._clock.now() - _GRACE).astimezone(self._zone).toordinal()


def _held(curves: Iterable[Curve], instant: int) -> set[str]:
    """Return the tickers that any of some curves holds just before an instant."""
    return {ticker for curve in curves for ticker in curve.held_at(instant)}
