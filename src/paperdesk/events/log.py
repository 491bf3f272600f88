"""The latest events of the followed accounts, within a bound of events and bytes for all of them.

A stream has no queue of its own. It remembers the number of the last event that it sent, and takes
what came after it from its account's log: what it missed while it was away, while it was slow and
since a moment ago are one and the same. So a client that never reads costs no more than one number.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import structlog

from paperdesk.events.event import Event, Kind

MOST_EVENTS: Final = 10_000
"""Events that are kept for all accounts together."""

MOST_BYTES: Final = 8 * 1024 * 1024
"""Bytes that they may take."""

CHUNK: Final = 64 * 1024
"""Bytes after which a stream sends what it has; a client that does not read holds one of them."""

NOT_WRITTEN: Final = 2048
"""Bytes that an event counts for while it is held as objects, which is about what those take."""

Encode = Callable[[Any], bytes]
"""Returns the JSON of an answer, without line breaks."""

log = structlog.get_logger()


class Kept:
    """An event with its number; written when the first stream wants it, and once for all."""

    __slots__ = ("_data", "_written", "kind", "name", "number", "size", "version")

    def __init__(self, event: Event, number: int) -> None:
        self.number = number
        self.kind: Kind = event.kind
        self.name = (event.kind, event.key)
        self.version = event.version
        self.size = len(event.data) if isinstance(event.data, bytes) else NOT_WRITTEN
        self._data: Any = event.data
        self._written: bytes | None = None

    def written(self, prefix: str, encode: Encode) -> bytes:
        """Return the Server-Sent Event. One that cannot be written is nothing, and is logged."""
        if self._written is None:
            data, self._data = self._data, None
            try:
                if not isinstance(data, bytes):
                    data = encode(data() if callable(data) else data)
                head = f"id: {prefix}-{self.number}\nevent: {self.kind}\ndata: "
                self._written = head.encode() + data + b"\n\n"
            except Exception:
                # Of whoever gave it; it must not end the streams of everybody else.
                log.exception("event.not_written", kind=self.kind, key=self.name[1])
                self._written = b""
            self.size = len(self._written)
        return self._written


class Log:
    """What happened on one account: the newest event of each thing, in the order of their numbers.

    `head` is the number of the last event. Whoever has seen `floor` or more has missed nothing that
    is no longer here; a number is only good for the log whose `id` it came with.
    """

    def __init__(self, kept: "Memory") -> None:
        self.id = secrets.token_hex(8)
        self.head = 0
        self.floor = 0
        self.streams = 0
        """How many follow it."""
        self.idle_beats = 0
        """How many beats ago the last one went."""
        self.changed = asyncio.Event()
        self._memory = kept
        self._events: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def append(self, event: Event) -> None:
        """Take an event; an earlier one of the same thing is forgotten, as nobody needs it."""
        earlier = self._events.get((event.kind, event.key))
        if earlier is not None:
            if event.version is not None and event.version < earlier.version:
                return
            self._memory.forget(earlier)
            del self._events[earlier.name]
        self.head += 1
        kept = Kept(event, self.head)
        self._events[kept.name] = kept
        self._memory.keep(kept, self)

    def evict(self, kept: Kept) -> None:
        """Let go of the oldest event: who has not seen it yet has missed something."""
        del self._events[kept.name]
        self.floor = kept.number

    def begin_anew(self) -> None:
        """Forget everything: what happened is not known, so whoever follows must read again."""
        for kept in self._events.values():
            self._memory.forget(kept)
        self._events.clear()
        self.head += 1
        self.floor = self.head

    def number_of(self, event_id: str) -> int | None:
        """Return the number in the id of an event after which the log can go on, else None."""
        name, _, digits = event_id.rpartition("-")
        if name != self.id or not (digits.isascii() and digits.isdigit() and len(digits) < 19):  # noqa: PLR2004 - a number of 64 bits has less
            return None
        number = int(digits)
        return number if self.floor <= number <= self.head else None

    def after(self, seen: int, encode: Encode) -> tuple[bytes, int]:
        """Return what came after the event `seen`, up to a chunk of it, and the last number of it.

        Nothing where nothing came.
        """
        if seen == self.head:
            return b"", seen
        missed: list[Kept] = []
        for kept in reversed(self._events.values()):
            if kept.number <= seen:
                break
            missed.append(kept)
        parts: list[bytes] = []
        size = 0
        for kept in reversed(missed):
            parts.append(self._memory.written(kept, self.id, encode))
            size += len(parts[-1])
            seen = kept.number
            if size >= CHUNK:
                break
        return b"".join(parts), seen

    def wake(self) -> None:
        """Let all streams look at what there is."""
        self.changed.set()
        # Those who wait hold the old one; setting it has already released them.
        self.changed = asyncio.Event()


class Memory:
    """All kept events, the oldest first, with what they take together."""

    def __init__(self, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self.size = 0
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Kept, Log] = OrderedDict()

    def __len__(self) -> int:
        """Return how many events are kept."""
        return len(self._kept)

    def keep(self, kept: Kept, of: Log) -> None:
        """Keep the newest event."""
        self._kept[kept] = of
        self.size += kept.size

    def forget(self, kept: Kept) -> None:
        """Forget an event that its log no longer has."""
        del self._kept[kept]
        self.size -= kept.size

    def written(self, kept: Kept, prefix: str, encode: Encode) -> bytes:
        """Return an event as it is sent, and count what it takes now."""
        before = kept.size
        written = kept.written(prefix, encode)
        self.size += kept.size - before
        return written

    def trim(self) -> None:
        """Let go of the oldest events until the rest is within the bounds."""
        while len(self._kept) > self._most_events or self.size > self._most_bytes:
            kept, of = self._kept.popitem(last=False)
            self.size -= kept.size
            of.evict(kept)
