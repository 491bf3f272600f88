"""Borrowed shares cost a fee a day, once, whatever happens to the desk meanwhile."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select

from paperdesk.accounts.clone import clone_account
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.cash import MoveCash
from paperdesk.margin.watch import CHARGED, MarginWatch
from paperdesk.models import CashMovement, CashMovementKind, DeskMeta, OrderType, TimeInForce
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row
from support.trading import TradingDesk

DAY = timedelta(days=1)
Watching = Callable[[], Awaitable[MarginWatch]]


async def fees(desk: TradingDesk) -> list[tuple[str | None, Decimal, Any]]:
    async with desk.database.read() as session:
        found = await session.scalars(
            select(CashMovement)
            .where(CashMovement.kind == CashMovementKind.fee)
            .order_by(CashMovement.sequence)
        )
        return [(each.ticker, each.amount, each.effective_at) for each in found]


@pytest.fixture(autouse=True)
async def rules(desk: TradingDesk) -> None:
    changes = {"short_selling": True, "borrow_percent": Decimal(36), "margin_percent": Decimal(0)}
    await desk.ledger.submit(ChangeRules("default", changes))


async def test_it_is_charged_as_each_day_ends(desk: TradingDesk, watching: Watching) -> None:
    watch = await watching()
    desk.price("MSFT", "50")
    await desk.trade("sell", "10")
    await desk.trade("buy", "3", "MSFT")
    await watch.look()
    assert await fees(desk) == []
    desk.clock.advance(DAY)
    desk.price("AAPL", "120.5")
    await watch.look()
    await watch.look()
    # 1,205 at 36 percent / 360, from the midnight of New York on.
    ((ticker, amount, at),) = await fees(desk)
    assert (ticker, amount) == ("AAPL", Decimal("-1.205"))
    async with desk.database.read() as session:
        assert (await session.get_one(DeskMeta, CHARGED)).value == str(
            desk.clock.now().date() - DAY
        )
    assert at == desk.clock.now().replace(hour=5, minute=0, second=0, microsecond=0)
    assert await problems_found(desk.database) == []
    await desk.trade("buy", "10")
    desk.clock.advance(DAY)
    await watch.look()
    assert len(await fees(desk)) == 1


async def test_days_without_a_desk_are_charged_when_it_is_back(
    desk: TradingDesk, watching: Watching
) -> None:
    await watching()
    await desk.trade("sell", "10")
    desk.clock.advance(3 * DAY)
    await watching()
    assert [amount for _, amount, _ in await fees(desk)] == [Decimal(-1)] * 3
    await watching()
    assert len(await fees(desk)) == 3


async def test_a_crash_between_charge_and_note_charges_nothing_twice(
    desk: TradingDesk, watching: Watching
) -> None:
    await watching()
    await desk.trade("sell", "10")
    async with desk.database.read() as session:
        before = (await session.get_one(DeskMeta, CHARGED)).value
    desk.clock.advance(2 * DAY)
    await watching()
    async with desk.database.write() as session:
        await session.execute(delete(DeskMeta).where(DeskMeta.key == CHARGED))
        session.add(DeskMeta(key=CHARGED, value=before))
    await watching()
    assert len(await fees(desk)) == 2


async def test_what_was_sold_short_later_is_not_charged_for_earlier_days(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    desk.clock.advance(2 * DAY)
    desk.price("AAPL", "100")
    await desk.trade("sell", "10")
    await watch.look()
    assert await fees(desk) == []


async def test_it_takes_no_more_than_there_is_and_frees_what_orders_set_aside(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    await desk.trade("sell", "10")
    # Two hundred percent a day.
    await desk.ledger.submit(ChangeRules("default", {"borrow_percent": Decimal(72_000)}))
    terms: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}
    desk.price("MSFT", "50")
    first = await desk.place("buy", "10", "MSFT", limit_price="40", **terms)
    second = await desk.place("buy", "239", "MSFT", limit_price="40", **terms)
    account = await desk.ledger.account("default")
    assert account.cash_balance - account.reserved_cash == 1040
    desk.clock.advance(DAY)
    await watch.look()
    assert [amount for _, amount, _ in await fees(desk)] == [-2000]
    assert (await order_row(desk, second.order.id)).reason == "Its cash went for borrowed shares."
    assert (await order_row(desk, first.order.id)).closed_at is None
    await assert_orders_hold(desk)
    desk.clock.advance(11 * DAY)
    await watch.look()
    assert [amount for _, amount, _ in await fees(desk)] == [-2000] * 5 + [-1000]
    assert (await desk.ledger.account("default")).cash_balance == 0
    assert (await order_row(desk, first.order.id)).closed_at is not None
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_its_keys_are_nobody_elses(desk: TradingDesk) -> None:
    with pytest.raises(Exception, match="the desk's own"):
        await desk.ledger.submit(
            MoveCash(
                "default",
                CashMovementKind.deposit,
                Decimal(1),
                desk.clock,
                "paperdesk:borrow:2026-11-20:AAPL",
            )
        )


async def test_what_never_had_a_price_costs_by_what_it_brought(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    await desk.trade("sell", "10")
    desk.board.drop("AAPL")
    desk.clock.advance(DAY)
    await watch.look()
    assert [amount for _, amount, _ in await fees(desk)] == [-1]


async def test_a_clone_is_not_charged_for_days_before_it_was(
    desk: TradingDesk, watching: Watching
) -> None:
    await watching()
    await desk.trade("sell", "10")
    desk.clock.advance(3 * DAY)
    async with desk.database.write() as session:
        await session.run_sync(
            clone_account, "default", "Twin", desk.board, desk.clock.now(), account_id="twin"
        )
    await watching()
    async with desk.database.read() as session:
        charged = await session.scalars(
            select(CashMovement.user_id).where(CashMovement.kind == CashMovementKind.fee)
        )
        assert charged.all() == ["default"] * 3
