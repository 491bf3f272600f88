"""The feed: one resumable stream per browser with everything that happens on one account.

Whoever changes something says so in its transaction, and it is told once that has committed:

    event = Event(account_id, "job", job.id, JobAnswer.model_validate(job))
    await session.run_sync(feed.tell, event)

From a plain session it is `feed.tell(session, event)`, from a command of the ledger
`books.tell(event)`. What is rolled back is never told, and on PostgreSQL every process hears of it.
`feed.publish(event)` tells the streams of this process alone, and at once: for what is committed
already and concerns nobody else, or is never stored, such as an answer while it is written.

An event is told with its newest data: who is slow, or was away, gets of several events with one
kind and key only the last. So let the key be the id of the thing, and the data all that it is now.

On SQLite what was committed is handed to the event loop. On PostgreSQL everything goes through
NOTIFY, also to the streams of the process that sends it: so it is told once, and all processes tell
what happened on an account in the order of the commits. What the ledger books is told by name
(`refer`), because a process where nobody follows the account then needs neither to write it nor to
read it; the process itself keeps what it named for its own streams.
"""

import asyncio
import secrets
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final, TypeGuard

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from paperdesk.clock import Clock
from paperdesk.events import wire
from paperdesk.events.committing import when_committed
from paperdesk.events.event import Event
from paperdesk.events.log import MOST_BYTES, MOST_EVENTS, Encode, Log, Memory

BEAT: Final = 15.0
"""Seconds between two comments that keep a connection open."""

LINGER: Final = 4
"""Beats for which an account's events are kept that nobody follows any more."""

KEEP_ALIVE: Final = b": keep-alive\n\n"

_LONGEST_BACKLOG: Final = 10_000
"""Notifications that wait to be read; of more it is only known that they came."""

_MOST_OWN: Final = 4_096
"""Events of this process whose notifications are still on their way back to it."""

Read = Callable[[Sequence[Event]], Awaitable[Iterable[Event]]]
"""Returns events that were told by name with what they are about, in their order."""


