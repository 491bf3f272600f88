"""Measuring several servers beside each other: in turns, so that noise meets all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.load import Ask, Load, drive
from bench.report import say
from bench.servers import Server

_SETTLING = 0.2
"""Seconds between two runs, in which a server ends what the last clients left."""


@dataclass(frozen=True, slots=True)
class Contender:
    """What is measured: `run` loads it with some clients for some seconds."""

    name: str
    run: Callable[[int, float], Load]


def asking(
    name: str, server: Server, ask: Ask, settle: Callable[[Load], Load] = Load.all_good
) -> Contender:
    """Return a server as a contender: what it is asked, and what to do with each run's outcome."""

    def run(clients: int, seconds: float) -> Load:
        before, loop_before = server.cpu(), server.loop_cpu()
        load = drive(server.url, ask, clients=clients, seconds=seconds)
        load.server_cpu = server.cpu() - before
        load.loop_cpu = server.loop_cpu() - loop_before
        return settle(load)

    return Contender(name, run)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    clients: Sequence[int]
    seconds: float
    rounds: int


Rounds = Mapping[str, Sequence[Load]]
"""The runs of each contender, by its name, in the order of the rounds."""


def in_turns(contenders: Sequence[Contender], clients: int, plan: Plan) -> Rounds:
    """Run every contender once a round; a short run of each before does not count."""
    loads: dict[str, list[Load]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        _run(contender, clients, min(0.5, plan.seconds))
    for number in range(plan.rounds):
        # Every other round backwards, so that nobody always runs in another's wake.
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            loads[contender.name].append(_run(contender, clients, plan.seconds))
    rates = ", ".join(
        f"{name} {' '.join(f'{load.rate:,.0f}' for load in each)}/s" for name, each in loads.items()
    )
    say(f"{clients} clients: {rates}")
    return loads


def rate(loads: Sequence[Load]) -> float:
    """Return the median rate of some rounds."""
    return median(load.rate for load in loads)


def ratio(measured: Sequence[Load], beside: Sequence[Load]) -> float:
    """Return the median over the rounds of one rate divided by the other's."""
    return median(one.rate / other.rate for one, other in zip(measured, beside, strict=True))


def cost(loads: Sequence[Load]) -> float:
    """Return the median of what an answer costs the server, in milliseconds of processor time."""
    return 1000 * median(load.cost for load in loads)


def details(loads: Sequence[Load]) -> str:
    """Return the latencies of some rounds, and what each side took, for a note."""
    middle = 1000 * median(load.percentile(50) for load in loads)
    high = 1000 * median(load.percentile(99) for load in loads)
    own = max(load.own_cpu for load in loads)
    loop = 1000 * median(load.loop_cost for load in loads)
    return (
        f"p50 {middle:.1f} ms, p99 {high:.1f} ms; {cost(loads):.3f} ms of processor time each, "
        f"{loop:.3f} in the event loop; load generator {own:.0%} of a core"
    )


def _run(contender: Contender, clients: int, seconds: float) -> Load:
    load = contender.run(clients, seconds)
    time.sleep(_SETTLING)
    return load
