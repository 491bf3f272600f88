"""A burst of alerts: how soon each is answered, and whether all are executed in their order."""

import json
import selectors
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bench.failures import Failed
from bench.load import Connection, percentile, post
from bench.report import Figure, Part
from bench.servers import Server, desk, scratch

RATE: Final = 1_000
SECONDS: Final = 10.0
CLIENTS: Final = 128
WEBHOOKS: Final = 4
TICKERS: Final = ("AAPL", "MSFT", "NVDA", "AMZN", "META", "GOOGL", "TSLA", "JPM")
P99_AIM: Final = 0.25
_PATIENCE: Final = 300.0


def signals(rate: int = RATE, seconds: float = SECONDS) -> Part:
    """Measure a burst of alerts at a desk on SQLite, from outside."""
    part = Part(
        "Signals",
        f"{rate} alerts a second for {seconds:g} s, each another, to {WEBHOOKS} webhooks for "
        f"{len(TICKERS)} tickers, over {CLIENTS} connections; sent when they are due whether or "
        "not the last one was answered, and timed from then on; each orders 0.001 shares",
    )
    with scratch() as folder, desk(folder / "desk.db") as server:
        paths = _webhooks(server)
        count = round(rate * seconds)
        cpu = server.cpu()
        latencies, statuses = _burst(server, [_alert(paths, n) for n in range(count)], rate)
        burst_cpu = server.cpu() - cpu
        began = time.perf_counter()
        _wait_for(folder / "desk.db", count)
        drained = time.perf_counter() - began
        part.figures += [
            Figure("answer, median", percentile(latencies, 50) * 1000, "ms"),
            Figure(
                "answer, p99",
                percentile(latencies, 99) * 1000,
                "ms",
                aim=P99_AIM * 1000,
                wish="at most",
            ),
            Figure("answer, longest", max(latencies) * 1000, "ms"),
            Figure("executed after the last answer", drained, "s"),
            Figure("server's processor time in the burst", burst_cpu, "s"),
        ]
        _check(folder / "desk.db", count, statuses)
    return part


def _webhooks(server: Server) -> list[str]:
    """Make the webhooks, and return their paths."""
    connection = Connection(server.url)
    paths: list[str] = []
    for n in range(WEBHOOKS):
        body = {"name": f"burst {n}", "mode": "execute", "rate_per_minute": 1_000_000}
        status, _, answer = connection.exchange(post("/api/webhooks", json.dumps(body).encode()))
        if status != 201:
            raise Failed(f"No webhook: {answer!r}")
        paths.append(f"/hooks/{json.loads(answer)['token']}")
    connection.socket.close()
    return paths


def _alert(paths: Sequence[str], number: int) -> bytes:
    body = {
        "ticker": f"NASDAQ:{TICKERS[number // len(paths) % len(TICKERS)]}",
        "action": "buy",
        "quantity": "0.001",
        "time": "2026-11-28T15:00:00Z",
        "order_id": f"burst-{number}",
    }
    return post(paths[number % len(paths)], json.dumps(body).encode())


def _burst(
    server: Server, requests: Sequence[bytes], rate: int
) -> tuple[list[float], Counter[int]]:
    """Send each request when it is due; return the latencies since then, and the statuses."""
    free = deque(Connection(server.url, n) for n in range(CLIENTS))
    every = list(free)
    selector = selectors.DefaultSelector()
    for connection in every:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    due_of: dict[int, float] = {}
    began, sent = time.perf_counter(), 0
    while len(latencies) < len(requests):
        now = time.perf_counter()
        while sent < len(requests) and free and began + sent / rate <= now:
            connection = free.popleft()
            due_of[connection.number] = began + sent / rate
            connection.send(requests[sent])
            sent += 1
        next_due = began + sent / rate if sent < len(requests) and free else now + 1
        for key, _ in selector.select(max(0.0, next_due - time.perf_counter())):
            connection: Connection = key.data
            status = connection.receive()
            if status is not None:
                latencies.append(time.perf_counter() - due_of[connection.number])
                statuses[status] += 1
                free.append(connection)
    selector.close()
    for connection in every:
        connection.socket.close()
    return latencies, statuses


def _ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def _wait_for(path: Path, count: int) -> None:
    deadline, done = time.monotonic() + _PATIENCE, 0
    while time.monotonic() < deadline:
        [(done,)] = _ask(path, "SELECT count(*) FROM signals WHERE processed")
        if done == count:
            return
        time.sleep(0.1)
    raise Failed(f"Only {done} of {count} signals were executed.")


def _check(path: Path, count: int, statuses: Counter[int]) -> None:
    """Raise Failed unless every alert was stored and executed, in the order of its webhook."""
    if set(statuses) != {200}:
        raise Failed(f"Not all alerts were taken: {dict(statuses)}")
    rows = _ask(
        path,
        "SELECT s.webhook_id, s.ticker, o.id FROM signals s "
        "JOIN orders o ON o.signal_id = s.signal_id WHERE s.status = 'executed' ORDER BY s.id",
    )
    if len(rows) != count:
        outcomes = _ask(path, "SELECT status, error, count(*) FROM signals GROUP BY 1, 2")
        raise Failed(f"{len(rows)} of {count} alerts became orders: {outcomes[:5]}")
    last: dict[tuple[str, str], str] = {}
    for webhook, ticker, order in rows:
        if order < last.get((webhook, ticker), ""):
            raise Failed(f"{ticker} was not executed in order.")
        last[webhook, ticker] = order
