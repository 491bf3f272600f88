"""An account that is worth too little for what it sold short buys it back."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.cash import MoveCash
from paperdesk.margin.commands import CallMargin
from paperdesk.margin.watch import MarginWatch
from paperdesk.market.hours import hours_of
from paperdesk.models import (
    CashMovementKind,
    CostBasis,
    Order,
    OrderType,
    Side,
    TimeInForce,
    Trade,
)
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk, trading

Watching = Callable[[], Awaitable[MarginWatch]]


async def sold_short(desk: TradingDesk, **changes: Any) -> None:
    """15 % a share more leave too little: 1,000 brought, 500 beside it."""
    await desk.ledger.submit(ChangeRules("default", {"short_selling": True, **changes}))
    await desk.trade("sell", "10")
    free = (await desk.ledger.account("default")).buying_power
    await desk.ledger.submit(MoveCash("default", CashMovementKind.withdrawal, free, desk.clock))


async def calls(desk: TradingDesk) -> list[tuple[str, Decimal, Decimal]]:
    async with desk.database.read() as session:
        trades = await session.scalars(
            select(Trade).where(Trade.source == "margin_call").order_by(Trade.sequence)
        )
        return [(t.ticker, t.quantity, t.price) for t in trades]


async def short(desk: TradingDesk) -> dict[str, Decimal]:
    return {p.ticker: p.quantity for p in (await desk.ledger.account("default")).positions}


@pytest.mark.parametrize("method", CostBasis)
async def test_it_buys_back_until_the_rest_would_be_allowed(
    desk: TradingDesk, watching: Watching, method: CostBasis
) -> None:
    watch = await watching()
    await sold_short(desk, cost_basis_method=method)
    desk.price("AAPL", "115.38")
    await watch.look()
    assert await calls(desk) == []
    # Worth 346.10 of 346.17 that are required: 692.20 may stay short, 461.70 are bought back.
    desk.price("AAPL", "115.39")
    await watch.look()
    ((ticker, shares, price),) = await calls(desk)
    assert (ticker, price) == ("AAPL", Decimal("115.39"))
    assert shares == Decimal("4.001213277")
    assert await short(desk) == {"AAPL": shares - 10}
    desk.price("AAPL", "115.40")
    await watch.look()
    assert len(await calls(desk)) == 1
    async with desk.database.read() as session:
        order = (await session.scalars(select(Order).where(Order.source == "margin_call"))).one()
    assert (order.side, order.time_in_force) == (Side.buy, TimeInForce.ioc)
    assert order.note == "Margin call: worth $346.10, of $346.17 that are required."
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_the_largest_goes_first_and_long_positions_count(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    desk.price("MSFT", "10")
    desk.price("NVDA", "100")
    await desk.ledger.submit(ChangeRules("default", {"short_selling": True}))
    await desk.trade("buy", "9", "NVDA")
    await desk.trade("sell", "10")
    await desk.trade("sell", "50", "MSFT")
    out = MoveCash("default", CashMovementKind.withdrawal, Decimal(8350), desk.clock)
    await desk.ledger.submit(out)
    # 2,250 in cash, 900 in NVDA, 1,500 short.
    desk.price("AAPL", "190")
    await watch.look()
    assert await calls(desk) == []
    desk.price("NVDA", "95")
    desk.price("AAPL", "195.2")
    await watch.look()
    assert [ticker for ticker, _, _ in await calls(desk)] == ["AAPL"]
    assert (await short(desk))["MSFT"] == -50
    await assert_orders_hold(desk)


async def test_open_orders_end_with_it(desk: TradingDesk, watching: Watching) -> None:
    watch = await watching()
    await sold_short(desk)
    terms: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}
    exit_order = await desk.place("buy", "10", limit_price="80", **terms)
    desk.price("AAPL", "130")
    await watch.look()
    assert (await order_row(desk, exit_order.order.id)).reason == "The account got a margin call."
    assert len(await calls(desk)) == 1
    await assert_orders_hold(desk)


async def test_a_gap_beyond_all_cash_buys_back_what_cash_pays_for(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    await sold_short(desk, commission_minimum=Decimal(1))
    desk.price("AAPL", "300")
    await watch.look()
    ((_, shares, _),) = await calls(desk)
    # 1,500 in cash, of which one dollar is the commission.
    assert shares == Decimal("4.996666666")
    assert (await desk.ledger.account("default")).cash_balance < Decimal("1.01")
    # What is left costs more than there is, with every price.
    for price in ("301", "302", "303"):
        desk.price("AAPL", price)
        await watch.look()
    assert len(await calls(desk)) == 1
    async with desk.database.read() as session:
        orders = (await session.scalars(select(Order).where(Order.source == "margin_call"))).all()
    assert len(orders) == 1
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_a_stale_price_calls_nobody(desk: TradingDesk, watching: Watching) -> None:
    watch = await watching()
    await sold_short(desk)
    desk.price("AAPL", "130")
    desk.clock.advance(desk.board.patience * 2)
    await watch.look()
    assert await calls(desk) == []
    desk.price("AAPL", "130")
    await watch.look()
    assert len(await calls(desk)) == 1


async def test_nobody_is_called_while_the_market_is_closed(
    database: Database, clock: ManualClock
) -> None:
    hours = hours_of("nyse", ZoneInfo("America/New_York"))
    async with trading(database, clock, hours) as desk:
        desk.price("AAPL", "100")
        await sold_short(desk)
        resting = await desk.place(
            "buy", "1", type=OrderType.limit, limit_price="50", time_in_force=TimeInForce.gtc
        )
        for passed, count in ((timedelta(hours=12), 0), (timedelta(days=2, hours=12), 1)):
            clock.advance(passed)
            desk.price("AAPL", "130")
            await desk.ledger.submit(CallMargin("default", desk.venue))
            assert await states(desk, resting.order) == ["canceled" if count else "new"]
            assert len(await calls(desk)) == count


async def test_nobody_is_called_for_a_price_that_nobody_knows(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    desk.price("MSFT", "10")
    await desk.trade("buy", "100", "MSFT")
    await sold_short(desk)
    desk.price("MSFT", "1")
    desk.clock.advance(desk.board.patience * 2)
    desk.price("AAPL", "200")
    await watch.look()
    assert await calls(desk) == []
    desk.price("MSFT", "1")
    await watch.look()
    assert len(await calls(desk)) == 1


async def test_a_call_leaves_no_orders_where_nothing_is_traded(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    await sold_short(desk, volume_percent=Decimal(50))
    for _ in range(3):
        desk.price("AAPL", "200", "0")
        await watch.look()
    async with desk.database.read() as session:
        found = (await session.scalars(select(Order).where(Order.source == "margin_call"))).all()
    assert found == []
    desk.price("AAPL", "200", "8")
    await watch.look()
    assert await calls(desk) == [("AAPL", 4, 200)]
    await assert_orders_hold(desk)


async def test_a_price_beyond_all_cash_leaves_no_order_open(
    desk: TradingDesk, watching: Watching
) -> None:
    watch = await watching()
    await sold_short(desk, volume_percent=Decimal(50))
    desk.price("AAPL", "500", "18")
    await watch.look()
    async with desk.database.read() as session:
        found = (await session.scalars(select(Order).where(Order.source == "margin_call"))).all()
    assert [(str(o.status), o.filled_quantity) for o in found] == [("filled", 3)]
    await assert_orders_hold(desk)
