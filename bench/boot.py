"""How long a desk takes to start, and how much memory it then holds."""

import time
from pathlib import Path
from statistics import median

from bench.load import Connection, get
from bench.report import Figure, Part
from bench.servers import desk, desk_on, free_port, scratch

_STARTS = 5
_IDLE = 5.0
_HEALTH = get("/api/health")
COLD_AIM, IDLE_AIM = 2.5, 120.0
"""Seconds, and MB."""


def boot() -> Part:
    """Start a desk on a fresh file, and again and again on a migrated one."""
    part = Part(
        "Start and memory",
        f"from the start of the process to the first good answer of /api/health, the median of "
        f"{_STARTS}; memory (RSS) {_IDLE:.0f} s after the start",
    )
    with scratch() as folder:
        with desk(folder / "first.db"):
            pass  # the first start after an installation compiles, which is not measured
        fresh = [_start(folder / f"fresh-{number}.db") for number in range(_STARTS)]
        again = [_start(folder / "first.db") for _ in range(_STARTS)]
        with desk(folder / "first.db") as server:
            time.sleep(_IDLE)
            idle = server.resident()
    part.figures = [
        Figure("start on a migrated file", median(again), "s", aim=COLD_AIM, wish="at most"),
        Figure("start on no file", median(fresh), "s", note="folders, migrations and first data"),
        Figure("memory, idle", idle, "MB", aim=IDLE_AIM, wish="at most"),
    ]
    return part


def _start(path: Path) -> float:
    port = free_port()
    started = time.perf_counter()
    with desk_on(port, path):
        while not _healthy(port):
            time.sleep(0.005)
        return time.perf_counter() - started


def _healthy(port: int) -> bool:
    # The socket listens before the desk is ready: the answer then takes until it is.
    try:
        connection = Connection(f"http://127.0.0.1:{port}")
    except OSError:
        return False
    try:
        return connection.exchange(_HEALTH)[0] == 200
    finally:
        connection.socket.close()
