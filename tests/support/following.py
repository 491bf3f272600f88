"""Somebody who follows an account's events, and notes what comes."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from paperdesk.events.feed import Feed


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as it came."""

    id: str
    kind: str
    data: Any


def parsed(block: str) -> Seen | None:
    """Return the event of a block of a stream; None for a comment and for what has no data."""
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    if "data" not in fields:
        return None
    data = json.loads(fields["data"], parse_float=Decimal)
    return Seen(fields["id"], fields["event"], data)


class Follower:
    """What came so far."""

    def __init__(self) -> None:
        self.text = ""
        self.events: list[Seen] = []
        self.ended = False
        self._came = asyncio.Event()

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def last_id(self) -> str:
        """What a browser would send when it connects again."""
        ids = [line for line in self.text.splitlines() if line.startswith("id: ")]
        return ids[-1].removeprefix("id: ")

    def of(self, kind: str) -> list[Any]:
        return [event.data for event in self.events if event.kind == kind]

    async def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._came.clear()
                await self._came.wait()

    async def silent(self, seconds: float = 0.3) -> None:
        """Wait for as long as something that was not to come would have needed."""
        await asyncio.sleep(seconds)

    async def read(self, chunks: AsyncGenerator[bytes]) -> None:
        async with aclosing(chunks):
            async for chunk in chunks:
                self.take(chunk)
        self.ended = True
        self._came.set()

    def take(self, chunk: bytes) -> None:
        """Take whole events."""
        assert chunk.endswith(b"\n\n")
        self.text += chunk.decode()
        blocks: Iterable[str] = chunk.decode().split("\n\n")
        self.events += [event for block in blocks if (event := parsed(block))]
        self._came.set()


@asynccontextmanager
async def following(
    feed: Feed,
    account_id: str = "default",
    last_event_id: str | None = None,
) -> AsyncIterator[Follower]:
    """Follow an account while the block runs."""
    follower = Follower()
    chunks = feed.follow(account_id, last_event_id)
    reading = asyncio.create_task(follower.read(chunks))
    try:
        await follower.until(lambda: follower.text)
        yield follower
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
