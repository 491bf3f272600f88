"""Quotes: the latest price of each ticker, how old it is, and where prices come from."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from paperdesk.clock import Clock
from paperdesk.db.types import EXACT

SMALLEST_PRICE = Decimal("0.000000001")
LARGEST_PRICE = Decimal(1_000_000_000)
_PERCENT_PLACES = Decimal("0.0001")
_PRICE_PLACES = Decimal("0.000000001")
_LEAST_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Tick:
    """A price as a source gave it: US dollars, and when the market made it.

    `volume` is how many shares were traded since the tick before, where the source says so.
    """

    price: Decimal
    timestamp: datetime
    volume: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest price of a ticker, the one before it, and when the source last confirmed it.

    `volume` is how many shares were traded since the quote before, None where that is not known.
    """

    ticker: str
    price: Decimal
    previous_price: Decimal
    timestamp: datetime
    received_at: datetime
    source: str
    volume: Decimal | None = None

    @property
    def change(self) -> Decimal:
        """Price minus previous price, in US dollars."""
        return self.price - self.previous_price

    @property
    def change_percent(self) -> Decimal:
        """Change as a percentage of the previous price (1.5 is 1.5 %), to 4 places."""
        ratio = EXACT.divide(self.change * 100, self.previous_price)
        return ratio.quantize(_PERCENT_PLACES, ROUND_HALF_EVEN, EXACT)

    @property
    def direction(self) -> str:
        """Say up, down or flat, against the previous price."""
        if self.price == self.previous_price:
            return "flat"
        return "up" if self.price > self.previous_price else "down"


class PriceSource(Protocol):
    """Where prices come from."""

    name: str
    interval: timedelta
    """How often `fetch` is asked, and so how often a quote is confirmed."""

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Tick]:
        """Return the current price of those tickers that have one; leave out the others.

        Raises `SourceUnavailable` when nothing could be had this time.
        """
        ...

    async def knows(self, ticker: str) -> bool:
        """Say whether there is such a ticker. Raises `SourceUnavailable` when that is unknown."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class SourceUnavailable(Exception):
    """The source could not be asked now."""


class AskLater(SourceUnavailable):
    """The source wants to be left alone for so many seconds."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


def usable(price: Decimal) -> bool:
    """Say whether a price may ever be used: finite, positive, within the desk's limits."""
    return price.is_finite() and SMALLEST_PRICE <= price <= LARGEST_PRICE


class _Waiting:
    """The tasks that wait for the next quote of one ticker."""

    __slots__ = ("put", "tasks")

    def __init__(self) -> None:
        self.put = asyncio.Event()
        self.tasks = 0


class QuoteBoard:
    """The latest quote of every priced ticker. Read from any thread, written by the feed."""

    def __init__(self, clock: Clock, interval: timedelta) -> None:
        self._clock = clock
        self._quotes: dict[str, Quote] = {}
        self._waiting: dict[str, _Waiting] = {}
        self.patience = max(_LEAST_PATIENCE, 3 * interval)
        """How old a quote may be before it is stale."""
        self.version = 0
        """Grows with every change of the board."""

    def put(self, ticker: str, tick: Tick, source: str, received_at: datetime) -> Quote | None:
        """Take a new price; one that may never be used is dropped, and None returned."""
        quote = self.next(ticker, tick, source, received_at)
        if quote is not None:
            self.restore(quote)
        return quote

    def next(self, ticker: str, tick: Tick, source: str, received_at: datetime) -> Quote | None:
        """Return the quote that a new price leads to, None if it may never be used."""
        if not usable(tick.price):
            return None
        price = tick.price.quantize(_PRICE_PLACES, ROUND_HALF_EVEN, EXACT)
        last = self._quotes.get(ticker)
        if last is None or last.source != source:
            previous = price
        elif (last.price, last.timestamp) == (price, tick.timestamp):
            # The same tick once more, as between two trades: confirmed, but not a new price.
            previous = last.previous_price
        else:
            previous = last.price
        return Quote(ticker, price, previous, tick.timestamp, received_at, source, tick.volume)

    def restore(self, quote: Quote) -> None:
        """Put a quote on the board as it is, such as one that another run or process stored."""
        self._quotes[quote.ticker] = quote
        self.version += 1
        if waiting := self._waiting.get(quote.ticker):
            waiting.put.set()

    def latest(self, ticker: str) -> Quote | None:
        """Return the last known quote, however old."""
        return self._quotes.get(ticker)

    def price_of(self, ticker: str) -> Decimal | None:
        """Return the last known price, however old."""
        quote = self._quotes.get(ticker)
        return None if quote is None else quote.price

    def fresh(self, ticker: str) -> Quote | None:
        """Return the quote if it is not stale: only such a one may fill or value anything."""
        quote = self._quotes.get(ticker)
        return quote if quote and self.is_fresh(quote) else None

    def is_fresh(self, quote: Quote, at: datetime | None = None) -> bool:
        """Say whether the source confirmed the quote recently enough, now or at another instant."""
        # A clock set back must not make an old quote young: the age counts in both directions.
        return abs((at or self._clock.now()) - quote.received_at) <= self.patience

    def now(self) -> datetime:
        """Return the current instant, for whoever asks of many quotes whether they are fresh."""
        return self._clock.now()

    def all(self) -> list[Quote]:
        """Return every quote, by ticker."""
        # One copy in one step: the feed may put and drop while another thread reads.
        return sorted(self._quotes.values(), key=lambda quote: quote.ticker)

    def drop(self, ticker: str) -> None:
        """Forget a ticker that is no longer priced."""
        self._quotes.pop(ticker, None)
        self.version += 1

    async def wait_for(self, ticker: str, seconds: float) -> Quote | None:
        """Return a fresh quote as soon as there is one, None if none comes in that time."""
        waiting = self._waiting.setdefault(ticker, _Waiting())
        waiting.tasks += 1
        try:
            async with asyncio.timeout(seconds):
                while (quote := self.fresh(ticker)) is None:
                    waiting.put.clear()
                    await waiting.put.wait()
                return quote
        except TimeoutError:
            return None
        finally:
            waiting.tasks -= 1
            if not waiting.tasks:
                self._waiting.pop(ticker, None)
