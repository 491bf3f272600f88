"""A million trades of the past beside a thousand: what each answer costs then."""

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.failures import Failed
from bench.load import Connection, get, percentile, post
from bench.past import desk_with_past
from bench.report import Figure, Part, say
from bench.servers import Server, desk, scratch
from bench.trading import Trader, check, desk_request

AIM = 1.3
FEW, FEW_SNAPSHOTS = 1_000, 2_880
MANY, MANY_SNAPSHOTS = 1_000_000, 500_000
_PAGE = 100
_NEXT = re.compile(rb"link: <[^>]*[?&]cursor=([^>&]+)", re.IGNORECASE)
LEAST = 250
"""Requests of each kind, of which the first fifth does not count."""
_LONGEST = 30.0
_PROOF = 300.0
"""Seconds that the proof of a million trades may take, with the pauses that it makes."""


@dataclass(slots=True)
class Desk:
    """One of the two desks, on one connection."""

    connection: Connection
    pages: int
    trader: Trader

    def ask(self, request: bytes) -> tuple[float, bytes, bytes]:
        """Ask, and return the seconds it took, the head and the body."""
        started = time.perf_counter()
        status, head, body = self.connection.exchange(request)
        passed = time.perf_counter() - started
        if status != 200:
            raise Failed(f"{status}: {body!r}")
        return passed, head, body

    def page(self, number: int) -> bytes:
        """Return the request of a page of trades, counted from 1.

        Cursors are opaque to clients; that they are sequence numbers is read off the first one.
        """
        path = f"/api/trades?limit={_PAGE}"
        _, head, body = self.ask(get(path))
        found = _NEXT.search(head)
        if not found or int(found[1]) != json.loads(body)[-1]["sequence"]:
            raise Failed(f"The cursor is no longer the last sequence of the page: {head!r}")
        return get(f"{path}&cursor={int(found[1]) - (number - 2) * _PAGE}")


def history(
    seconds: float = 4, *, many: int = MANY, snapshots: int = MANY_SNAPSHOTS, least: int = LEAST
) -> Part:
    """Ask both desks the same in turns, one request at a time."""
    part = Part(
        "A long past, SQLite",
        f"{many:,} trades and {snapshots:,} snapshots in one account, beside {FEW:,} and "
        f"{FEW_SNAPSHOTS:,}, over a year; one client; pages of {_PAGE}; p99",
    )
    with scratch() as folder:
        files = [
            Path(shutil.copy(desk_with_past(*size), folder / f"{size[0]}.db"))
            for size in ((FEW, FEW_SNAPSHOTS), (many, snapshots))
        ]
        with desk(files[0]) as few_server, desk(files[1]) as many_server:
            for server in (few_server, many_server):
                _wait_for_proof(server)
            few, lots = _desk(few_server, FEW), _desk(many_server, many)
            for name, ask in _questions().items():
                part.figures.append(_figure(name, ask, few, lots, seconds, least))
            part.figures.append(
                Figure(
                    "memory afterwards",
                    many_server.resident(),
                    "MB",
                    "of the short one",
                    few_server.resident(),
                )
            )
        for file, asked in zip(files, (few, lots), strict=True):
            part.checks.append(f"{file.name}: {check(file, asked.trader.acknowledged)}")
    return part


def _questions() -> dict[str, Callable[[Desk], Callable[[], bytes]]]:
    def always(request: bytes) -> Callable[[], bytes]:
        return lambda: request

    return {
        "portfolio": lambda _: always(get("/api/portfolio")),
        "trade": lambda asked: lambda: asked.trader.ask(0),
        "first page of trades": lambda _: always(get(f"/api/trades?limit={_PAGE}")),
        "last page of trades": lambda asked: always(asked.page(asked.pages)),
        "history chart": lambda _: always(get("/api/portfolio/history")),
    }


def _figure(
    name: str,
    question: Callable[[Desk], Callable[[], bytes]],
    few: Desk,
    lots: Desk,
    seconds: float,
    least: int,
) -> Figure:
    asks = [(asked, question(asked), list[float]()) for asked in (few, lots)]
    ends, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < ends or (number < least and time.perf_counter() < ends + _LONGEST):
        number += 1
        for asked, request, taken in asks if number % 2 else reversed(asks):
            passed, _, _ = asked.ask(request())
            if number > least // 5:
                taken.append(passed)
            if name == "trade":
                asked.trader.acknowledged += 1
    short, long = (taken for _, _, taken in asks)
    if name == "last page of trades":
        name = f"{lots.pages:,}th page of trades"
    note = (
        f"{len(long)} requests each; p50 {1000 * percentile(long, 50):.2f} ms beside "
        f"{1000 * percentile(short, 50):.2f} ms, "
        f"{percentile(long, 50) / percentile(short, 50):.2f} times"
    )
    say(f"{name}: {note}")
    worst = [1000 * percentile(taken, 99) for taken in (long, short)]
    return Figure(
        f"{name}, p99",
        worst[0],
        "ms",
        "",
        worst[1],
        worst[0] / worst[1],
        AIM,
        wish="at most",
        note=note,
    )


def _wait_for_proof(server: Server) -> None:
    """Wait until a desk has proven its books, which it does after a start, beside the requests."""
    connection = Connection(server.url)
    connection.socket.settimeout(_PROOF)
    status, _, body = connection.exchange(post("/api/verify"))
    if status != 200:
        raise Failed(f"{status}: {body!r}")


def _desk(server: Server, trades: int) -> Desk:
    trader = Trader(desk_request)
    trader.acknowledged = trades
    return Desk(Connection(server.url), trades // _PAGE, trader)
