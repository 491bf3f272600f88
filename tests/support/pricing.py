"""A price source that says what a test tells it to, and clocks to pace a feed."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from paperdesk.clock import ManualClock
from paperdesk.market.quotes import SourceUnavailable, Tick


class Enough(Exception):
    """The source was asked as often as the test wanted."""


class ScriptedSource:
    """Gives the prices in `prices`, as of the clock; unavailable while `down` says why."""

    name = "scripted"

    def __init__(self, clock: ManualClock, **prices: str) -> None:
        self.clock = clock
        self.interval = timedelta(seconds=1)
        self.prices = {ticker: Decimal(price) for ticker, price in prices.items()}
        self.timestamp: datetime | None = None
        self.down: str | None = None
        self.takes = timedelta(0)
        self.asked: list[tuple[datetime, frozenset[str]]] = []
        self.questions: list[str] = []
        self.enough_after: int | None = None
        self.closed = False
        self.was_asked = asyncio.Event()

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Tick]:
        if self.enough_after is not None and len(self.asked) >= self.enough_after:
            raise Enough
        self.asked.append((self.clock.now(), frozenset(tickers)))
        self.was_asked.set()
        self.clock.advance(self.takes)
        if self.down is not None:
            raise SourceUnavailable(self.down)
        at = self.timestamp or self.clock.now()
        return {t: Tick(self.prices[t], at) for t in tickers if t in self.prices}

    async def knows(self, ticker: str) -> bool:
        self.questions.append(ticker)
        await asyncio.sleep(0)
        if self.down is not None:
            raise SourceUnavailable(self.down)
        return ticker in self.prices

    async def close(self) -> None:
        self.closed = True


class SleeplessClock(ManualClock):
    """A clock whose sleepers are never woken, so that only events move a loop on."""

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - whatever it is
        await asyncio.Event().wait()
