"""The market as the rest of the desk sees it: quotes kept fresh, stored, and streamed."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError, PriceUnavailable, UnknownTicker
from paperdesk.market.bars import BarMaker
from paperdesk.market.demand import Demand
from paperdesk.market.following import PRICES, WANTED, Follower
from paperdesk.market.known import KnownTickers
from paperdesk.market.quotes import (
    PriceSource,
    Quote,
    QuoteBoard,
    SourceUnavailable,
    Tick,
)
from paperdesk.market.recorder import Recorder
from paperdesk.market.simulator import Simulator
from paperdesk.market.stream import PriceStream, price_event
from paperdesk.market.tickers import TICKER, parse_ticker
from paperdesk.runtime.leader import Leadership
from paperdesk.runtime.tasks import happens_within

PATIENCE: Final = 2.0
"""Seconds that a request waits for the first price of a ticker."""

RECORD_EVERY: Final = 5.0

_NO_DATABASE: Final = "The database does not answer."

log = structlog.get_logger()


class Market:
    """Prices every ticker that somebody needs, from one source.

    `board` has the latest quotes, `stream` the events for clients, `bars` the minutes that are not
    stored yet. `load` comes first. Of several processes on a database one asks the source (`lead`,
    `run_recorder`), and the others show what it publishes (`follow`, `tell_demand`).
    """

    def __init__(
        self,
        database: Database,
        source: PriceSource,
        clock: Clock,
        leadership: Leadership | None = None,
    ) -> None:
        self.source = source
        self.board = QuoteBoard(clock, source.interval)
        self.bars = BarMaker()
        self.stream = PriceStream()
        self.as_of: datetime | None = None
        """When the source last answered."""
        self.outage: str | None = None
        """Why it does not answer at present."""
        self.clock = clock
        self._leadership = leadership or Leadership(database, clock)
        self._leadership.listen(PRICES, self._heard_prices)
        self._leadership.listen(WANTED, self._heard_wanted)
        self._follows = False
        self._demand = Demand(database, clock)
        self._known = KnownTickers(source, clock)
        self._recorder = Recorder(self._leadership, self.board, self.bars)
        self._follower = Follower(database, self.board, self._demand, clock)
        self._asked = asyncio.Event()
        self._heard_by: list[Callable[[Iterable[str]], None]] = []

    def tell(self, heard: Callable[[Iterable[str]], None]) -> None:
        """Call `heard` with the tickers of new prices, once they are on the board."""
        self._heard_by.append(heard)

    async def load(self, *, follows: bool = False) -> None:
        """Put the stored quotes on the board; they are stale until the source confirms them.

        The simulator goes on from them, unless a seed says that its run shall be repeated, and
        gives its first prices here, so that the desk never opens without any. A process that
        follows finds those of the one that leads.
        """
        self._follows = follows
        if follows:
            await self._show_published()
            return
        begins_anew = isinstance(self.source, Simulator) and self.source.repeats
        await self._go_on(shown=not begins_anew)
        if isinstance(self.source, Simulator):
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
                # The leading process may not have heard of it the first time.
                if self._demand.ask(ticker) or self._follows:
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

    async def lead(self) -> None:
        """Ask the source for ever, going on from what another process published, if one did."""
        if self._follows:
            await self._go_on(shown=True)
            await self._demand.refresh()
            wanted = self._demand.wanted()
            for quote in self.board.all():
                # Clients of the other processes asked for it, and will not say so again at once.
                if quote.ticker not in wanted:
                    self._demand.ask(quote.ticker)
            self._follows = False
        await self.run_feed()

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
                if not await happens_within(self._asked, left.total_seconds(), self.clock):
                    break
                self._asked.clear()
                await self._price(
                    [t for t in self._demand.wanted() if self.board.latest(t) is None]
                )
                now = self.clock.now()

    async def run_recorder(self) -> None:
        """Store quotes and bars every 5 s, for ever."""
        while True:
            await self.clock.sleep(RECORD_EVERY)
            await self._flush_if_possible()

    async def follow(self) -> None:
        """Show what the leading process publishes, for ever."""
        self._follows = True
        # From when this process led, if it did: the one that leads now has later ones.
        self.bars.saved(self.bars.unsaved())
        while True:
            try:
                await self._show_published()
            except (SQLAlchemyError, PaperdeskError, OSError):
                self._note_outage(_NO_DATABASE)
            await self._follower.next()

    async def tell_demand(self) -> None:
        """Tell the leading process what clients of this one ask for, for ever."""
        await self._follower.tell_demand(self._asked)

    async def flush(self) -> None:
        """Store the quotes and bars that changed, in one short transaction."""
        await self._recorder.flush()

    async def close(self) -> None:
        """End the streams, store what is not stored, close the source. The feed has ended.

        A desk stops in good order though the last prices cannot be stored: no trade needs them.
        """
        self.stream.close()
        try:
            if not self._follows:
                await self._flush_if_possible()
        finally:
            await self.source.close()

    async def _flush_if_possible(self) -> None:
        try:
            await self.flush()
        except (SQLAlchemyError, PaperdeskError, OSError) as error:
            log.warning("prices.not_stored", error=type(error).__name__)

    async def _price(self, tickers: Collection[str]) -> None:
        reason = None
        quotes: list[Quote] = []
        try:
            ticks: Mapping[str, Tick] = await self.source.fetch(tickers) if tickers else {}
        except SourceUnavailable as error:
            reason = str(error)
        else:
            self.as_of = now = self.clock.now()
            made = (self.board.next(t, tick, self.source.name, now) for t, tick in ticks.items())
            quotes = [quote for quote in made if quote]
        try:
            await self._put(quotes, reason)
        except (SQLAlchemyError, PaperdeskError, OSError):
            reason = _NO_DATABASE
        self._note_outage(reason)
        self.stream.publish(price_event(self.board.all()))

    async def _put(self, quotes: list[Quote], outage: str | None) -> None:
        last = {quote.ticker: quote.timestamp for quote in self.board.all()}
        if self._leadership.shared:
            await self._recorder.publish(quotes, outage or "")
        else:
            for quote in quotes:
                self.board.restore(quote)
        for heard in self._heard_by:
            heard(quote.ticker for quote in quotes)
        for quote in quotes:
            if last.get(quote.ticker) != quote.timestamp:
                self.bars.add(quote.ticker, quote.price, quote.timestamp)

    async def _go_on(self, *, shown: bool) -> None:
        """Begin where the stored quotes are: the recorder, and if `shown` board and simulator."""
        quotes = await self._follower.stored()
        self._recorder.knows(quotes)
        if not shown:
            return
        self._follower.show(quotes)
        if isinstance(self.source, Simulator):
            self.source.start_at({quote.ticker: quote.price for quote in quotes})

    async def _show_published(self) -> None:
        self._follower.show(await self._follower.stored())
        self.as_of = max((quote.received_at for quote in self.board.all()), default=self.as_of)
        self._note_outage(self._follower.outage())
        self.stream.publish(price_event(self.board.all()))

    def _note_outage(self, reason: str | None) -> None:
        if reason is not None and self.outage is None:
            log.warning("prices.outage", source=self.source.name, reason=reason)
        if reason is None and self.outage is not None:
            log.info("prices.back", source=self.source.name)
        self.outage = reason

    def _heard_prices(self, note: str) -> None:
        self._follower.heard(note)

    def _heard_wanted(self, message: str) -> None:
        """Take what clients of another process ask for."""
        if self._follows:
            return
        for ticker in filter(TICKER.fullmatch, message.split()):
            if self._demand.ask(ticker):
                self._asked.set()
