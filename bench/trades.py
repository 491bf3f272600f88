"""Durable trades over HTTP, as a ratio to an empty POST at the same number of clients."""

from collections.abc import Mapping
from pathlib import Path

from bench.load import post
from bench.postgres import new_database, postgresql
from bench.report import Figure, Part
from bench.rounds import Plan, asking, cost, details, in_turns, rate, ratio
from bench.servers import desk, rival, scratch
from bench.trading import Trader, check, trader_of

AIMS = {1: (0.20, 0.25), 8: (0.35, 0.45), 32: (0.45, 0.60), 128: (0.50, 0.70)}
"""By the number of clients: the aim, and the stretch."""

_EMPTY = post("/")


_WORKLOAD = (
    "POST /api/portfolio/trade with an Idempotency-Key: order, trade, position, cash, snapshot, "
    "journal hash, one account of ten positions; beside an empty POST of a bare FastAPI app"
)


def trades(plan: Plan) -> Part:
    """Measure the desk on a fresh SQLite file."""
    part = Part("Durable trades, SQLite", f"{_WORKLOAD}. A fresh file, synchronous=FULL")
    with scratch() as folder:
        path = folder / "desk.db"
        trader = against_empty(part, path, plan, AIMS)
        part.checks.append(check(path, trader.acknowledged))
    return part


def trades_on_postgresql(plan: Plan) -> Part:
    """Measure the desk on a fresh PostgreSQL database."""
    part = Part("Durable trades, PostgreSQL", f"{_WORKLOAD}. A server on this machine, fsync on")
    with postgresql() as server:
        database = new_database(server, "trades")
        trader = against_empty(part, database, plan, {})
        part.checks.append(check(database, trader.acknowledged))
    return part


def against_empty(
    part: Part, database: str | Path, plan: Plan, aims: Mapping[int, tuple[float, float]]
) -> Trader:
    """Measure a desk on some database beside the empty POST; the desk has stopped afterwards."""
    with rival("empty:app") as bare, desk(database) as server:
        idle = server.resident()
        trader = trader_of(server)
        contenders = [
            asking("empty POST", bare, lambda _: _EMPTY),
            asking("desk", server, trader.ask, trader.settle),
        ]
        for clients in plan.clients:
            loads = in_turns(contenders, clients, plan)
            aim, stretch = aims.get(clients, (None, None))
            part.figures.append(
                Figure(
                    f"{clients} client{'s' if clients > 1 else ''}",
                    rate(loads["desk"]),
                    "/s",
                    "empty POST",
                    rate(loads["empty POST"]),
                    ratio(loads["desk"], loads["empty POST"]),
                    aim,
                    stretch,
                    note=f"{details(loads['desk'])}; empty POST {cost(loads['empty POST']):.3f} ms",
                )
            )
        part.figures.append(
            Figure("memory afterwards", server.resident(), "MB", "at the start", idle)
        )
    return trader
