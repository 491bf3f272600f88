"""The commands of `python -m bench`."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bench import report
from bench.boot import boot as measure_boot
from bench.bulk import ROWS
from bench.bulk import bulk as measure_bulk
from bench.designs import designs as measure_designs
from bench.events import STREAMS as EVENT_STREAMS
from bench.events import events as measure_events
from bench.history import LEAST, MANY, MANY_SNAPSHOTS
from bench.history import history as measure_history
from bench.imports import ROWS as IMPORTED
from bench.imports import imports as measure_imports
from bench.machine import facts
from bench.matching import ORDERS
from bench.matching import matching as measure_matching
from bench.performance import TICKERS, TRADES
from bench.performance import performance as measure_performance
from bench.profiling import profile as summary_of
from bench.reads import reads as measure_reads
from bench.reads import reads_on_postgresql
from bench.report import Part
from bench.rounds import Plan
from bench.servers import BUILD
from bench.signals import RATE
from bench.signals import signals as measure_signals
from bench.streams import STREAMS
from bench.streams import streams as measure_streams
from bench.trades import trades as measure_trades
from bench.trades import trades_on_postgresql

app = App("bench", help="Measure the desk. Without a command: everything.", version_flags=[])

Clients = Annotated[str, Parameter(help="Numbers of clients, with commas between.")]
Seconds = Annotated[float, Parameter(help="How long each run is.")]
RoundCount = Annotated[int, Parameter(help="How often each server has its turn.")]
Out = Annotated[Path | None, Parameter(help="Where to keep the results, as JSON.")]


def run(parts: Sequence[partial[Part]], out: Path | None) -> int:
    """Measure, print and keep; return 1 if something was not as it was acknowledged."""
    machine = facts()
    done = [_measured(measure) for measure in parts]
    report.show(done)
    name = str(machine["measured_at"]).replace(":", "").replace("+0000", "Z")
    report.write(done, machine, out or BUILD / f"{name}.json")
    return 1 if any(part.failure for part in done) else 0


def _measured(measure: partial[Part]) -> Part:
    try:
        part = measure()
    except Exception as failure:  # noqa: BLE001 - the others still count: a run takes minutes
        part = Part(measure.func.__name__, "", failure=repr(failure))
    report.say(f"{part.title}: done")
    return part


def plan(clients: str, seconds: float, rounds: int) -> Plan:
    """Return what the options of a command say."""
    return Plan([int(number) for number in clients.split(",")], seconds, rounds)


@app.default
def everything(*, seconds: Seconds = 2, rounds: RoundCount = 3, out: Out = None) -> int:
    """Measure everything, in about eight minutes (a minute or two more the first time)."""
    four = Plan([1, 8, 32, 128], seconds, rounds)
    two, one = replace(four, clients=[32, 128]), replace(four, clients=[32])
    parts = [
        partial(measure_boot),
        partial(measure_trades, four),
        partial(measure_designs, two),
        partial(measure_reads, one),
        partial(trades_on_postgresql, replace(four, rounds=2)),
        partial(reads_on_postgresql, one),
        partial(measure_history),
        partial(measure_performance),
        partial(measure_streams),
        partial(measure_events),
        partial(measure_bulk),
        partial(measure_imports),
        partial(measure_matching),
        partial(measure_signals),
    ]
    return run(parts, out)


@app.command
def trades(
    *,
    clients: Clients = "1,8,32,128",
    seconds: Seconds = 2,
    rounds: RoundCount = 3,
    out: Out = None,
) -> int:
    """Measure durable trades over HTTP, beside an empty POST."""
    return run([partial(measure_trades, plan(clients, seconds, rounds))], out)


@app.command
def designs(
    *, clients: Clients = "32,128", seconds: Seconds = 2, rounds: RoundCount = 3, out: Out = None
) -> int:
    """Measure durable trades beside the designs that the desk replaces."""
    return run([partial(measure_designs, plan(clients, seconds, rounds))], out)


@app.command
def reads(
    *, clients: Clients = "32", seconds: Seconds = 2, rounds: RoundCount = 3, out: Out = None
) -> int:
    """Measure reads over HTTP, beside an empty GET."""
    return run([partial(measure_reads, plan(clients, seconds, rounds))], out)


@app.command
def postgres(
    *,
    clients: Clients = "1,8,32,128",
    seconds: Seconds = 2,
    rounds: RoundCount = 2,
    out: Out = None,
) -> int:
    """Measure trades and reads of a desk on PostgreSQL."""
    some = plan(clients, seconds, rounds)
    few = replace(some, clients=[32])
    return run([partial(trades_on_postgresql, some), partial(reads_on_postgresql, few)], out)


@app.command
def history(
    *,
    seconds: Seconds = 4,
    many: int = MANY,
    snapshots: int = MANY_SNAPSHOTS,
    least: int = LEAST,
    out: Out = None,
) -> int:
    """Measure a desk with a million trades beside one with a thousand."""
    past = {"many": many, "snapshots": snapshots, "least": least}
    return run([partial(measure_history, seconds, **past)], out)


@app.command
def performance(*, count: int = TRADES, tickers: int = TICKERS, out: Out = None) -> int:
    """Measure the portfolio and the performance of an account of twelve years."""
    return run([partial(measure_performance, trades=count, tickers=tickers)], out)


@app.command
def streams(*, count: int = STREAMS, seconds: Seconds = 10, out: Out = None) -> int:
    """Measure price streams on one core."""
    return run([partial(measure_streams, count, seconds)], out)


@app.command
def events(*, count: int = EVENT_STREAMS, seconds: Seconds = 20, out: Out = None) -> int:
    """Measure event streams on one core, idle and while trades are booked."""
    return run([partial(measure_events, count, seconds)], out)


@app.command
def bulk(*, rows: int = ROWS, out: Out = None) -> int:
    """Measure a replay of a file of trades, and their proof."""
    return run([partial(measure_bulk, rows)], out)


@app.command
def imports(*, rows: int = IMPORTED, out: Out = None) -> int:
    """Measure the import of a broker's file by a server, and its proof."""
    return run([partial(measure_imports, rows)], out)


@app.command
def matching(*, orders: int = ORDERS, out: Out = None) -> int:
    """Measure the matching of resting orders."""
    return run([partial(measure_matching, orders)], out)


@app.command
def signals(*, rate: int = RATE, seconds: Seconds = 10, out: Out = None) -> int:
    """Measure a burst of alerts."""
    return run([partial(measure_signals, rate, seconds)], out)


@app.command
def boot(*, out: Out = None) -> int:
    """Measure the start of a desk, and its memory when idle."""
    return run([partial(measure_boot)], out)


@app.command
def profile(*, clients: int = 32, seconds: float = 6, gil: bool = False) -> None:
    """Show what each thread of the desk does while it books trades, by py-spy.

    With --gil only the time that Python code itself ran.
    """
    sys.stdout.write(summary_of(clients, seconds, gil=gil))


@app.command
def compare(before: Path, after: Path) -> None:
    """Show two kept results side by side."""
    report.compare(before, after)
