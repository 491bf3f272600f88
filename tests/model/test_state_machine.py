"""The real desk beside the reference model: whatever is done to both, they agree in every digit.

Hypothesis chooses what is done. Each command counts as a step; `support.effort` says how many steps
are taken, and how to repeat them.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from paperdesk.db.engine import Database
from paperdesk.ledger.proof.proving import Problem
from support import wishes
from support.beside import Beside
from support.effort import SEED, SHRINK, STEPS
from support.observed import problems_found
from support.reference import Command

RANDOMS = st.randoms(use_true_random=False)


@dataclass(frozen=True)
class Leaving:
    """Half of the callers go away, so many turns of the event loop after they asked."""

    after: int
    stopping: bool
    """Whether the desk is stopped and started just then."""


LEAVING = st.none() | st.builds(Leaving, st.integers(0, 3), st.booleans())
AS_LONG_AS_IT_TAKES = settings(
    deadline=None,
    derandomize=False,
    database=None,
    print_blob=True,
    max_examples=3,
    stateful_step_count=25,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)

EVERY_OUTCOME = {
    "buy",
    "sell",
    "deposit",
    "withdrawal",
    "replayed",
    "booked for nobody",
    "given up",
    "IDEMPOTENCY_MISMATCH",
    "INSUFFICIENT_CASH",
    "INSUFFICIENT_SHARES",
    "INVALID_REQUEST",
    "NOT_FOUND",
    "PRICE_UNAVAILABLE",
}
"""What must have happened, lest the choices leave something out."""


class Progress:
    """What outlives one example: the event loop, and the count of what was really done."""

    def __init__(self, url: str, runner: asyncio.Runner) -> None:
        self.url = url
        self.runner = runner
        self.examples = 0
        self.steps = 0
        self.outcomes = Counter[str]()


class Trading(RuleBasedStateMachine):
    """Three accounts of a desk, used by many at once."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress
        progress.examples += 1
        self.example = progress.examples
        self.run = progress.runner.run
        self.beside = self.run(self.begin())
        self.earlier: list[Command] = []
        self.keys = 0
        self.failed = False

    async def begin(self) -> Beside:
        return Beside(self.progress.url)

    @initialize(balances=st.lists(st.sampled_from(wishes.BALANCES), min_size=3, max_size=3))
    def open_accounts(self, balances: list[str]) -> None:
        # Accounts of its own for each example, so that one database serves them all.
        for n, balance in enumerate(balances):
            self.run(self.beside.open(f"account-{self.example}-{n}", balance))

    @initialize(rng=RANDOMS)
    def price_all(self, rng: Random) -> None:
        for ticker in wishes.TICKERS:
            self.beside.price(ticker, wishes.price(rng))

    @rule(rng=RANDOMS, ticker=st.sampled_from(wishes.TICKERS))
    def price(self, rng: Random, ticker: str) -> None:
        price = wishes.price(rng)
        note(f"{ticker} at {price}")
        self.beside.price(ticker, price)

    @rule(seconds=st.sampled_from(wishes.CLOCK_JUMPS), back=st.booleans())
    def move_clock(self, seconds: float, back: bool) -> None:  # noqa: FBT001 - drawn by name
        self.beside.move_clock(-seconds if back else seconds)

    @rule(rng=RANDOMS, number=st.integers(1, 12), leaving=LEAVING)
    def trade(self, rng: Random, number: int, leaving: Leaving | None) -> None:
        self.trade_at_once(rng, number, leaving)

    @rule(number=st.integers(20, 150), choice=st.integers(0, 2**32), leaving=LEAVING)
    def trade_in_a_burst(self, number: int, choice: int, leaving: Leaving | None) -> None:
        self.trade_at_once(Random(choice), number, leaving)

    def trade_at_once(self, rng: Random, number: int, leaving: Leaving | None) -> None:
        self.confirm_prices(rng)
        commands = self.wanted(rng, number)
        if leaving is None:
            self.send(commands)
            return
        gone = [n for n in range(number) if rng.randrange(2)]
        for n in gone:
            self.keys += 1
            commands[n] = replace(commands[n], key=f"gone-{self.keys}")
        self.send(commands, gone=gone, after=leaving.after, restart=leaving.stopping)
        # Whoever went away commands again under the same key.
        self.send([commands[n] for n in gone])

    @rule()
    def restart(self) -> None:
        self.run(self.beside.restart())

    def confirm_prices(self, rng: Random) -> None:
        """Mostly there are prices, and they move; a restart or a moved clock left none."""
        if rng.randrange(8):
            for ticker in wishes.TICKERS:
                if self.beside.model.current_price(ticker) is None or rng.randrange(2):
                    self.beside.price(ticker, wishes.price(rng))

    def wanted(self, rng: Random, number: int) -> list[Command]:
        commands: list[Command] = []
        for _ in range(number):
            commands.append(wishes.command(rng, self.beside.model, self.earlier + commands))
        return commands

    def send(self, commands: list[Command], **how: Any) -> None:
        note("\n".join(map(str, [*commands, how])))
        self.failed = True
        self.run(self.beside.send(commands, **how))
        self.failed = False
        self.earlier += commands

    def teardown(self) -> None:
        try:
            if not self.failed:
                self.run(self.beside.compare_journals())
        finally:
            self.progress.steps += self.beside.steps
            self.progress.outcomes += self.beside.outcomes
            self.run(self.beside.close())


@pytest.fixture
def progress(database_url: str) -> Iterator[Progress]:
    with asyncio.Runner() as runner:
        yield Progress(database_url, runner)


async def all_problems(url: str) -> list[Problem]:
    database = Database(url)
    try:
        return await problems_found(database)
    finally:
        await database.close()


@pytest.mark.timeout(600 + STEPS // 50)
def test_the_desk_and_the_model_agree_in_every_digit(
    progress: Progress, request: pytest.FixtureRequest
) -> None:
    rounds = 0
    wanted = STEPS // 2
    # A little longer where by chance something has not happened yet.
    while progress.steps < wanted or (
        progress.steps < 3 * wanted and not set(progress.outcomes) >= EVERY_OUTCOME
    ):
        # Other choices for each database: the more is tried.
        choices = seed(f"{SEED} {request.node.name} {rounds}")
        machine: Any = choices(lambda: Trading(progress))
        run_state_machine_as_test(machine, settings=AS_LONG_AS_IT_TAKES)
        rounds += 1
        print(f"MODEL_SEED={SEED}: {progress.steps} commands, {dict(progress.outcomes)}")  # noqa: T201

    assert progress.runner.run(all_problems(progress.url)) == []
    assert progress.steps >= wanted
    assert set(progress.outcomes) >= EVERY_OUTCOME
