"""The prices of the followed stocks from the desk's own feed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from paperdesk.db.types import EXACT
from paperdesk.market.feed import Market
from paperdesk.market.quotes import SourceUnavailable
from paperdesk.research.stock_source import Found

_SHORTEST_COUNT: Final = timedelta(seconds=1)
"""Over less than this, a pace would be chance."""


@dataclass(slots=True)
class _Count:
    """Shares that changed hands since an instant, and when that was last heard."""

    since: datetime
    heard: datetime
    volume: Decimal | None = None


class DeskPrices:
    """The prices that the desk trades at: its feed has all of them, and asks nobody again.

    Volumes are those of the feed's ticks since the fetch before, counted where the feed runs.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._counts: dict[str, _Count] = {}
        market.tell(self._heard)

    @property
    def name(self) -> str:
        """What the desk's own source is called."""
        return self._market.source.name

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Found]:
        """Return the fresh quotes of these stocks."""
        found: dict[str, Found] = {}
        for ticker in tickers:
            if quote := self._market.board.fresh(ticker):
                volume, pace = self._traded(ticker)
                found[ticker] = Found(quote.price, volume, pace, quote.source)
        if not found:
            raise SourceUnavailable(
                self._market.outage or f"{self.name} has no current price of any stock."
            )
        return found

    def _heard(self, tickers: Iterable[str]) -> None:
        now = self._market.clock.now()
        for ticker in tickers:
            count = self._counts.get(ticker)
            if count is None or self._is_broken_off(count, now):
                # What was traded before is not known, so this tick's volume is left out.
                self._counts[ticker] = _Count(now, now)
                continue
            count.heard = now
            quote = self._market.board.latest(ticker)
            if quote is not None and quote.volume is not None:
                count.volume = (count.volume or Decimal(0)) + quote.volume

    def _traded(self, ticker: str) -> tuple[Decimal | None, Decimal | None]:
        """Return the shares that were traded since the last time, and how many a second."""
        now = self._market.clock.now()
        count = self._counts.get(ticker)
        if count is None or self._is_broken_off(count, now) or now - count.since < _SHORTEST_COUNT:
            return None, None
        self._counts[ticker] = _Count(now, now)
        if count.volume is None:
            return None, None
        seconds = Decimal((now - count.since) // timedelta(microseconds=1)) / 1_000_000
        return count.volume, EXACT.divide(count.volume, seconds)

    def _is_broken_off(self, count: _Count, now: datetime) -> bool:
        """Say whether ticks were missed: another process led meanwhile, or the source was away."""
        return abs(now - count.heard) > self._market.board.patience
