"""A thousand event streams on one core: idle, and while trades are booked."""

import os
import selectors
import time
from dataclasses import dataclass
from pathlib import Path

from bench.failures import Failed
from bench.load import Connection, get, percentile
from bench.report import Figure, Part
from bench.servers import desk, scratch

STREAMS = 1000
TRADES = 20
_BODY = b'{"ticker": "AAPL", "side": "buy", "quantity": "0.01"}'
_TRADE = (
    b"POST /api/portfolio/trade HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)
_TOLD = b"event: trade\n"
_OK = 200
_PATIENCE = 30.0


@dataclass(slots=True)
class Stream:
    """How many trades one stream was told of."""

    connection: Connection
    trades: int = 0


def events(count: int = STREAMS, seconds: float = 20, trades: int = TRADES) -> Part:
    """Follow one account on many connections, the desk tied to one core."""
    part = Part(
        "Event streams",
        f"{count:,} clients of GET /api/stream/events on one account: idle for {seconds:g} s, one "
        f"heartbeat at least, then {trades} trades one after the other, each told to all; the desk "
        "tied to one core where the system can",
    )
    with scratch() as folder, desk(folder / "desk.db") as server:
        if hasattr(os, "sched_setaffinity"):
            for task in Path(f"/proc/{server.process.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {0})
        # The first of all makes the position.
        _trade(Connection(server.url))
        time.sleep(2)
        cpu, started = server.cpu(), time.perf_counter()
        time.sleep(seconds)
        alone = (server.cpu() - cpu) / (time.perf_counter() - started)
        without = server.resident()
        followed = [Stream(Connection(server.url)) for _ in range(count)]
        with selectors.DefaultSelector() as selector:
            for stream in followed:
                stream.connection.send(get("/api/stream/events"))
                selector.register(stream.connection.socket, selectors.EVENT_READ, stream)
            _read(selector, until=time.perf_counter() + 2)
            cpu, started = server.cpu(), time.perf_counter()
            _read(selector, until=started + seconds)
            idle = (server.cpu() - cpu) / (time.perf_counter() - started)
            resident = server.resident()
            first, last = _told(selector, Connection(server.url), followed, trades)
        for stream in followed:
            stream.connection.socket.close()
    told = sum(stream.trades for stream in followed)
    if told != count * trades:
        part.failure = f"{told:,} were told of {count * trades:,}"
    part.figures = [
        Figure("processor time while idle", 100 * idle, "%", "without streams", 100 * alone),
        Figure("a trade told to the first", first[len(first) // 2], "s", note="median"),
        Figure("a trade told to all, median", percentile(last, 50), "s", aim=0.5, wish="at most"),
        Figure("a trade told to all, worst", max(last), "s"),
        Figure("memory", resident, "MB", "without streams", without),
        Figure("memory a stream", 1024 * (resident - without) / count, "kB"),
    ]
    part.checks.append(f"each of {count:,} streams was told of each of {trades} trades once")
    return part


def _told(
    selector: selectors.BaseSelector, trader: Connection, followed: list[Stream], trades: int
) -> tuple[list[float], list[float]]:
    """Trade; return how long after each request the first and the last stream knew of it."""
    first: list[float] = []
    last: list[float] = []
    for number in range(1, trades + 1):
        begun = time.perf_counter()
        trader.send(_TRADE)
        arrived: list[float] = []
        while len(arrived) < len(followed):
            if time.perf_counter() - begun > _PATIENCE:
                raise Failed(f"{len(arrived)} of {len(followed)} streams were told.")
            told = [stream for stream in _ready(selector, 1.0) if stream.trades == number]
            arrived += [time.perf_counter() - begun] * len(told)
        _answered(trader)
        first.append(min(arrived))
        last.append(max(arrived))
    return sorted(first), last


def _read(selector: selectors.BaseSelector, until: float) -> None:
    while (left := until - time.perf_counter()) > 0:
        for _ in _ready(selector, left):
            pass


def _ready(selector: selectors.BaseSelector, seconds: float) -> list[Stream]:
    """Return the streams that were told of a trade just now."""
    told: list[Stream] = []
    for key, _ in selector.select(seconds):
        stream: Stream = key.data
        data = stream.connection.socket.recv(65_536)
        if not data:
            raise Failed("A stream was closed.")
        if trades := data.count(_TOLD):
            stream.trades += trades
            told.append(stream)
    return told


def _trade(trader: Connection) -> None:
    trader.send(_TRADE)
    _answered(trader)


def _answered(trader: Connection) -> None:
    while (status := trader.receive()) is None:
        pass
    if status != _OK:
        raise Failed(f"A trade was answered {status}.")
