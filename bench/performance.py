"""Twelve years of an account: what its portfolio and its performance cost, cold and warm."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.decade import YEARS, desk_with_decade
from bench.failures import Failed
from bench.load import Connection, get, percentile, post
from bench.report import Figure, Part, say
from bench.servers import desk, scratch

TRADES, TICKERS = 15_000, 250
WARM_AIM = 300.0
"""Milliseconds for any range once the curve is made."""
HEALTH_AIM = 100.0
"""Milliseconds that a look at the health may take while a curve is made."""
_PATH = "/api/portfolio/performance"
_ROUNDS = 15
_LONGEST = 300.0
_ASKED = {
    "all": "",
    "1y": "?range=1y",
    "1d": "?range=1d",
    "four years of the middle": "?start=2019-01-01T00:00:00Z&end=2023-01-01T00:00:00Z",
    "a ticker": "?ticker=T001",
    "a strategy": "?strategy=momentum",
    "all, beside a benchmark": "?benchmark=T002",
}


@dataclass(slots=True)
class _Health:
    """Looks at the health again and again, on a connection of its own, and notes how long."""

    url: str
    taken: list[float] = field(default_factory=list[float])
    _ended: threading.Event = field(default_factory=threading.Event)

    def during(self, work: Callable[[], Any]) -> Any:
        """Look for as long as some work lasts."""
        self._ended.clear()
        watcher = threading.Thread(target=self._look)
        watcher.start()
        try:
            return work()
        finally:
            self._ended.set()
            watcher.join()

    def _look(self) -> None:
        connection = Connection(self.url)
        while not self._ended.is_set():
            self.taken.append(_ask(connection, get("/api/health"))[0])
            time.sleep(0.01)


def performance(*, trades: int = TRADES, tickers: int = TICKERS, rounds: int = _ROUNDS) -> Part:
    """Ask for the portfolio and for performance: first of all, again, and after a trade."""
    part = Part(
        "Performance, SQLite",
        f"{trades:,} trades of {tickers:,} tickers over {YEARS} years with a closing price each "
        "weekday, in one account; one client; milliseconds",
    )
    with scratch() as folder:
        file = Path(shutil.copy(desk_with_decade(trades, tickers), folder / "desk.db"))
        with desk(file) as server:
            connection = Connection(server.url)
            connection.socket.settimeout(_LONGEST)
            # The proof that follows a start would take its part of the machine.
            _ask(connection, post("/api/verify"))
            health = _Health(server.url)
            first = _ask(connection, get("/api/portfolio"))[0]
            part.figures.append(_figure("portfolio, first", [first]))
            part.figures.append(
                _figure("portfolio, again", _again(connection, "/api/portfolio", rounds))
            )
            cold = health.during(lambda: _ask(connection, get(_PATH)))
            part.figures.append(_figure("performance, first of all", [cold[0]]))
            part.figures.append(_health_figure("health meanwhile", health.taken))
            part.checks.append(_check(cold[1], tickers))
            health.taken.clear()
            part.figures += [
                _figure(
                    f"performance, {name}",
                    health.during(lambda path=_PATH + query: _again(connection, path, rounds)),
                    WARM_AIM,
                )
                for name, query in _ASKED.items()
            ]
            part.figures.append(_health_figure("health meanwhile, warm", health.taken))
            part.figures.append(
                _figure("performance, after a trade", _after_trades(connection, rounds))
            )
            part.figures.append(Figure("memory afterwards", server.resident(), "MB"))
    return part


def _again(connection: Connection, path: str, rounds: int) -> list[float]:
    _ask(connection, get(path))
    return [_ask(connection, get(path))[0] for _ in range(rounds)]


def _after_trades(connection: Connection, rounds: int) -> list[float]:
    body = json.dumps({"ticker": "T001", "side": "buy", "quantity": "0.01"}).encode()
    taken: list[float] = []
    for _ in range(rounds):
        _ask(connection, post("/api/portfolio/trade", body))
        taken.append(_ask(connection, get(_PATH))[0])
    return taken


def _ask(connection: Connection, request: bytes) -> tuple[float, bytes]:
    """Ask, and return the milliseconds that it took, and the body."""
    started = time.perf_counter()
    status, _, body = connection.exchange(request)
    passed = time.perf_counter() - started
    if status != 200:
        raise Failed(f"{status}: {body!r}")
    return 1000 * passed, body


def _check(body: bytes, tickers: int) -> str:
    """Say that the contributions add up. Raises Failed where they do not."""
    told = json.loads(body, parse_float=Decimal)
    lines = told["contributions"]
    profit = sum(Decimal(line["profit"]) for line in lines)
    shares = sum(Decimal(line["contribution"]) for line in lines)
    if profit != told["profit"] or shares != told["simple"]:
        raise Failed(f"{profit} and {shares} are not {told['profit']} and {told['simple']}.")
    return f"the contributions of {len(lines) - 1:,} of {tickers:,} tickers are {profit} US dollars"


def _figure(name: str, taken: list[float], aim: float | None = None) -> Figure:
    if len(taken) == 1:
        return Figure(name, taken[0], "ms", aim=aim, wish="at most")
    middle, high = percentile(taken, 50), percentile(taken, 99)
    note = f"{len(taken)} requests, p99 {high:.0f} ms"
    say(f"{name}: p50 {middle:.1f} ms, {note}")
    return Figure(name, middle, "ms", aim=aim, wish="at most", note=note)


def _health_figure(name: str, taken: list[float]) -> Figure:
    note = f"{len(taken)} looks, p50 {percentile(taken, 50):.1f} ms, longest {max(taken):.0f} ms"
    return Figure(
        f"{name}, p99", percentile(taken, 99), "ms", aim=HEALTH_AIM, wish="at most", note=note
    )
