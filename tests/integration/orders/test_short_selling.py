"""Selling more than is held: off by default; with a margin, and through zero in two trades."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import SpinOff
from paperdesk.errors import InsufficientCash, InsufficientShares, InvalidState
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.models import CostBasis, OrderClass, OrderStatus, OrderType, TimeInForce, Trade
from paperdesk.orders.commands.close_position import ClosePosition
from paperdesk.orders.commands.place_order import Sender
from paperdesk.orders.terms import StopLoss
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk

GTC: dict[str, Any] = {"time_in_force": TimeInForce.gtc}
LIMIT: dict[str, Any] = {**GTC, "type": OrderType.limit}


async def allowed(desk: TradingDesk, **changes: Any) -> None:
    await desk.ledger.submit(ChangeRules("default", {"short_selling": True, **changes}))


async def fills(desk: TradingDesk) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    async with desk.database.read() as session:
        trades = await session.scalars(select(Trade).order_by(Trade.sequence))
        return [(str(t.side), t.quantity, t.price, t.realized_pnl) for t in trades]


async def held(desk: TradingDesk) -> list[tuple[Decimal, Decimal]]:
    positions = (await desk.ledger.account("default")).positions
    return [(p.quantity, p.cost_basis) for p in positions]


async def test_it_is_refused_unless_it_is_allowed(desk: TradingDesk) -> None:
    with pytest.raises(InsufficientShares, match="0 are held"):
        await desk.trade("sell", "10")
    await desk.trade("buy", "10")
    with pytest.raises(InsufficientShares, match="10 are held"):
        await desk.trade("sell", "11")
    assert await held(desk) == [(10, 1000)]


@pytest.mark.parametrize("method", CostBasis)
async def test_what_is_sold_short_gains_when_the_price_falls(
    desk: TradingDesk, method: CostBasis
) -> None:
    await allowed(desk, cost_basis_method=method)
    await desk.trade("sell", "10")
    desk.price("AAPL", "120")
    await desk.trade("sell", "10")
    account = await desk.ledger.account("default")
    assert await held(desk) == [(-20, -2200)]
    assert account.positions[0].avg_cost == 110
    # 12,200 there; the 2,200 that the sales brought are not, nor half as much again.
    assert (account.cash_balance, account.buying_power) == (12_200, 8_900)
    desk.price("AAPL", "90")
    trade = (await desk.trade("buy", "15")).result.trade
    by_lots = {CostBasis.average: 300, CostBasis.lifo: 350}
    # Of shares sold short those that brought least go first by hifo: they gain least.
    assert trade.realized_pnl == by_lots.get(method, 250)
    last = (await desk.trade("buy", "5")).result.trade
    assert trade.realized_pnl + last.realized_pnl == 400
    assert await held(desk) == []
    assert (await desk.ledger.account("default")).buying_power == 10_400
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_a_trade_through_zero_is_a_close_and_an_open(desk: TradingDesk) -> None:
    await allowed(desk, commission_minimum=Decimal(1), commission_per_share=Decimal("0.1"))
    await desk.trade("buy", "10")
    desk.price("AAPL", "110")
    placed = (await desk.trade("sell", "30")).result
    assert [(t.quantity, t.fee) for t in placed.trades] == [(10, 1), (20, 2)]
    assert placed.order.filled_quantity == 30
    assert await held(desk) == [(-20, -2200)]
    desk.price("AAPL", "100")
    await desk.trade("buy", "25")
    assert await held(desk) == [(5, 500)]
    assert [(s, q, made) for s, q, _, made in await fills(desk)] == [
        ("buy", 10, 0),
        ("sell", 10, 100),
        ("sell", 20, 0),
        ("buy", 20, 200),
        ("buy", 5, 0),
    ]
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_through_zero_is_booked_whole_or_not_at_all(desk: TradingDesk) -> None:
    await allowed(desk)
    await desk.trade("buy", "10")
    before = await desk.ledger.account("default")
    with pytest.raises(InsufficientCash, match="takes a margin of"):
        await desk.trade("sell", "1000")
    assert await desk.ledger.account("default") == before
    # Also where it rests, and the refusal comes with a price.
    placed = await desk.place("sell", "180", limit_price="101", **LIMIT)
    await desk.ledger.submit(ChangeRules("default", {"margin_percent": Decimal(900)}))
    await desk.move("AAPL", "101")
    assert await states(desk, placed.order) == ["rejected"]
    assert await held(desk) == [(10, 1000)]
    await assert_orders_hold(desk)


async def test_a_margin_is_needed(desk: TradingDesk) -> None:
    await allowed(desk)
    with pytest.raises(InsufficientCash, match=r"margin of \$10,050.00, and \$10,000.00 is there"):
        await desk.trade("sell", "201")
    await desk.trade("sell", "200")
    assert (await desk.ledger.account("default")).buying_power == 0
    desk.price("MSFT", "400")
    with pytest.raises(InsufficientCash, match="open orders and short positions set aside"):
        await desk.trade("buy", "1", "MSFT")
    with pytest.raises(InvalidState, match="Buy them back"):
        await desk.ledger.submit(ChangeRules("default", {"short_selling": False}))


async def test_open_orders_set_aside_what_they_take(desk: TradingDesk) -> None:
    """A short sale its margin, one that closes the shares, one through zero both."""
    await allowed(desk)
    short = await desk.place("sell", "10", limit_price="110", **LIMIT)
    # Half of 1,100, and 3 %: the price may be better than the limit.
    assert (short.order.reserved_cash, short.order.reserved_quantity) == (Decimal("566.5"), 0)
    await desk.move("AAPL", "110")
    cover = await desk.place("buy", "4", limit_price="90", **LIMIT)
    assert (cover.order.reserved_cash, cover.order.reserved_quantity) == (0, 4)
    with pytest.raises(InsufficientShares, match="6 are sold short beside the 4"):
        await desk.place("buy", "11", limit_price="90", **LIMIT)
    await assert_orders_hold(desk)
    await desk.move("AAPL", "90")
    through = await desk.place("buy", "8", limit_price="80", **LIMIT)
    assert (through.order.reserved_cash, through.order.reserved_quantity) == (160, 6)
    await desk.move("AAPL", "80")
    assert await held(desk) == [(2, 160)]
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_a_short_position_is_bought_back_with_its_own_cash(desk: TradingDesk) -> None:
    await allowed(desk)
    await desk.trade("sell", "200")
    # All is set aside, and the price rose by a fifth: it must still be possible to get out.
    desk.price("AAPL", "120")
    closing = ClosePosition(Sender("default", "test"), "AAPL", desk.venue)
    placed = (await desk.ledger.submit(closing)).result
    assert placed.trade.realized_pnl == -4_000
    account = await desk.ledger.account("default")
    assert (account.cash_balance, account.positions) == (6_000, ())


async def test_a_bracket_that_sells_has_exits_that_buy(desk: TradingDesk) -> None:
    await allowed(desk)
    placed = await desk.place(
        "sell",
        "10",
        order_class=OrderClass.bracket,
        take_profit="80",
        stop_loss=StopLoss(Decimal(110)),
        **GTC,
    )
    assert await states(desk, placed.order, *placed.legs) == ["filled", "new", "new"]
    gain = await order_row(desk, placed.legs[0].id)
    assert (gain.side, gain.reserved_cash, gain.reserved_quantity) == ("buy", 0, 10)
    await assert_orders_hold(desk)
    await desk.move("AAPL", "112")
    assert await states(desk, *placed.legs) == ["canceled", "filled"]
    assert await held(desk) == []
    await assert_orders_hold(desk)


async def test_an_order_without_cash_for_its_cover_is_rejected(desk: TradingDesk) -> None:
    await allowed(desk)
    await desk.trade("sell", "200")
    stop = await desk.place("buy", "200", type=OrderType.stop, stop_price="110", **GTC)
    await desk.move("AAPL", "151")
    order = await order_row(desk, stop.order.id)
    assert order.status is OrderStatus.rejected
    assert order.reason is not None
    assert "back costs $30,200.00, and $30,000.00 is there" in order.reason
    await assert_orders_hold(desk)


async def test_a_short_position_without_cost_keeps_short_selling_on(desk: TradingDesk) -> None:
    await allowed(desk)
    await desk.trade("sell", "10")
    now = desk.clock.now()
    action = SpinOff(Notice("default", "s", now, now), "AAPL", "SPUN", 1, 1, Decimal(100))
    await desk.ledger.submit(action)
    desk.price("SPUN", "1")
    await desk.trade("buy", "10", "SPUN")
    assert (await desk.ledger.account("default")).short_collateral == 0
    with pytest.raises(InvalidState, match="sold short"):
        await desk.ledger.submit(ChangeRules("default", {"short_selling": False}))
