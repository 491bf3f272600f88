"""Following: the prices that another process publishes, and telling it what is asked for here.

The leading process stores its quotes and then says so on one channel; those that follow read them.
They say on the other what their clients ask for. Both channels are PostgreSQL's NOTIFY.
"""

import asyncio
from collections.abc import Collection
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError
from paperdesk.market.demand import Demand
from paperdesk.market.queries import stored_quotes
from paperdesk.market.quotes import Quote, QuoteBoard
from paperdesk.runtime.tasks import happens_within

PRICES: Final = "paperdesk_prices"
WANTED: Final = "paperdesk_wanted"

SILENCE: Final = 2.0
"""Seconds after which quotes are read without being told to: a notification may be lost."""

_TELL_AGAIN: Final = 30.0
_TICKERS_A_MESSAGE: Final = 400
"""A payload is shorter than 8000 bytes, and a ticker with its space has at most 18."""

log = structlog.get_logger()


class Follower:
    """Keeps a board as the leading process's is."""

    def __init__(self, database: Database, board: QuoteBoard, demand: Demand, clock: Clock) -> None:
        self._database = database
        self._board = board
        self._demand = demand
        self._clock = clock
        self._published = asyncio.Event()
        self._note = ""

    def heard(self, note: str) -> None:
        """Take a notification: quotes were stored; `note` says why not, if the source is out."""
        self._note = note
        self._published.set()

    async def next(self) -> None:
        """Wait until quotes were published; not for ever."""
        await happens_within(self._published, SILENCE, self._clock)
        # Cleared before reading: what comes meanwhile leads to one more reading.
        self._published.clear()

    async def stored(self) -> list[Quote]:
        """Return the quotes that were stored last, by this process or another."""
        async with self._database.read() as session:
            return [
                Quote(
                    q.ticker,
                    q.price,
                    q.previous_price,
                    q.timestamp,
                    q.received_at,
                    q.source,
                    q.volume,
                )
                for q in await session.scalars(stored_quotes())
            ]

    def show(self, quotes: Collection[Quote]) -> None:
        """Put quotes on the board as they are, with their own times, and drop the others."""
        for ticker in {q.ticker for q in self._board.all()} - {q.ticker for q in quotes}:
            self._board.drop(ticker)
        for quote in quotes:
            self._board.restore(quote)

    def outage(self) -> str | None:
        """Return why there are no fresh prices: the leading process knows, or there is none."""
        if self._note:
            return self._note
        if any(self._board.is_fresh(quote) for quote in self._board.all()):
            return None
        return "No process publishes prices at present."

    async def tell_demand(self, asked: asyncio.Event) -> None:
        """Tell the leading process what is asked for here: when it is new, and again, for ever."""
        since = None
        while True:
            now = self._clock.now()
            if tickers := self._demand.asked_since(since):
                try:
                    await self._tell(tickers)
                except (SQLAlchemyError, PaperdeskError, OSError) as error:
                    log.warning("prices.demand_untold", error=type(error).__name__)
                else:
                    since = now
            await happens_within(asked, _TELL_AGAIN, self._clock)
            asked.clear()

    async def _tell(self, tickers: Collection[str]) -> None:
        ordered = sorted(tickers)
        async with self._database.write() as session:
            for first in range(0, len(ordered), _TICKERS_A_MESSAGE):
                message = " ".join(ordered[first : first + _TICKERS_A_MESSAGE])
                await session.execute(select(func.pg_notify(WANTED, message)))
