"""The commands of `python -m bench`."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bench import report
from bench.designs import designs as measure_designs
from bench.machine import facts
from bench.profiling import profile as summary_of
from bench.rounds import Plan
from bench.servers import BUILD
from bench.trades import trades as measure_trades

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
def profile(*, clients: int = 32, seconds: float = 6) -> None:
    """Show what each thread of the desk does while it books trades, by py-spy."""
    sys.stdout.write(summary_of(clients, seconds))


@app.command
def compare(before: Path, after: Path) -> None:
    """Show two kept results side by side."""
    report.compare(before, after)