class Feed:
    """The events of the accounts that somebody follows. To be made in the loop that serves them.

    `encode` writes the JSON of an event's data. `shared` says that other processes may be on the
    same database, which tell each other through PostgreSQL.
    """

    def __init__(
        self,
        encode: Encode,
        *,
        shared: bool = False,
        most_events: int = MOST_EVENTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.closed = False
        self.shared = shared
        self.memory = Memory(most_events, most_bytes)
        self._encode = encode
        self._loop = asyncio.get_running_loop()
        self._logs: dict[str, Log] = {}
        self._beats = 0
        self._own: OrderedDict[str, Sequence[Event]] = OrderedDict()
        self._tokens = (f"{secrets.token_hex(6)}-{number:x}" for number in count())
        self._heard: list[str] = []
        self._pieces: list[str] = []
        self._woken = asyncio.Event()

    def is_followed(self, account_id: str) -> bool:
        """Say, in any thread, whether anybody follows an account or did so a moment ago."""
        return account_id in self._logs

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(log.streams for log in self._logs.values())

    def publish(self, *events: Event) -> None:
        """Tell the streams of this process, from any thread; other processes do not hear of it."""
        followed = [event for event in events if event.account_id in self._logs]
        if not followed:
            return
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._take(followed)
        else:
            # A loop that was closed has nobody left who follows.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._take, followed)

    def tell(self, session: Session, *events: Event) -> None:
        """Tell every process of events, when the session's transaction commits."""
        if self.shared:
            self.send(session, events)
        else:
            when_committed(session, events, self.publish)

    def send(self, connection: Connection | Session, events: Sequence[Event]) -> None:
        """Tell every process on a PostgreSQL of events, when the transaction commits."""
        payloads: list[str] = []
        for event in events:
            payloads += wire.by_value(event, _json(event.data, self._encode))
        wire.notify(connection, payloads)

    def refer(self, connection: Connection, events: Sequence[Event]) -> None:
        """Tell every process on a PostgreSQL by name of events, when the transaction commits."""
        payloads: list[str] = []
        for account_id, of_account in _by_account(events).items():
            if len(of_account) > wire.MOST_AT_ONCE:
                payloads.append(wire.many(account_id))
                continue
            for first in range(0, len(of_account), wire.KEYS_A_PAYLOAD):
                some = of_account[first : first + wire.KEYS_A_PAYLOAD]
                token = next(self._tokens)
                payloads.append(wire.by_name(token, some))
                if account_id in self._logs:
                    self._own[token] = some
        # What is still here was rolled back, or is heard late and read like another process's.
        while sum(map(len, self._own.values())) > _MOST_OWN:
            self._own.popitem(last=False)
        wire.notify(connection, payloads)

    def heard(self, payload: str) -> None:
        """Take what a process of the database told, this one among them."""
        if not self._logs:
            return
        self._heard.append(payload)
        if len(self._heard) > _LONGEST_BACKLOG:
            self._heard.clear()
            self.begin_anew()
        self._woken.set()

    async def receive(self, read: Read) -> None:
        """Tell the streams what is heard from all processes, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            heard, self._heard = self._heard, []
            try:
                self._take(await self._understood(heard, read))
            except BaseException:
                # Nobody knows what was in it: whoever follows reads again.
                self.begin_anew()
                raise

    def begin_anew(self) -> None:
        """Have every stream say that its client must read again, as something may be missing."""
        for log in self._logs.values():
            log.begin_anew()
            log.wake()

    async def beat(self, clock: Clock) -> None:
        """Keep all connections open and forget accounts that nobody follows, for ever."""
        while True:
            await clock.sleep(BEAT)
            self._beats += 1
            for account_id, log in list(self._logs.items()):
                log.idle_beats = 0 if log.streams else log.idle_beats + 1
                if log.idle_beats > LINGER:
                    log.begin_anew()
                    del self._logs[account_id]
                log.wake()

    def close(self) -> None:
        """End every stream at once, also those to come."""
        self.closed = True
        for log in self._logs.values():
            log.wake()

    async def follow(
        self, account_id: str, last_event_id: str | None = None
    ) -> AsyncGenerator[bytes]:
        """Give what happens on an account from now on, or after an earlier event, as it happens."""
        log = self._logs.get(account_id)
        if log is None:
            log = self._logs[account_id] = Log(self.memory)
        log.streams += 1
        try:
            seen, beats = log.head, self._beats
            if not last_event_id:
                yield f"retry: 1000\nid: {log.id}-{seen}\n\n".encode()
            elif (earlier := log.number_of(last_event_id)) is None:
                yield b"retry: 1000\n\n" + _reset(log, seen)
            else:
                seen = earlier
                yield b"retry: 1000\n\n"
            while not self.closed:
                if beats != self._beats:
                    beats = self._beats
                    yield KEEP_ALIVE
                elif seen < log.floor:
                    seen = log.head
                    yield _reset(log, seen)
                elif seen != log.head:
                    chunk, seen = log.after(seen, self._encode)
                    self.memory.trim()
                    if chunk:
                        yield chunk
                else:
                    await log.changed.wait()
        finally:
            log.streams -= 1

    def _take(self, events: Sequence[Event | wire.Many]) -> None:
        """Put events into the logs of their accounts, and wake whoever follows those."""
        counts = Counter(event.account_id for event in events)
        touched = {name: log for name in counts if (log := self._logs.get(name)) is not None}
        many = {name for name in touched if counts[name] > wire.MOST_AT_ONCE}
        many.update(event.account_id for event in events if isinstance(event, wire.Many))
        for event in events:
            if event.account_id in touched and event.account_id not in many:
                assert isinstance(event, Event)  # noqa: S101 - for the type checker
                touched[event.account_id].append(event)
        self.memory.trim()
        for name, log in touched.items():
            if name in many:
                log.begin_anew()
            log.wake()

    async def _understood(self, payloads: Sequence[str], read: Read) -> list[Event | wire.Many]:
        """Return what payloads say, with what was told by name read."""
        understood: list[Event | wire.Many] = []
        unread: list[Event] = []
        for payload in payloads:
            said = self._whole(payload)
            own = self._own.pop(said.token, None) if isinstance(said, wire.Names) else None
            if said is None or said.account_id not in self._logs:
                continue
            if own is not None:
                # As it was then, without a look into the database.
                understood += own
            elif isinstance(said, wire.Names):
                named = [Event(said.account_id, kind, key, _UNREAD) for kind, key in said.names]
                understood += named
                unread += named
            else:
                understood.append(said)
        if not unread:
            return understood
        found = {event[:3]: event for event in await read(unread)}
        return [
            told
            for event in understood
            if (told := found.get(event[:3]) if _is_unread(event) else event) is not None
        ]

    def _whole(self, payload: str) -> Event | wire.Names | wire.Many | None:
        """Return what a payload says; None where more of it is to come, or it says nothing."""
        said = wire.parsed(payload)
        if not isinstance(said, wire.Piece):
            return said
        if said.number == 0:
            self._pieces = []
        if said.number != len(self._pieces):
            # Its beginning came before anybody listened.
            return None
        self._pieces.append(said.text)
        if len(self._pieces) < said.of:
            return None
        whole, self._pieces = "".join(self._pieces), []
        event = wire.parsed(whole)
        return event if isinstance(event, Event) else None


_UNREAD: Final = object()
"""Stands for the data of an event of which only the name is known."""


def _is_unread(event: Event | wire.Many) -> TypeGuard[Event]:
    return isinstance(event, Event) and event.data is _UNREAD


def _json(data: Any, encode: Encode) -> bytes:
    if isinstance(data, bytes):
        return data
    return encode(data() if callable(data) else data)


def _by_account(events: Sequence[Event]) -> dict[str, list[Event]]:
    by_account: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_account[event.account_id].append(event)
    return by_account


def _reset(log: Log, seen: int) -> bytes:
    return (
        f"id: {log.id}-{seen}\nevent: reset\n"
        'data: {"detail":"Some events are no longer known here. Read again what you show, then '
        'follow on."}\n\n'
    ).encode()
