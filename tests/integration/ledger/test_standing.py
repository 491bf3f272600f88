"""Whether the desk takes changes: everyone who asks while one looks gets the true answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import ReadOnly
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.proof.standing import REASON, Standing
from paperdesk.models import CashMovementKind, DeskMeta

WHY = "It is read-only."
Move = Callable[[str, str], Awaitable[object]]


@pytest.fixture
def standing(database: Database, clock: ManualClock) -> Standing:
    return Standing(database, clock)


@pytest.fixture
async def move(database: Database, standing: Standing, clock: ManualClock) -> AsyncIterator[Move]:
    ledger = Ledger(database, check=standing.check)

    async def move(kind: str, amount: str) -> object:
        kind_of = CashMovementKind(kind)
        return await ledger.submit(MoveCash("default", kind_of, Decimal(amount), clock))

    yield move
    await ledger.close()


async def close_from_outside(database: Database) -> None:
    async with database.write() as session:
        session.add(DeskMeta(key=REASON, value=WHY))


async def test_all_who_come_while_one_looks_wait_for_it(database: Database, move: Move) -> None:
    await close_from_outside(database)

    results = await asyncio.gather(
        *(move("deposit", "1") for _ in range(3)), return_exceptions=True
    )

    assert [type(result) for result in results] == [ReadOnly] * 3


async def test_commands_keep_their_order_while_one_looks(move: Move, clock: ManualClock) -> None:
    for _ in range(3):
        # Only what the first brings pays for the second.
        await asyncio.gather(move("deposit", "5"), move("withdrawal", "10005"))
        await move("deposit", "10000")
        clock.advance(timedelta(seconds=2))


async def test_a_look_that_was_broken_off_is_no_look(
    database: Database, standing: Standing
) -> None:
    await close_from_outside(database)
    looking = asyncio.create_task(standing.reason())
    waiting = asyncio.create_task(standing.reason())
    await asyncio.sleep(0)
    looking.cancel()

    assert await waiting == WHY
    assert await standing.reason() == WHY


async def test_a_failed_proof_counts_though_the_reason_can_be_neither_read_nor_written(
    database: Database, standing: Standing
) -> None:
    async with database.write() as session:
        await session.execute(text("ALTER TABLE desk_meta RENAME TO gone"))

    await standing.close([{"what": "It is wrong."}])

    assert "1 problem(s) in the books" in (await standing.reason() or "")


async def test_what_cannot_be_read_does_not_open_the_desk(
    database: Database, standing: Standing
) -> None:
    async with database.write() as session:
        await session.execute(text("ALTER TABLE desk_meta RENAME TO gone"))

    assert "cannot be read" in (await standing.reason() or "")


async def test_the_first_reason_stays(database: Database, standing: Standing) -> None:
    await close_from_outside(database)

    await standing.close([{"what": "It is wrong."}])

    assert await standing.reason() == WHY
