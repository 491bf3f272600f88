"""Two desks on one PostgreSQL book at the same time: as if all came one after another."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Refused
from support import wishes
from support.beside import Beside, real_command
from support.effort import SEED
from support.observed import booked_entry, problems_found
from support.reference import Command
from support.serial import Answered, assert_serial
from support.trading import TradingDesk

ROUNDS = 25
ACCOUNTS = ("first", "second")


@pytest.fixture
async def both(postgres_url: str, clock: ManualClock) -> AsyncIterator[tuple[Beside, TradingDesk]]:
    beside = Beside(postgres_url)
    other = TradingDesk(Database(postgres_url), clock)
    yield beside, other
    await other.ledger.close()
    await other.database.close()
    await beside.close()


async def test_two_writers_book_as_one_would(both: tuple[Beside, TradingDesk]) -> None:
    print(f"MODEL_SEED={SEED}")  # noqa: T201 - repeats a failure
    beside, other = both
    rng = Random(SEED)
    for account in ACCOUNTS:
        await beside.open(account, "10000")
    sent: list[Command] = []
    for _ in range(ROUNDS):
        for ticker in wishes.TICKERS:
            price = wishes.price(rng)
            beside.price(ticker, price)
            other.price(ticker, str(price))
        commands = [wishes.command(rng, beside.model, sent) for _ in range(20)]
        # Each goes to one of the desks, every fourth to both at once: it has one effect if it has
        # a key, and two if it has none.
        ways = [(n, beside.desk if n % 2 else other) for n in range(20)]
        ways += [(n, other if n % 2 else beside.desk) for n in range(0, 20, 4)]
        answers: list[Any] = await asyncio.gather(
            *(desk.ledger.submit(real_command(desk, commands[n])) for n, desk in ways),
            return_exceptions=True,
        )
        assert_serial(
            beside.model,
            [answered(commands[n], answer) for (n, _), answer in zip(ways, answers, strict=True)],
        )
        await beside.compare_accounts()
        sent += commands
    await beside.compare_journals()
    assert await problems_found(beside.desk.database) == []


def answered(command: Command, answer: Any) -> Answered:
    if isinstance(answer, Refused):
        return Answered(command, None, code=answer.code)
    if isinstance(answer, BaseException):
        raise answer
    return Answered(command, booked_entry(answer.result), answer.result.replayed)
