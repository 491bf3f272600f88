"""Which tickers must be priced: those of the books, and those that somebody asked for lately."""

from collections import OrderedDict
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError
from paperdesk.market.queries import tickers_of_the_books
from paperdesk.market.tickers import TICKER

_READ_AGAIN = timedelta(seconds=3)
_MOST_ASKED = 1_000
_FORGOTTEN_AFTER = timedelta(minutes=10)

log = structlog.get_logger()


class Demand:
    """The tickers that the feed has to price."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._books: frozenset[str] = frozenset()
        self._read_at: datetime | None = None
        self._asked: OrderedDict[str, datetime] = OrderedDict()

    def ask(self, ticker: str) -> bool:
        """Have a ticker priced for the next ten minutes; say whether that is new.

        Over a thousand such tickers, the one that was asked for least recently is dropped.
        """
        is_new = ticker not in self._books and ticker not in self._asked
        self._asked[ticker] = self._clock.now()
        self._asked.move_to_end(ticker)
        if len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)
        return is_new

    def asked_since(self, moment: datetime | None) -> list[str]:
        """Return what was asked for at that moment or later, None: all, the latest first."""
        return [
            ticker
            for ticker, asked in reversed(self._asked.items())
            if moment is None or asked >= moment
        ]

    async def refresh(self) -> None:
        """Read the books again if that was a few seconds ago; if they cannot be read, go on."""
        now = self._clock.now()
        if self._read_at is not None and abs(now - self._read_at) < _READ_AGAIN:
            return
        self._read_at = now
        try:
            async with self._database.read() as session:
                found = await session.scalars(tickers_of_the_books())
                self._books = frozenset(t for t in found if TICKER.fullmatch(t))
        except (SQLAlchemyError, PaperdeskError) as error:
            log.warning("prices.books_unread", error=type(error).__name__)

    def wanted(self) -> frozenset[str]:
        """Return every ticker to price now."""
        oldest = self._clock.now() - _FORGOTTEN_AFTER
        while self._asked and next(iter(self._asked.values())) < oldest:
            self._asked.popitem(last=False)
        return self._books.union(self._asked)
