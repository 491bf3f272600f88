"""The commands of `python -m bench`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bench import report
from bench.boot import boot as measure_boot
from bench.designs import designs as measure_designs
from bench.history import MANY, MANY_SNAPSHOTS
from bench.history import history as measure_history
from bench.machine import facts
from bench.profiling import profile as summary_of
from bench.reads import reads as measure_reads
from bench.reads import reads_on_postgresql
from bench.rounds import Plan
from bench.servers import BUILD
from bench.streams import STREAMS
from bench.streams import streams as measure_streams
from bench.trades import trades as measure_trades
from bench.trades import trades_on_postgresql

app = App("bench", help="Measure the desk. Without a command: everything.", version_flags=[])

Clients = Annotated[str, Parameter(help="Numbers of clients, with commas between.")]
Seconds = Annotated[float, Parameter(help="How long each run is.")]
RoundCount = Annotated[int, Parameter(help="How often each server has its turn.")]
Out = Annotated[Path | None, Parameter(help="Where to keep the results, as JSON.")]


def run(parts: Sequence[Callable[[], report.Part]], out: Path | None) -> None:
    """Measure, print and keep. What does not match the books ends it with an error."""
    machine = facts()
    done: list[report.Part] = []
    for measure in parts:
        done.append(measure())
        report.say(f"{done[-1].title}: done")
    report.show(done)
    name = str(machine["measured_at"]).replace(":", "").replace("+0000", "Z")
    report.write(done, machine, out or BUILD / f"{name}.json")


def plan(clients: str, seconds: float, rounds: int) -> Plan:
    """Return what the options of a command say."""
    return Plan([int(number) for number in clients.split(",")], seconds, rounds)


@app.command
def trades(
    *,
    clients: Clients = "1,8,32,128",
    seconds: Seconds = 2,
    rounds: RoundCount = 3,
    out: Out = None,
) -> None:
    """Measure durable trades over HTTP, beside an empty POST."""
    run([lambda: measure_trades(plan(clients, seconds, rounds))], out)


@app.command
def designs(
    *, clients: Clients = "32,128", seconds: Seconds = 2, rounds: RoundCount = 3, out: Out = None
) -> None:
    """Measure durable trades beside the designs that the desk replaces."""
    run([lambda: measure_designs(plan(clients, seconds, rounds))], out)


@app.command
def reads(
    *, clients: Clients = "32", seconds: Seconds = 2, rounds: RoundCount = 3, out: Out = None
) -> None:
    """Measure reads over HTTP, beside an empty GET."""
    run([lambda: measure_reads(plan(clients, seconds, rounds))], out)


@app.command
def postgres(
    *,
    clients: Clients = "1,8,32,128",
    seconds: Seconds = 2,
    rounds: RoundCount = 2,
    out: Out = None,
) -> None:
    """Measure trades and reads of a desk on PostgreSQL."""
    some = plan(clients, seconds, rounds)
    few = replace(some, clients=[32])
    run([lambda: trades_on_postgresql(some), lambda: reads_on_postgresql(few)], out)


@app.command
def history(
    *, seconds: Seconds = 4, many: int = MANY, snapshots: int = MANY_SNAPSHOTS, out: Out = None
) -> None:
    """Measure a desk with a million trades beside one with a thousand."""
    run([lambda: measure_history(seconds, many=many, snapshots=snapshots)], out)


@app.command
def streams(*, count: int = STREAMS, seconds: Seconds = 10, out: Out = None) -> None:
    """Measure price streams on one core."""
    run([lambda: measure_streams(count, seconds)], out)


@app.command
def boot(*, out: Out = None) -> None:
    """Measure the start of a desk, and its memory when idle."""
    run([measure_boot], out)


@app.command
def profile(*, clients: int = 32, seconds: float = 6) -> None:
    """Show what each thread of the desk does while it books trades, by py-spy."""
    sys.stdout.write(summary_of(clients, seconds))


@app.command
def compare(before: Path, after: Path) -> None:
    """Show two kept results side by side."""
    report.compare(before, after)
