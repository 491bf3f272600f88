"""Deposits and withdrawals through the writer: what is booked, refused, and repeated."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InvalidRequest,
    NotFound,
    Refused,
)
from paperdesk.ledger.cash import MoveCash
from paperdesk.models import CashMovement, CashMovementKind
from support.processes import outcomes, start
from support.trading import TradingDesk, assert_books_hold, row_counts, state_of, trading


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        yield desk


def moving(desk: TradingDesk, kind: str, amount: str, **rest: str) -> MoveCash:
    return MoveCash(
        account_id=rest.pop("account_id", "default"),
        kind=CashMovementKind(kind),
        amount=Decimal(amount),
        clock=desk.clock,
        **rest,
    )


async def test_cash_comes_and_goes_to_the_last_millionth(desk: TradingDesk) -> None:
    await desk.ledger.submit(moving(desk, "deposit", "0.000001", note="interest of a kind"))
    out = await desk.ledger.submit(moving(desk, "withdrawal", "10000.000001"))

    assert out.account.cash_balance == 0
    assert out.result.movement.amount == Decimal("-10000.000001")
    async with desk.database.read() as session:
        rows = (await session.scalars(select(CashMovement).order_by(CashMovement.sequence))).all()
    assert [(row.kind.value, row.amount, row.sequence) for row in rows] == [
        ("deposit", Decimal(10_000), 1),
        ("deposit", Decimal("0.000001"), 2),
        ("withdrawal", Decimal("-10000.000001"), 3),
    ]
    assert [row.key for row in rows[1:]] == [row.id for row in rows[1:]]
    assert rows[1].effective_at == rows[1].created_at == desk.clock.now()
    await assert_books_hold(desk.database)


@pytest.mark.parametrize(
    ("kind", "amount", "rest", "error"),
    [
        ("withdrawal", "10000.000001", {}, InsufficientCash),
        ("deposit", "0", {}, InvalidRequest),
        ("deposit", "-1", {}, InvalidRequest),
        ("deposit", "0.0000001", {}, InvalidRequest),
        ("deposit", "1000000000.000001", {}, InvalidRequest),
        ("deposit", "999990000.000001", {}, InvalidRequest),
        ("deposit", "1", {"key": "opening"}, InvalidRequest),
        ("deposit", "1", {"key": "paperdesk:split:1"}, InvalidRequest),
        ("deposit", "1", {"account_id": "nobody"}, NotFound),
    ],
    ids=repr,
)
async def test_a_refusal_leaves_no_trace(
    desk: TradingDesk, kind: str, amount: str, rest: dict[str, str], error: type[Refused]
) -> None:
    before = await row_counts(desk.database)

    with pytest.raises(error):
        await desk.ledger.submit(moving(desk, kind, amount, **rest))

    assert await row_counts(desk.database) == before
    assert (await state_of(desk.database))["cash"] == 10_000


async def test_the_cap_itself_can_be_reached(desk: TradingDesk) -> None:
    full = await desk.ledger.submit(moving(desk, "deposit", "999990000"))

    assert full.account.cash_balance == 1_000_000_000


async def test_a_key_moves_once_also_across_restarts(
    desk: TradingDesk, database: Database, clock: ManualClock
) -> None:
    first = await desk.ledger.submit(moving(desk, "deposit", "5", key="k", note="n"))
    again = await desk.ledger.submit(moving(desk, "deposit", "5.0", key="k", note="n"))
    async with trading(database, clock) as restarted:
        later = await restarted.ledger.submit(moving(desk, "deposit", "5", key="k", note="n"))

    assert [each.result.replayed for each in (first, again, later)] == [False, True, True]
    assert {each.result.movement.id for each in (first, again, later)} == {first.result.movement.id}
    assert (await state_of(database))["cash"] == 10_005


async def test_a_key_of_another_movement_is_refused(desk: TradingDesk) -> None:
    await desk.ledger.submit(moving(desk, "deposit", "5", key="k", note="n"))

    for kind, amount, note in (
        ("deposit", "6", "n"),
        ("withdrawal", "5", "n"),
        ("deposit", "5", "m"),
    ):
        with pytest.raises(IdempotencyMismatch):
            await desk.ledger.submit(moving(desk, kind, amount, key="k", note=note))

    assert (await state_of(desk.database))["cash"] == 10_005


async def test_a_key_stands_for_one_command_whichever_door_it_came_through(
    desk: TradingDesk,
) -> None:
    await desk.trade("buy", "1", client_order_id="order")
    await desk.ledger.submit(moving(desk, "deposit", "5", key="cash"))

    with pytest.raises(IdempotencyMismatch, match="an order"):
        await desk.ledger.submit(moving(desk, "deposit", "5", key="order"))
    with pytest.raises(IdempotencyMismatch, match="something else than an order"):
        await desk.trade("buy", "1", client_order_id="cash")
    for first in (0, 1):
        both = [
            desk.ledger.submit(moving(desk, "deposit", "5", key=f"both {first}")),
            desk.trade("buy", "1", client_order_id=f"both {first}"),
        ]
        outcomes = await asyncio.gather(*both[first:], *both[:first], return_exceptions=True)
        assert [isinstance(outcome, IdempotencyMismatch) for outcome in outcomes] == [False, True]
    with pytest.raises(InsufficientCash):
        await desk.trade("buy", "1000", client_order_id="refused")
    await desk.ledger.submit(moving(desk, "deposit", "5", key="refused"))
    await assert_books_hold(desk.database)


async def test_a_refusal_leaves_its_key_free(desk: TradingDesk) -> None:
    with pytest.raises(InsufficientCash):
        await desk.ledger.submit(moving(desk, "withdrawal", "20000", key="k"))

    moved = await desk.ledger.submit(moving(desk, "withdrawal", "1", key="k"))

    assert not moved.result.replayed


async def test_withdrawals_at_once_never_overdraw(desk: TradingDesk) -> None:
    def shuffled() -> list[MoveCash]:
        return [moving(desk, "withdrawal", "700.000001", key=f"k{n}") for n in range(20)]

    results = await asyncio.gather(
        *(desk.ledger.submit(move) for move in shuffled()),
        *(desk.trade("buy", "0.5", client_order_id=f"b{n}") for n in range(10)),
        *(desk.ledger.submit(move) for move in shuffled()),
        return_exceptions=True,
    )

    # 10,000 less at most ten trades of $50 leaves room for 13 or 14 of them; each key moves once.
    ends = Counter(type(result).__name__ for result in results)
    assert ends.keys() == {"Booked", "InsufficientCash"}
    state = await state_of(desk.database)
    async with desk.database.read() as session:
        moved = (
            await session.scalars(
                select(CashMovement.amount).where(CashMovement.kind == CashMovementKind.withdrawal)
            )
        ).all()
    assert len(moved) in {13, 14}
    assert 0 <= state["cash"] < Decimal("700.000001")
    await assert_books_hold(desk.database)


async def test_a_key_in_flight_many_times_moves_once(desk: TradingDesk) -> None:
    results = await asyncio.gather(
        *(desk.ledger.submit(moving(desk, "deposit", "5", key="k")) for _ in range(50))
    )

    assert Counter(result.result.replayed for result in results) == {False: 1, True: 49}
    assert len({result.result.movement.id for result in results}) == 1
    assert (await state_of(desk.database))["cash"] == 10_005


MOVER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from decimal import Decimal
from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import InsufficientCash
from paperdesk.ledger.cash import MoveCash
from paperdesk.models import CashMovementKind
from support.databases import START
from support.trading import trading

async def run():
    database, clock = Database(sys.argv[1]), ManualClock(START)
    async with trading(database, clock) as desk:
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(30):
            # Every other key is shared by all processes.
            key = f"shared-{n}" if n % 2 else None
            try:
                await desk.ledger.submit(MoveCash("default", CashMovementKind.withdrawal,
                    Decimal("300"), clock, key))
            except InsufficientCash:
                pass
    await database.close()

asyncio.run(run())
"""


async def test_processes_that_share_a_database_never_overdraw_nor_move_a_key_twice(
    postgresql: Database,
) -> None:
    tests = str(Path(__file__).parents[2])
    movers = [start(MOVER, postgresql.url, tests) for _ in range(2)]
    for mover in movers:
        assert mover.stdout
        assert await asyncio.to_thread(mover.stdout.readline) == "ready\n"
    for mover in movers:
        assert mover.stdin
        mover.stdin.write("\n")
        mover.stdin.flush()

    ended = await asyncio.to_thread(outcomes, movers)

    assert [(code, err) for code, _, err in ended] == [(0, "")] * 2
    assert (await state_of(postgresql))["cash"] == 100
    await assert_books_hold(postgresql)
