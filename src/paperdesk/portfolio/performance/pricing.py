"""What tickers cost at an instant: by the latest quotes, or by the stored minutes before it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Select

from paperdesk.db.engine import Database
from paperdesk.db.types import PRICE_SCALE, units_of
from paperdesk.market.closes import (
    MINUTE,
    Stretch,
    chunks,
    closes_from,
    first_closes,
    last_closes,
)
from paperdesk.market.quotes import QuoteBoard
from paperdesk.portfolio.performance.events import instant_of, moment_of
from paperdesk.portfolio.performance.lines import Price

BACK: Final = timedelta(days=7)
"""How old a price of now, or of a benchmark, may be."""
_INSTANT: Final = timedelta(microseconds=1)

_Select = Callable[[str, Sequence[Stretch]], Select[Any]]


class Pricing:
    """Looks up prices for whoever values a curve. They are the same for all parts of an account."""

    def __init__(self, database: Database, board: QuoteBoard, zone: ZoneInfo) -> None:
        self._database = database
        self._board = board
        self._zone = zone

    async def at(self, instant: int, tickers: Collection[str]) -> dict[str, Price]:
        """Return the price that each ticker had in the stored minutes of a day until an instant."""
        return await self._last([until(t, instant, self._of_day(instant)) for t in tickers])

    async def now(
        self, instant: int, tickers: Collection[str]
    ) -> tuple[dict[str, Price], frozenset[str]]:
        """Return the latest prices, and the tickers whose quote is fresh: that is of now.

        What has no quote, as where no account holds it, has the price of its last stored minute.
        """
        found, current = self.quoted(instant, tickers)
        missing = [ticker for ticker in tickers if ticker not in found]
        return found | await self._last([until(t, instant, BACK) for t in missing]), current

    def quoted(
        self, instant: int, tickers: Iterable[str]
    ) -> tuple[dict[str, Price], frozenset[str]]:
        """Return the latest quotes, and the tickers whose quote is fresh."""
        now = self._board.now()
        found: dict[str, Price] = {}
        current: set[str] = set()
        for ticker in tickers:
            quote = self._board.latest(ticker)
            if quote is None:
                continue
            is_fresh = self._board.is_fresh(quote, now)
            at = instant if is_fresh else instant_of(quote.received_at)
            found[ticker] = Price(at, units_of(quote.price, PRICE_SCALE))
            if is_fresh:
                current.add(ticker)
        return found, frozenset(current)

    async def last(self, ticker: str, instant: int) -> Price | None:
        """Return the price of the last minute that was over at an instant, not much older."""
        return (await self._last([until(ticker, instant, BACK)])).get(ticker)

    async def first(self, ticker: str, start: int, end: int) -> Price | None:
        """Return the price of the first minute that was over after one instant, until another."""
        since = moment_of(start) - MINUTE + _INSTANT
        minutes = Stretch(ticker, since, moment_of(end) - MINUTE + _INSTANT)
        return (await self._found(first_closes, [minutes])).get(ticker)

    async def _last(self, stretches: Iterable[Stretch]) -> dict[str, Price]:
        return await self._found(last_closes, stretches)

    async def _found(self, which: _Select, stretches: Iterable[Stretch]) -> dict[str, Price]:
        found: dict[str, Price] = {}
        for some in chunks(stretches):
            async with self._database.read() as session:
                rows = await session.execute(which(self._database.dialect, some))
            for close in closes_from(rows):
                price = Price(instant_of(close.at), close.price)
                found[some[close.stretch].ticker] = price
        return found

    def _of_day(self, instant: int) -> timedelta:
        """Return how much of an instant's day has passed."""
        moment = moment_of(instant).astimezone(self._zone)
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return moment_of(instant) - midnight.astimezone(UTC)


def until(ticker: str, instant: int, back: timedelta) -> Stretch:
    """Return the minutes that were over at an instant, and began so long before it."""
    moment: datetime = moment_of(instant)
    return Stretch(ticker, moment - back, moment - MINUTE + _INSTANT)
