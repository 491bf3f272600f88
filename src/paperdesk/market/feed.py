"""The market as the rest of the desk sees it: quotes kept fresh, stored, and streamed."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError, PriceUnavailable, UnknownTicker
from paperdesk.market.bars import BarMaker
from paperdesk.market.demand import Demand
from paperdesk.market.known import KnownTickers
from paperdesk.market.queries import stored_quotes
from paperdesk.market.quotes import (
    PriceSource,
    Quote,
    QuoteBoard,
    SourceUnavailable,
    Tick,
    parse_ticker,
)
from paperdesk.market.recorder import Recorder
from paperdesk.market.simulator import Simulator
from paperdesk.market.stream import PriceStream, price_event

PATIENCE: Final = 2.0
"""Seconds that a request waits for the first price of a ticker."""

RECORD_EVERY: Final = 5.0

log = structlog.get_logger()


class Market:
    """Prices every ticker that somebody needs, from one source.

    `board` has the latest quotes, `stream` the events for clients, `bars` the minutes that are not
    stored yet. `load` comes first; `run_feed` and `run_recorder` belong to the Supervisor.
    """

    def __init__(self, database: Database, source: PriceSource, clock: Clock) -> None:
        self.source = source
        self.board = QuoteBoard(clock, source.interval)
        self.bars = BarMaker()
        self.stream = PriceStream()
        self.as_of: datetime | None = None
        """When the source last answered."""
        self.outage: str | None = None
        """Why it does not answer at present."""
        self._database = database
        self.clock = clock
        self._demand = Demand(database, clock)
        self._known = KnownTickers(source, clock)
        self._recorder = Recorder(database, self.board, self.bars)
        self._asked = asyncio.Event()

    async def load(self) -> None:
        """Put the stored quotes on the board; they are stale until the source confirms them.

        The simulator goes on from them, unless a seed says that its run shall be repeated, and
        gives its first prices here, so that the desk never opens without any.
        """
        async with self._database.read() as session:
            quotes = [
                Quote(q.ticker, q.price, q.previous_price, q.timestamp, q.received_at, q.source)
                for q in await session.scalars(stored_quotes())
            ]
        self._recorder.knows(quotes)
        if not isinstance(self.source, Simulator):
            for quote in quotes:
                self.board.restore(quote)
            return
        if not self.source.repeats:
            self.source.start_at({quote.ticker: quote.price for quote in quotes})
            for quote in quotes:
                self.board.restore(quote)
        await self.tick()

    async def quote(self, ticker: str) -> Quote:
        """Return a fresh quote, waiting up to 2 s for a ticker that is not priced yet.

        Call it outside any transaction. Raises UnknownTicker if the source does not have the
        ticker, PriceUnavailable if no price came in that time.
        """
        ticker = parse_ticker(ticker)
        if quote := self.board.fresh(ticker):
            self._demand.ask(ticker)
            return quote
        try:
            async with asyncio.timeout(PATIENCE):
                known = self.board.latest(ticker) or await self._known.has(ticker)
                if not known:
                    raise UnknownTicker(
                        f"{self.source.name} has no ticker {ticker}. Check how it is spelled."
                    )
                if self._demand.ask(ticker):
                    self._asked.set()
                if quote := await self.board.wait_for(ticker, PATIENCE):
                    return quote
        except (TimeoutError, SourceUnavailable):
            pass
        reason = f" {self.outage}" if self.outage else ""
        raise PriceUnavailable(
            f"There is no current price of {ticker} from {self.source.name}.{reason} "
            "Nothing was done; try again in a few seconds."
        )

    async def last_known(self, ticker: str) -> Quote:
        """Return the latest quote however old, to show; waits, and raises, where there is none."""
        ticker = parse_ticker(ticker)
        if quote := self.board.latest(ticker):
            self._demand.ask(ticker)
            return quote
        return await self.quote(ticker)

    async def tick(self) -> None:
        """Price every ticker that is needed, once, and drop the others."""
        await self._demand.refresh()
        wanted = self._demand.wanted()
        for quote in self.board.all():
            if quote.ticker not in wanted:
                self.board.drop(quote.ticker)
        await self._price(wanted)

    async def run_feed(self) -> None:
        """Tick every `source.interval`, for ever; a ticker that is newly asked for comes at once.

        Ticks that were missed in a stall are left out, and the pace is kept after it.
        """
        interval = self.source.interval
        due = self.clock.now()
        while True:
            await self.tick()
            now = self.clock.now()
            due += ((now - due) // interval + 1) * interval
            while (left := min(due - now, interval)) > timedelta(0):
                if not await self._asked_within(left.total_seconds()):
                    break
                await self._price(
                    [t for t in self._demand.wanted() if self.board.latest(t) is None]
                )
                now = self.clock.now()

    async def run_recorder(self) -> None:
        """Store quotes and bars every 5 s, for ever."""
        while True:
            await self.clock.sleep(RECORD_EVERY)
            try:
                await self.flush()
            except (SQLAlchemyError, PaperdeskError) as error:
                log.warning("prices.not_stored", error=type(error).__name__)

    async def flush(self) -> None:
        """Store the quotes and bars that changed, in one short transaction."""
        await self._recorder.flush()

    async def close(self) -> None:
        """End the streams, store what is not stored, close the source. The feed has ended."""
        self.stream.close()
        try:
            await self.flush()
        finally:
            await self.source.close()

    async def _price(self, tickers: Collection[str]) -> None:
        try:
            ticks: Mapping[str, Tick] = await self.source.fetch(tickers) if tickers else {}
        except SourceUnavailable as error:
            if self.outage is None:
                log.warning("prices.outage", source=self.source.name, reason=str(error))
            self.outage = str(error)
        else:
            if self.outage is not None:
                log.info("prices.back", source=self.source.name)
            self.outage = None
            self.as_of = now = self.clock.now()
            for ticker, tick in ticks.items():
                last = self.board.latest(ticker)
                quote = self.board.put(ticker, tick, self.source.name, now)
                if quote and (last is None or last.timestamp != quote.timestamp):
                    self.bars.add(ticker, quote.price, quote.timestamp)
        self.stream.publish(price_event(self.board.all()))

    async def _asked_within(self, seconds: float) -> bool:
        """Sleep; say whether a new ticker was asked for before the time was over."""
        sleep = asyncio.ensure_future(self.clock.sleep(seconds))
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({sleep, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            asked.cancel()
        was_asked = self._asked.is_set()
        self._asked.clear()
        return was_asked
