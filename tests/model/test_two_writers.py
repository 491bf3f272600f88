"""Two desks on one PostgreSQL book at the same time: as if all came one after another."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from random import Random

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

ROUNDS = 10
CALLERS = 9
EACH = 6
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
        # Each caller sends one command after another, so that the writers meet again and again.
        # Every third speaks to both desks at the same time: a key has one effect even so.
        callers: list[Coroutine[None, None, list[Answered]]] = []
        for n in range(CALLERS):
            commands = [wishes.command(rng, beside.model, sent) for _ in range(EACH)]
            desks = (beside.desk, other) if n % 3 == 0 else (beside.desk, other)[n % 3 - 1 :][:1]
            callers += [called(desk, commands) for desk in desks]
        answers = await asyncio.gather(*callers)
        assert_serial(beside.model, [answer for of_one in answers for answer in of_one])
        sent += [answer.command for of_one in answers for answer in of_one]
        await beside.compare_accounts()
    await beside.compare_journals()
    assert await problems_found(beside.desk.database) == []


async def called(desk: TradingDesk, commands: list[Command]) -> list[Answered]:
    """Send commands one after another, as one caller does."""
    answers: list[Answered] = []
    for command in commands:
        try:
            booked = await desk.ledger.submit(real_command(desk, command))
        except Refused as refusal:
            answers.append(Answered(command, None, code=refusal.code))
        else:
            entry = booked_entry(booked.result)
            answers.append(Answered(command, entry, booked.result.replayed))
    return answers
