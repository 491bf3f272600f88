"""The load generator: clients that each wait for an answer before they ask again.

One thread and plain sockets, so that it costs a fraction of what it measures: the requests are
made of ready bytes, and of an answer only the status and the length are read. Every run says which
part of a core it took itself.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from bench.failures import Failed

Ask = Callable[[int], bytes]
"""Gives the next request of a client, by the client's number."""

_PATIENCE = 60.0
_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = b"content-length:"
_CHUNKED = b"transfer-encoding: chunked"
_GOOD = range(200, 300)


@dataclass(slots=True)
class Load:
    """What came of a run. Latencies in seconds; only answers within the time count as rate."""

    clients: int
    seconds: float
    answers: int
    latencies: list[float]
    statuses: Counter[int]
    own_cpu: float
    """Which part of one core the load generator used."""
    refusals: list[bytes] = field(default_factory=list)
    server_cpu: float = 0.0
    """Seconds of processor time that the server used for all of it; 0 where nobody looked."""

    loop_cpu: float = 0.0
    """The part of it that the server's first thread used: the event loop of a Python server."""

    @property
    def cost(self) -> float:
        """Seconds of the server's processor time an answer."""
        return self.server_cpu / max(1, sum(self.statuses.values()))

    @property
    def loop_cost(self) -> float:
        """Seconds of the event loop's processor time an answer."""
        return self.loop_cpu / max(1, sum(self.statuses.values()))

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def acknowledged(self) -> int:
        """How many requests were answered 2xx, those after the time included."""
        return sum(count for status, count in self.statuses.items() if status in _GOOD)

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latencies, in seconds."""
        return percentile(self.latencies, percent)

    def all_good(self) -> "Load":
        """Return itself. Raises Failed if anything but 2xx was answered."""
        if self.refusals:
            raise Failed(f"{dict(self.statuses)}, first: {self.refusals[0][:2000]!r}")
        return self


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile (1 to 99) of at least two values."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of an http URL."""
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


class Connection:
    """One keep-alive connection of one client."""

    __slots__ = ("asked_at", "number", "received", "socket")

    def __init__(self, url: str, number: int = 0) -> None:
        self.number = number
        self.socket = socket.create_connection(address_of(url), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.asked_at = 0.0

    def send(self, request: bytes) -> None:
        """Ask."""
        self.received = b""
        self.asked_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what is there; return the status once the answer is complete."""
        data = self.socket.recv(262_144)
        if not data:
            raise Failed(f"The connection was closed after {self.received[:500]!r}")
        if self.received:
            data = self.received + data
        self.received = data
        end = data.find(_HEAD_ENDS)
        if end < 0:
            return None
        head = data[:end].lower()
        found = head.find(_LENGTH)
        if found >= 0:
            stop = head.find(b"\r\n", found)
            length = int(head[found + len(_LENGTH) : stop if stop > 0 else None])
            complete = len(data) >= end + 4 + length
        else:
            complete = _CHUNKED not in head or data.endswith(b"0\r\n\r\n")
        return int(data[9:12]) if complete else None

    def exchange(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Ask and wait: return status, head and body."""
        self.send(request)
        while (status := self.receive()) is None:
            pass
        head, _, body = self.received.partition(_HEAD_ENDS)
        return status, head, body


def get(path: str) -> bytes:
    """Return the bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    """Return the bytes of a POST, as JSON where there is a body."""
    length = f"Content-Length: {len(body)}"
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", length, *headers]
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


def drive(url: str, ask: Ask, *, clients: int, seconds: float) -> Load:
    """Let `clients` ask in a closed loop for `seconds`, then wait for the last answers."""
    connections = [Connection(url, number) for number in range(clients)]
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    refusals: list[bytes] = []
    selector = selectors.DefaultSelector()
    try:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        cpu = time.process_time()
        ends = time.perf_counter() + seconds
        for connection in connections:
            connection.send(ask(connection.number))
        waiting, in_time = clients, 0
        while waiting:
            ready = selector.select(_PATIENCE)
            if not ready:
                raise Failed(f"No answer within {_PATIENCE:.0f} s.")
            for key, _ in ready:
                connection: Connection = key.data
                status = connection.receive()
                if status is None:
                    continue
                now = time.perf_counter()
                statuses[status] += 1
                if status not in _GOOD:
                    refusals.append(connection.received)
                if now < ends:
                    in_time += 1
                    latencies.append(now - connection.asked_at)
                    connection.send(ask(connection.number))
                else:
                    waiting -= 1
        own = (time.process_time() - cpu) / (time.perf_counter() - ends + seconds)
    finally:
        selector.close()
        for connection in connections:
            connection.socket.close()
    return Load(clients, seconds, in_time, latencies, statuses, own, refusals)
