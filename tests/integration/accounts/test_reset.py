"""A reset begins a new chapter of an account's journal, and forgets nothing."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from paperdesk.accounts.reset import Reset, ResetAccount
from paperdesk.db.engine import Database
from paperdesk.errors import IdempotencyMismatch, InvalidRequest, NotFound
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.cash import MoveCash
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    CostBasis,
    OrderClass,
    OrderType,
    PositionAdjustment,
    TimeInForce,
    Trade,
)
from paperdesk.orders.terms import StopLoss
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk

LIMIT: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}


async def reset(desk: TradingDesk, **rest: Any) -> Reset:
    done = (await desk.ledger.submit(ResetAccount("default", desk.venue, **rest))).result
    assert await problems_found(desk.database) == []
    await assert_orders_hold(desk)
    return done


async def count(database: Database, table: Any) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_it_begins_with_what_the_account_was_opened_with(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    desk.price("AAPL", "90")
    await desk.trade("sell", "4")
    before = await desk.ledger.account("default")
    assert (before.realized_pnl, before.cash_balance) == (-40, 9360)
    done = await reset(desk, note="once more")
    after = await desk.ledger.account("default")
    assert (after.cash_balance, after.realized_pnl, after.positions) == (10_000, 0, ())
    assert (done.opening.amount, done.opening.note, done.replayed) == (10_000, "once more", False)
    # Nothing is forgotten: the position, the cash and the new balance are entries like others.
    assert after.sequence == before.sequence + 3
    assert await count(desk.database, Trade) == 2
    await desk.trade("buy", "1")
    desk.price("AAPL", "95")
    await desk.trade("sell", "1")
    assert (await desk.ledger.account("default")).realized_pnl == 5
    assert await problems_found(desk.database) == []


@pytest.mark.parametrize("method", CostBasis)
async def test_lots_and_short_sales_leave_it_too(desk: TradingDesk, method: CostBasis) -> None:
    rules = {"short_selling": True, "cost_basis_method": method}
    await desk.ledger.submit(ChangeRules("default", rules))
    desk.price("MSFT", "50")
    await desk.trade("buy", "3")
    await desk.trade("buy", "4")
    await desk.trade("sell", "10", "MSFT")
    await reset(desk, cash_balance=Decimal("123.456789") - Decimal("0.000789"))
    account = await desk.ledger.account("default")
    assert (account.cash_balance, account.positions) == (Decimal("123.456"), ())
    assert account.buying_power == Decimal("123.456")
    assert account.rules.cost_basis_method is method
    async with desk.database.read() as session:
        given = (await session.scalars(select(PositionAdjustment))).all()
    assert {(g.ticker, g.quantity, g.cost_basis, str(g.kind)) for g in given} == {
        ("AAPL", -7, -700, "reset"),
        ("MSFT", 10, 500, "reset"),
    }


async def test_open_orders_are_canceled_with_all_that_is_linked_to_them(desk: TradingDesk) -> None:
    await desk.trade("buy", "5")
    resting = await desk.place("buy", "3", limit_price="90", **LIMIT)
    exits = await desk.place(
        "sell", "5", order_class=OrderClass.oco, limit_price="120",
        stop_loss=StopLoss(Decimal(80)), **LIMIT
    )  # fmt: skip
    done = await reset(desk)
    assert len(done.canceled) == 3
    orders = (resting.order, exits.order, exits.legs[0])
    assert await states(desk, *orders) == ["canceled"] * 3
    assert (await order_row(desk, resting.order.id)).reason == "The account was reset."
    account = await desk.ledger.account("default")
    assert (account.reserved_cash, account.buying_power) == (0, 10_000)
    await desk.move("AAPL", "79")
    assert (await desk.ledger.account("default")).sequence == account.sequence


async def test_an_account_without_anything_can_be_reset_and_reset_again(desk: TradingDesk) -> None:
    await desk.ledger.submit(
        MoveCash("default", CashMovementKind.withdrawal, Decimal(10_000), desk.clock)
    )
    await reset(desk, cash_balance=Decimal(0))
    await reset(desk)
    assert (await desk.ledger.account("default")).cash_balance == 10_000


async def test_keys_of_before_are_still_taken(desk: TradingDesk) -> None:
    first = await desk.trade("buy", "1", client_order_id="mine")
    await reset(desk)
    again = await desk.trade("buy", "1", client_order_id="mine")
    assert again.result.replayed
    assert again.result.order.id == first.result.order.id
    assert (await desk.ledger.account("default")).positions == ()
    with pytest.raises(IdempotencyMismatch):
        await desk.ledger.submit(ResetAccount("default", desk.venue, key="mine"))


async def test_a_key_resets_once_also_when_many_ask_at_once(desk: TradingDesk) -> None:
    await desk.trade("buy", "1")
    command = ResetAccount("default", desk.venue, Decimal(500), "key")
    done = await asyncio.gather(*(desk.ledger.submit(command) for _ in range(12)))
    assert sorted(each.result.replayed for each in done) == [False] + [True] * 11
    assert len({each.result.opening.id for each in done}) == 1
    await desk.trade("buy", "2")
    assert (await reset(desk, cash_balance=Decimal(500), key="key")).replayed
    # What was bought since is still there.
    assert (await desk.ledger.account("default")).positions[0].quantity == 2
    assert (await reset(desk, key="key")).replayed
    for balance, note in ((Decimal(501), None), (Decimal(500), "other")):
        with pytest.raises(IdempotencyMismatch):
            await desk.ledger.submit(ResetAccount("default", desk.venue, balance, "key", note))
    deposit = MoveCash("default", CashMovementKind.deposit, Decimal(500), desk.clock, "key")
    with pytest.raises(IdempotencyMismatch):
        await desk.ledger.submit(deposit)


async def test_the_key_of_a_deposit_is_not_one_of_a_reset(desk: TradingDesk) -> None:
    await desk.ledger.submit(
        MoveCash("default", CashMovementKind.deposit, Decimal(5), desk.clock, "paid")
    )
    with pytest.raises(IdempotencyMismatch):
        await desk.ledger.submit(ResetAccount("default", desk.venue, Decimal(5), "paid"))
    with pytest.raises(InvalidRequest, match="the desk's own"):
        await desk.ledger.submit(ResetAccount("default", desk.venue, key="opening"))
    with pytest.raises(NotFound):
        await desk.ledger.submit(ResetAccount("nobody", desk.venue))
    assert await count(desk.database, CashMovement) == 2


async def test_it_is_one_batch_with_the_trades_around_it(desk: TradingDesk) -> None:
    """What the same transaction bought just before is given up too."""
    commands = [
        desk.order("buy", "2"),
        ResetAccount("default", desk.venue),
        desk.order("buy", "3"),
    ]
    await asyncio.gather(*(desk.ledger.submit(command) for command in commands))
    account = await desk.ledger.account("default")
    assert [p.quantity for p in account.positions] == [3]
    assert account.cash_balance == 9700
    assert await problems_found(desk.database) == []
