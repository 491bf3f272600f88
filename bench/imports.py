"""A broker's file of many trades, uploaded, booked by the desk's own worker, and proven."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.failures import Failed
from bench.report import Figure, Part, say
from bench.servers import Server, desk, paperdesk, scratch
from bench.trading import TICKERS
from paperdesk.clock import SystemClock

ROWS: Final = 200_000
_RATE_AIM: Final = 20_000
"""Rows booked a second."""
_MEMORY_AIM: Final = 300
"""MB at the most."""
_HEALTH_AIM: Final = 50.0
"""Milliseconds at the most that the health takes to answer meanwhile."""
_SPAN: Final = timedelta(days=365)
_LOOK: Final = 0.25


@dataclass(slots=True)
class _Watched:
    """What was seen of the desk while it worked: milliseconds, MB, and how far the job was."""

    health: list[float] = field(default_factory=list[float])
    memory: float = 0.0
    progress: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def late(self, share: float) -> float:
        """Return what that share of the answers took at the most."""
        ordered = sorted(self.health)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def imports(count: int = ROWS) -> Part:
    """Upload a generated file to a desk on a fresh SQLite file, watch it, and prove the books."""
    part = Part(
        "Import",
        f"a CSV of {count:,} trades of ten tickers in the order of time, sent to POST /api/jobs in "
        "mode auto, to a real server on a fresh SQLite file, synchronous=FULL; meanwhile its "
        "health is asked four times a second; then `paperdesk verify`; then the file again",
    )
    with scratch() as folder:
        database, file = folder / "desk.db", folder / "trades.csv"
        say(f"Writing a file of {count:,} trades")
        _write(file, count)
        with desk(database) as server, _client(server) as http:
            _fund(http)
            with _watched(server) as watched:
                loaded, booked, job = _import(http, file, watched)
            if (job["successful_rows"], job["status"]) != (count, "completed"):
                raise Failed(f"Not all rows were booked: {job}")
            say("Proving, and importing the file again")
            *_, again = _import(http, file, _Watched())
            if again["successful_rows"] or again["failed_rows"]:
                raise Failed(f"Imported again, the file was not known: {again}")
        began = time.perf_counter()
        proof = paperdesk(database, "verify")
        seconds = time.perf_counter() - began
        if proof.returncode:
            raise Failed(f"The books are wrong: {proof.stdout}")
    part.figures = [
        Figure("rows booked", count / booked, "/s", aim=_RATE_AIM),
        Figure("rows read and stored before", count / loaded, "/s"),
        Figure("both", count / (loaded + booked), "/s"),
        Figure("memory, peak", watched.memory, "MB", aim=_MEMORY_AIM, wish="at most"),
        Figure("health meanwhile, p99", watched.late(0.99), "ms", aim=_HEALTH_AIM, wish="at most"),
        Figure("health meanwhile, slowest", watched.late(1), "ms"),
        Figure("verify", seconds, "s"),
    ]
    part.checks.append(
        f"{count:,} rows booked, proven by paperdesk verify; progress was told "
        f"{len(watched.progress):,} times; imported again, none was booked"
    )
    return part


def _write(file: Path, count: int) -> None:
    """Write trades that can always be booked: each ticker is bought, then sold in two parts."""
    began = SystemClock().now() - _SPAN
    with file.open("w") as out:
        out.write("executed_at,ticker,side,quantity,price,fee,net_amount\n")
        for n in range(count):
            ticker = TICKERS[n // 3 % len(TICKERS)]
            side, tenths = (("buy", 3), ("sell", 1), ("sell", 2))[n % 3]
            cents = 10_000 + n % 10 * 100 + n * 7919 % 100
            # In thousandths of a dollar: a tenth of a share costs a tenth of its price.
            value = cents * tenths
            net = -value - 10 if side == "buy" else value - 10
            moment = (began + _SPAN * n / count).isoformat()
            price = f"{cents // 100}.{cents % 100:02}"
            out.write(f"{moment},{ticker},{side},0.{tenths},{price},0.01,{net / 1000:.3f}\n")


def _client(server: Server) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, timeout=60)


def _fund(http: httpx2.Client) -> None:
    answer = http.post("/api/cash", json={"kind": "deposit", "amount": 1_000_000})
    if answer.is_error:
        raise Failed(answer.text)


def _import(
    http: httpx2.Client, file: Path, watched: _Watched
) -> tuple[float, float, dict[str, Any]]:
    """Import a file; return the seconds until it was stored, those until its end, and the job."""
    began = time.perf_counter()
    with file.open("rb") as source:
        answer = http.post("/api/jobs", files={"file": (file.name, source)}, data={"mode": "auto"})
    if answer.is_error:
        raise Failed(answer.text)
    path = f"/api/jobs/{answer.json()['id']}"
    loaded = 0.0
    while True:
        job = http.get(path).json()
        watched.progress.add((job["phase"], job["steps_done"] or job["processed_rows"]))
        if not loaded and job["phase"] != "load":
            loaded = time.perf_counter()
        if job["completed_at"]:
            return loaded - began, time.perf_counter() - loaded, job
        time.sleep(_LOOK)


@contextmanager
def _watched(server: Server) -> Generator[_Watched]:
    watched, over = _Watched(), threading.Event()

    def look() -> None:
        with _client(server) as http:
            while not over.wait(_LOOK):
                began = time.perf_counter()
                http.get("/api/health").raise_for_status()
                watched.health.append((time.perf_counter() - began) * 1000)
                watched.memory = max(watched.memory, server.resident())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()
