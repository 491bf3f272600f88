"""A thousand price streams on one core."""

import os
import re
import selectors
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.load import Connection, get, percentile
from bench.report import Figure, Part
from bench.servers import desk, scratch
from paperdesk.clock import SystemClock

STREAMS = 1000
_INTERVAL = 0.5
"""Seconds between two ticks of the desk's own market."""
_TICKED = re.compile(rb'"timestamp":"([^"]+)"')


@dataclass(slots=True)
class Stream:
    """What one stream got."""

    connection: Connection
    events: int = 0
    last: float = 0.0
    worst_gap: float = 0.0


def streams(count: int = STREAMS, seconds: float = 10) -> Part:
    """Follow all prices on many connections, the desk tied to one core."""
    part = Part(
        "Price streams",
        f"{count:,} clients of GET /api/stream/prices for {seconds:g} s, ten tickers, an event "
        f"every {_INTERVAL:g} s; the desk tied to one core where the system can",
    )
    with scratch() as folder, desk(folder / "desk.db") as server:
        if hasattr(os, "sched_setaffinity"):
            for task in Path(f"/proc/{server.process.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {0})
        followed = [Stream(Connection(server.url)) for _ in range(count)]
        for stream in followed:
            stream.connection.send(get("/api/stream/prices"))
        cpu, own, started = server.cpu(), time.process_time(), time.perf_counter()
        ages = _follow(followed, seconds)
        passed = time.perf_counter() - started
        cpu, own = (server.cpu() - cpu) / passed, (time.process_time() - own) / passed
        resident = server.resident()
        for stream in followed:
            stream.connection.socket.close()
    least, most = (pick(stream.events for stream in followed) for pick in (min, max))
    due = int(seconds / _INTERVAL)
    part.figures = [
        Figure("events of the slowest stream", least, "", "due", due, least / due, 0.9),
        Figure("worst gap", max(s.worst_gap for s in followed), "s", aim=1.0, wish="at most"),
        Figure(
            "age of a price on arrival, p99", percentile(ages, 99), "s", aim=0.5, wish="at most"
        ),
        Figure("processor time of the desk", 100 * cpu, "%", note=f"load generator {own:.0%}"),
        Figure("memory", resident, "MB"),
    ]
    part.checks.append(f"every stream got {least} to {most} events, {len(ages):,} in all")
    return part


def _follow(followed: list[Stream], seconds: float) -> list[float]:
    """Read until the time is over; return how old each event's newest price was, in seconds."""
    ages: list[float] = []
    clock = SystemClock()
    with selectors.DefaultSelector() as selector:
        for stream in followed:
            selector.register(stream.connection.socket, selectors.EVENT_READ, stream)
        ends = time.perf_counter() + seconds
        while (now := time.perf_counter()) < ends:
            for key, _ in selector.select(ends - now):
                stream: Stream = key.data
                data = stream.connection.socket.recv(65_536)
                for event in data.split(b"data: ")[1:]:
                    arrived = time.perf_counter()
                    if stream.last:
                        stream.worst_gap = max(stream.worst_gap, arrived - stream.last)
                    stream.last = arrived
                    stream.events += 1
                    if found := _TICKED.search(event):
                        ticked = datetime.fromisoformat(found[1].decode())
                        ages.append((clock.now() - ticked).total_seconds())
    return ages
