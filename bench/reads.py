"""Reads over HTTP, as a ratio to an empty GET."""

from pathlib import Path

from bench.load import get
from bench.postgres import new_database, postgresql
from bench.report import Figure, Part
from bench.rounds import Plan, asking, cost, details, in_turns, rate, ratio
from bench.servers import desk, rival, scratch
from bench.trading import trader_of

AIM = 0.4
_EMPTY = get("/")
_PATHS = ("/api/portfolio", "/api/prices")


_WORKLOAD = (
    "GET /api/portfolio with ten positions and GET /api/prices with ten prices; beside an empty "
    "GET of a bare FastAPI app"
)


def reads(plan: Plan) -> Part:
    """Measure the portfolio and the prices of a desk on SQLite."""
    part = Part("Reads, SQLite", _WORKLOAD)
    with scratch() as folder:
        read_figures(part, folder / "desk.db", plan, AIM)
    return part


def reads_on_postgresql(plan: Plan) -> Part:
    """Measure the portfolio and the prices of a desk on PostgreSQL."""
    part = Part("Reads, PostgreSQL", _WORKLOAD)
    with postgresql() as server:
        read_figures(part, new_database(server, "reads"), plan, None)
    return part


def read_figures(part: Part, database: str | Path, plan: Plan, aim: float | None) -> None:
    """Measure the reads of a desk on some database."""
    with rival("empty:app") as bare, desk(database) as server:
        trader_of(server)
        asked = {path: get(path) for path in _PATHS}
        contenders = [
            asking("empty GET", bare, lambda _: _EMPTY),
            *(asking(path, server, lambda _, ask=ask: ask) for path, ask in asked.items()),
        ]
        for clients in plan.clients:
            loads = in_turns(contenders, clients, plan)
            part.figures += [
                Figure(
                    f"GET {path}, {clients} clients",
                    rate(loads[path]),
                    "/s",
                    "empty GET",
                    rate(loads["empty GET"]),
                    ratio(loads[path], loads["empty GET"]),
                    aim,
                    note=f"{details(loads[path])}; empty GET {cost(loads['empty GET']):.3f} ms",
                )
                for path in _PATHS
            ]
        part.figures.append(Figure("memory after reading", server.resident(), "MB"))
