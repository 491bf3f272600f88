"""Durable trades of the desk beside the designs that it replaces, and the physical limit."""

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.failures import Failed
from bench.load import Load, post
from bench.report import Figure, Part
from bench.rivals import schema
from bench.rivals.pocketbase import pocketbase, trade_request
from bench.rivals.pocketbase import version as pocketbase_version
from bench.rounds import Contender, Plan, asking, cost, details, in_turns, rate, ratio
from bench.servers import ROOT, desk, rival, scratch
from bench.trading import TICKERS, Trader, check, trade_body, trader_of

ORM, RAW, POCKETBASE = "AsyncSession, commit a request", "raw aiosqlite", "PocketBase batch"
LOOP, LOOP_OF_64 = "raw sqlite3 loop", "raw sqlite3 loop, 64 a commit"
AIMS = {ORM: (10.0, None), RAW: (3.0, None), POCKETBASE: (1.5, 2.0), LOOP: (0.1, None)}
"""By design: how many times its rate the desk's should be, and the stretch."""


@dataclass(slots=True)
class Loop:
    """The loop without HTTP, as a contender; it has no clients."""

    path: Path
    trades_a_commit: int
    committed: int = 0

    def run(self, clients: int, seconds: float) -> Load:
        """Run the loop in a process of its own."""
        command = [sys.executable, "-m", "bench.rivals.loop", self.path, str(seconds)]
        done = subprocess.run(
            [*command, str(self.trades_a_commit)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        trades, passed = done.stdout.split()
        self.committed += int(trades)
        each = [float(passed) / int(trades)] * 2
        return Load(clients, float(passed), int(trades), each, Counter({200: int(trades)}), 0.0)


def designs(plan: Plan) -> Part:
    """Measure all of them in turns, each on a fresh file on the same disk."""
    part = Part(
        "Beside other designs",
        "the same trades; the designs make three record changes (cash, position, trade) without "
        "order, key, snapshot or hash. All with synchronous=FULL, but PocketBase "
        f"{pocketbase_version()}, which has NORMAL. The loops have no HTTP and one client",
    )
    with scratch() as folder:
        orm, raw, batch = Trader(_plain), Trader(_plain), Trader(trade_request)
        loops = {LOOP: Loop(folder / "loop.db", 1), LOOP_OF_64: Loop(folder / "loop64.db", 64)}
        with (
            desk(folder / "desk.db") as server,
            rival("orm:app", **{schema.DATABASE: str(folder / "orm.db")}) as orm_server,
            rival("raw:app", **{schema.DATABASE: str(folder / "raw.db")}) as raw_server,
            pocketbase(folder / "pocketbase") as pocketbase_server,
        ):
            ours = trader_of(server)
            servers = [
                asking("desk", server, ours.ask, ours.settle),
                asking(ORM, orm_server, orm.ask, orm.settle),
                asking(RAW, raw_server, raw.ask, raw.settle),
                asking(POCKETBASE, pocketbase_server, batch.ask, batch.settle),
            ]
            bare = [Contender(name, loop.run) for name, loop in loops.items()]
            for number, clients in enumerate(plan.clients):
                # The loops have no clients: once is enough.
                _compare(part, servers if number else servers + bare, clients, plan)
        part.checks.append("desk: " + check(folder / "desk.db", ours.acknowledged))
        part.checks += [
            _check(ORM, folder / "orm.db", orm.acknowledged),
            _check(RAW, folder / "raw.db", raw.acknowledged),
            _check(POCKETBASE, folder / "pocketbase" / "data.db", batch.acknowledged),
            *(_check(name, loop.path, loop.committed) for name, loop in loops.items()),
        ]
    return part


def _compare(part: Part, contenders: list[Contender], clients: int, plan: Plan) -> None:
    loads = in_turns(contenders, clients, plan)
    for name in [contender.name for contender in contenders if contender.name != "desk"]:
        aim, stretch = AIMS.get(name, (None, None))
        part.figures.append(
            Figure(
                f"{clients} clients, beside {name}",
                rate(loads["desk"]),
                "/s",
                "",
                rate(loads[name]),
                ratio(loads["desk"], loads[name]),
                aim,
                stretch,
                note=f"{details(loads[name])}; the desk {cost(loads['desk']):.3f} ms",
            )
        )


def _check(name: str, path: Path, acknowledged: int) -> str:
    """Count a design's trades, and see that cash and shares are what the trades make of them."""
    with closing(sqlite3.connect(path)) as connection:
        trades, cash, shares = connection.execute(
            "SELECT count(*), sum(iif(side = 'buy', -quantity, quantity)) * :price + :cash"
            " - (SELECT cash FROM accounts), sum(iif(side = 'buy', quantity, -quantity))"
            " - (SELECT sum(quantity) FROM positions) FROM trades",
            {"price": schema.PRICE, "cash": schema.CASH},
        ).fetchone()
    if (trades, cash, shares) != (acknowledged, 0, 0):
        raise Failed(
            f"{name}: {acknowledged} trades were acknowledged, {trades} are there; cash is off by "
            f"{cash}, shares by {shares} millionths."
        )
    return f"{name}: {trades:,} trades = {acknowledged:,} acknowledged, cash and shares add up"


def _plain(ticker: int, selling: bool) -> bytes:  # noqa: FBT001 - a Request
    return post("/trade", trade_body(TICKERS[ticker], "sell" if selling else "buy", "0.01"))
