"""Which tickers the source knows, remembered for a while so that it is not asked each time."""

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta

from paperdesk.clock import Clock
from paperdesk.market.quotes import PriceSource

_KNOWN_FOR = timedelta(hours=6)
_UNKNOWN_FOR = timedelta(minutes=5)
_MOST_REMEMBERED = 10_000


class KnownTickers:
    """Asks the source whether a ticker exists, one question at a time, and remembers the answer."""

    def __init__(self, source: PriceSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._answers: OrderedDict[str, tuple[bool, datetime]] = OrderedDict()
        self._asking = asyncio.Lock()

    async def has(self, ticker: str) -> bool:
        """Say whether the source knows the ticker. Raises SourceUnavailable if it cannot tell."""
        if (answer := self._remembered(ticker)) is not None:
            return answer
        # A burst of questions about one ticker is one question to the source.
        async with self._asking:
            if (answer := self._remembered(ticker)) is not None:
                return answer
            answer = await self._source.knows(ticker)
            self._answers[ticker] = (answer, self._clock.now())
            self._answers.move_to_end(ticker)
            if len(self._answers) > _MOST_REMEMBERED:
                self._answers.popitem(last=False)
            return answer

    def _remembered(self, ticker: str) -> bool | None:
        if (answer := self._answers.get(ticker)) is None:
            return None
        known, at = answer
        age = abs(self._clock.now() - at)
        return known if age <= (_KNOWN_FOR if known else _UNKNOWN_FOR) else None
