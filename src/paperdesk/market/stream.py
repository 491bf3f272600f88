"""The price stream: one event for everybody, and only the newest."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from paperdesk.api.codec import encode, plain
from paperdesk.market.quotes import Quote

RETRY = b"retry: 1000\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


class PriceStream:
    """Hands the newest event to any number of subscribers.

    Nothing is queued: a subscriber that is slow misses events, and the next it gets is the newest.
    """

    def __init__(self, silence: float = 15.0) -> None:
        self.closed = False
        self._silence = silence
        self._event = b""
        self._version = 0
        self._changed = asyncio.Event()

    def publish(self, event: bytes) -> None:
        """Replace the newest event (a whole Server-Sent Event) and wake everybody."""
        self._event = event
        self._wake()

    def close(self) -> None:
        """End every subscription at once, also those to come."""
        self.closed = True
        self._wake()

    async def wait(self, seen: int) -> int:
        """Return the number of the newest event as soon as it is not `seen`; they begin at 1."""
        while self._version == seen and not self.closed:
            await self._changed.wait()
        return self._version

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Give the newest event, then each newer one; a comment when nothing came for long."""
        yield RETRY
        seen = 0
        while not self.closed:
            try:
                async with asyncio.timeout(self._silence):
                    seen = await self.wait(seen)
            except TimeoutError:
                yield KEEP_ALIVE
                continue
            if not self.closed:
                yield self._event

    def _wake(self) -> None:
        self._version += 1
        self._changed.set()
        # Those who wait hold the old one; setting it has already released them.
        self._changed = asyncio.Event()


def price_event(quotes: Iterable[Quote]) -> bytes:
    """Return the event that shows these quotes, by ticker."""
    rows = {
        quote.ticker: {
            "ticker": quote.ticker,
            "price": plain(quote.price),
            "previous_price": plain(quote.previous_price),
            "timestamp": quote.timestamp,
            "change": plain(quote.change),
            "change_percent": plain(quote.change_percent),
            "direction": quote.direction,
        }
        for quote in quotes
    }
    return b"data: " + encode(rows) + b"\n\n"
