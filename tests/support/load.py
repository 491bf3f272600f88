"""Clients that trade on a desk as fast as it answers, and remember what it promised.

Plain HTTP over asyncio streams in the test's own process: sixteen of them cost less than one
client of the usual kind, so that the desk and not the test is under load.
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

CLIENTS: Final = 16
TRADE: Final = "/api/portfolio/trade"
CASH: Final = "/api/cash"
_TICKERS: Final = ("AAPL", "MSFT", "JPM")
_REFUSALS: Final = {"INSUFFICIENT_CASH", "INSUFFICIENT_SHARES", "PRICE_UNAVAILABLE"}


class Gone(Exception):
    """The desk broke the connection off: it may or may not have done what it was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def code(self) -> str:
        """The code of the problem, or the status where there is none."""
        return str(self.body.get("code", self.status))

    @property
    def effect(self) -> str:
        """The id of what was booked."""
        return str(self.body.get("trade", self.body)["id"])


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that is to take effect once."""

    path: str
    body: dict[str, str]


@dataclass
class Memory:
    """What the clients know, whichever desk they asked."""

    wishes: dict[str, Wish] = field(default_factory=dict[str, Wish])
    acknowledged: dict[str, str] = field(default_factory=dict[str, str])
    """The keys that were answered with success, oldest first, and the ids of their effects."""
    open: set[str] = field(default_factory=set[str])
    """The keys of which nobody knows whether they took effect."""
    broken: list[str] = field(default_factory=list[str])
    """What no desk may do."""
    answers: Counter[str] = field(default_factory=Counter[str])
    """How often each code was answered; `200` where all was well."""
    bearable: frozenset[str] = frozenset()
    """Codes that leave open what became of the wish, and are no wonder in this test."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _awaited: dict[asyncio.Event, int] = field(default_factory=dict[asyncio.Event, int])

    async def more(self, answers: int) -> None:
        """Wait until so many further effects were acknowledged."""
        enough = asyncio.Event()
        self._awaited[enough] = len(self.acknowledged) + answers
        try:
            await asyncio.wait_for(enough.wait(), 30)
        except TimeoutError:
            raise AssertionError(f"nothing more is acknowledged: {self.answers}") from None
        finally:
            del self._awaited[enough]

    def new_wish(self) -> str:
        """Think of a trade, or of a movement of cash every tenth time; return its key."""
        number = next(self._numbers)
        key = f"wish-{number}"
        amount = f"0.{random.randrange(1, 30):03}"
        if number % 10 == 9:
            kind = "withdrawal" if number % 20 == 9 else "deposit"
            self.wishes[key] = Wish(CASH, {"kind": kind, "amount": amount})
        else:
            side = "sell" if number % 2 else "buy"
            ticker = random.choice(_TICKERS)
            self.wishes[key] = Wish(TRADE, {"ticker": ticker, "side": side, "quantity": amount})
        return key

    def note(self, key: str, answer: Answer) -> None:
        """Hold an answer against what was promised before."""
        self.answers[answer.code] += 1
        known = self.acknowledged.get(key)
        if answer.status in (200, 201):
            if known is not None and (answer.effect != known or not answer.replayed):
                self.broken.append(f"{key} had the effect {known}, and now {answer.effect}")
            self.acknowledged.setdefault(key, answer.effect)
            self.open.discard(key)
            for event, enough in self._awaited.items():
                if len(self.acknowledged) >= enough:
                    event.set()
        elif answer.code in _REFUSALS and known is None:
            self.open.discard(key)
        elif answer.code not in self.bearable:
            self.broken.append(f"{key}: {answer.status} {answer.body}")


class Connection:
    """One keep-alive connection to a desk."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.gone = False

    async def ask(self, wish: Wish, key: str) -> Answer:
        """Send a request and wait for the answer. Raises Gone."""
        try:
            await self.send(wish, key)
            return await self._answer()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self.gone = True
            raise Gone from error

    async def send(self, wish: Wish, key: str) -> None:
        """Send a request, and do not wait for the answer."""
        body = json.dumps(wish.body).encode()
        self._writer.write(
            f"POST {wish.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await self._writer.drain()

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(status.split()[1]), headers, json.loads(body))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """Connect to a desk. Raises Gone where it does not listen."""
    address = urlsplit(url)
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
    except OSError as error:
        raise Gone from error
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


class Load:
    """Sixteen clients, spread over the desks; each stops when its desk is gone."""

    def __init__(self, memory: Memory, urls: Sequence[str]) -> None:
        self.memory = memory
        self._stopping = False
        self._tasks = [
            asyncio.create_task(self._trade(urls[n % len(urls)], urls[(n + 1) % len(urls)]))
            for n in range(CLIENTS)
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _trade(self, url: str, other: str) -> None:
        with suppress(Gone):
            async with connected(url) as mine, connected(other) as beside:
                while not self._stopping:
                    key = self.memory.new_wish()
                    self.memory.open.add(key)
                    # Sometimes twice at once: an impatient client, or two of them.
                    twice = random.random() < 0.1 and not beside.gone
                    await self._ask([mine, beside] if twice else [mine], key)
                    if mine.gone:
                        return

    async def _ask(self, connections: Sequence[Connection], key: str) -> None:
        wish = self.memory.wishes[key]
        asking = (connection.ask(wish, key) for connection in connections)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        came = [answer for answer in answers if isinstance(answer, Answer)]
        # In the order of what happened: a refusal left the key free, a replay came after its first.
        for answer in sorted(came, key=lambda answer: (-answer.status, answer.replayed)):
            self.memory.note(key, answer)
        for failed in answers:
            if isinstance(failed, BaseException) and not isinstance(failed, Gone):
                raise failed
        if len(came) < len(answers) and key not in self.memory.acknowledged:
            self.memory.open.add(key)


async def ask_again(memory: Memory, urls: Sequence[str], newest: int = 2 * CLIENTS) -> None:
    """Ask for the newest effects once more, and for all that nobody knows about.

    What was acknowledged must be answered with the same effect; the rest has one from here on.
    """
    keys = [*memory.open, *list(memory.acknowledged)[-newest:]]

    async def ask(url: str, mine: Sequence[str]) -> None:
        # A desk that is to die may do so now already; then the next one is asked.
        with suppress(Gone):
            async with connected(url) as connection:
                for key in mine:
                    memory.note(key, await connection.ask(memory.wishes[key], key))

    async with asyncio.TaskGroup() as group:
        for n in range(8):
            group.create_task(ask(urls[n % len(urls)], keys[n::8]))
