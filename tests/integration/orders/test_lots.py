"""Which shares a closing trade takes, by the account's choice; and each trade says which."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from paperdesk.errors import InvalidRequest
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.holdings import read
from paperdesk.models import CostBasis, OrderStatus, OrderType, TimeInForce, Trade
from paperdesk.orders.commands.close_position import ClosePosition
from paperdesk.orders.commands.place_order import Sender
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row
from support.trading import TradingDesk

DAY = timedelta(days=1)


async def by(desk: TradingDesk, method: CostBasis) -> None:
    await desk.ledger.submit(ChangeRules("default", {"cost_basis_method": method}))


async def bought(desk: TradingDesk, *lots: tuple[str, str]) -> None:
    """Buy shares at prices, each a day after the one before."""
    for quantity, price in lots:
        desk.price("AAPL", price)
        await desk.trade("buy", quantity)
        desk.clock.advance(DAY)


async def lots_left(desk: TradingDesk) -> list[tuple[int, Decimal, Decimal]]:
    positions = (await desk.ledger.account("default")).positions
    return [(lot.number, lot.quantity, lot.cost) for p in positions for lot in p.lots or ()]


def closed_by(trade: Trade) -> list[tuple[int, Decimal, Decimal]]:
    assert trade.closed_lots is not None
    return [(lot.number, lot.quantity, lot.cost) for lot in read(trade.closed_lots)]


THREE = (("10", "100"), ("10", "120"), ("10", "110"))
"""The entries 2, 3 and 4; the opening balance is the first."""


@pytest.mark.parametrize(
    ("method", "realized", "closed"),
    [
        # 15 shares of 33 at $130: which of them they are makes the difference.
        (CostBasis.fifo, "350", [(2, 10, 1000), (3, 5, 600)]),
        (CostBasis.lifo, "250", [(4, 10, 1100), (3, 5, 600)]),
        (CostBasis.hifo, "200", [(3, 10, 1200), (4, 5, 550)]),
        (CostBasis.named, "350", [(2, 10, 1000), (3, 5, 600)]),
    ],
)
async def test_the_method_says_which_lots_are_closed(
    desk: TradingDesk, method: CostBasis, realized: str, closed: list[tuple[int, int, int]]
) -> None:
    await by(desk, method)
    await bought(desk, *THREE)
    desk.price("AAPL", "130")
    trade = (await desk.trade("sell", "15")).result.trade
    assert trade.realized_pnl == Decimal(realized)
    assert trade.cost_basis_method is method
    assert closed_by(trade) == closed
    assert trade.opened_at is not None
    held = trade.executed_at - trade.opened_at
    assert held == (2 * DAY if method in {CostBasis.lifo, CostBasis.hifo} else 3 * DAY)
    left = await lots_left(desk)
    assert sum(quantity for _, quantity, _ in left) == 15
    await assert_orders_hold(desk)
    desk.price("AAPL", "130")
    rest = (await desk.trade("sell", "15")).result.trade
    # All of it is gone, to the last digit: 3,900 for what cost 3,300.
    assert trade.realized_pnl + rest.realized_pnl == 600
    assert await lots_left(desk) == []
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_average_cost_knows_no_lots_and_says_since_when_it_was_held(
    desk: TradingDesk,
) -> None:
    await bought(desk, *THREE)
    desk.price("AAPL", "130")
    trade = (await desk.trade("sell", "15")).result.trade
    assert (trade.realized_pnl, trade.closed_lots, trade.cost_basis_method) == (300, None, None)
    assert trade.opened_at == trade.executed_at - 3 * DAY
    assert await lots_left(desk) == []


async def test_cost_is_rounded_once_a_lot_and_closing_leaves_nothing(desk: TradingDesk) -> None:
    await by(desk, CostBasis.fifo)
    await bought(desk, ("3", "33.333333333"), ("0.000000007", "100"))
    desk.price("AAPL", "40")
    total = Decimal(0)
    for quantity in ("1", "1", "1.000000007"):
        total += (await desk.trade("sell", quantity)).result.trade.realized_pnl
    # 120.00000028 for 100.000001.
    assert total == Decimal("19.999999")
    assert (await desk.ledger.account("default")).positions == ()
    assert await problems_found(desk.database) == []


async def test_an_order_may_name_its_lots(desk: TradingDesk) -> None:
    await by(desk, CostBasis.fifo)
    await bought(desk, *THREE)
    desk.price("AAPL", "130")
    named = (await desk.trade("sell", "12", lots=(4, 2), client_order_id="mine")).result
    assert closed_by(named.trade) == [(4, 10, 1100), (2, 2, 200)]
    assert named.trade.cost_basis_method is CostBasis.named
    again = await desk.trade("sell", "12", lots=(4, 2), client_order_id="mine")
    assert again.result.replayed
    assert await lots_left(desk) == [(2, 8, 800), (3, 10, 1200)]
    assert await problems_found(desk.database) == []


@pytest.mark.parametrize(
    ("lots", "said"),
    [
        ((9,), "there is no lot 9"),
        ((2,), "those have 10 shares together, fewer than the 12"),
        ((2, 2), "each once"),
        ((), "name 1 to 1000"),
    ],
)
async def test_lots_that_are_not_there_change_nothing(
    desk: TradingDesk, lots: tuple[int, ...], said: str
) -> None:
    await by(desk, CostBasis.fifo)
    await bought(desk, *THREE)
    desk.price("AAPL", "130")
    before = await desk.ledger.account("default")
    with pytest.raises(InvalidRequest, match=said):
        await desk.trade("sell", "12", lots=lots)
    assert await desk.ledger.account("default") == before


async def test_lots_are_refused_at_average_cost_before_the_order_rests(desk: TradingDesk) -> None:
    await bought(desk, *THREE)
    desk.price("AAPL", "100")
    with pytest.raises(InvalidRequest, match="average cost, which knows no lots"):
        await desk.place("sell", "5", type=OrderType.limit, limit_price="200", lots=(2,))


async def test_a_resting_order_whose_lots_are_gone_is_rejected(desk: TradingDesk) -> None:
    await by(desk, CostBasis.lifo)
    await bought(desk, *THREE)
    desk.price("AAPL", "100")
    placed = await desk.place(
        "sell", "5", type=OrderType.limit, limit_price="140", lots=(4,), time_in_force="gtc"
    )
    await desk.trade("sell", "10")
    await desk.move("AAPL", "140")
    order = await order_row(desk, placed.order.id)
    assert (order.status, order.reason) == (
        OrderStatus.rejected,
        "INVALID_REQUEST: lots: there is no lot 4. Name those that the position shows.",
    )
    await assert_orders_hold(desk)


async def test_a_choice_that_changes_takes_what_is_held_along(desk: TradingDesk) -> None:
    """What was pooled is one lot; what was told apart is pooled by the next trade."""
    await bought(desk, ("10", "100"), ("10", "120"))
    await by(desk, CostBasis.fifo)
    await bought(desk, ("10", "130"))
    assert await lots_left(desk) == [(0, 20, 2200), (4, 10, 1300)]
    desk.price("AAPL", "140")
    trade = (await desk.trade("sell", "25")).result.trade
    assert closed_by(trade) == [(0, 20, 2200), (4, 5, 650)]
    assert await problems_found(desk.database) == []
    await by(desk, CostBasis.average)
    await bought(desk, ("5", "90"))
    (position,) = (await desk.ledger.account("default")).positions
    assert (position.quantity, position.cost_basis, position.lots) == (10, 1100, None)
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


async def test_a_position_is_closed_by_named_lots(desk: TradingDesk) -> None:
    await by(desk, CostBasis.named)
    await bought(desk, *THREE)
    desk.price("AAPL", "130")
    command = ClosePosition(
        Sender("default", "test"), "AAPL", desk.venue, quantity=Decimal(10), lots=(3,)
    )
    await desk.ledger.submit(command)
    assert await lots_left(desk) == [(2, 10, 1000), (4, 10, 1100)]


async def test_each_closing_trade_is_stored_with_its_lots(desk: TradingDesk) -> None:
    await by(desk, CostBasis.fifo)
    await bought(desk, *THREE)
    desk.price("AAPL", "130")
    await desk.trade("sell", "15")
    async with desk.database.read() as session:
        trades = (await session.scalars(select(Trade).order_by(Trade.sequence))).all()
    assert [t.opened_at is None for t in trades] == [True, True, True, False]
    assert closed_by(trades[-1]) == [(2, 10, 1000), (3, 5, 600)]


async def test_lots_that_an_order_closed_itself_are_not_missed(desk: TradingDesk) -> None:
    await by(desk, CostBasis.fifo)
    await bought(desk, ("5", "100"), ("5", "120"), ("5", "110"))
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    placed = await desk.place(
        "sell", "10", type=OrderType.limit, limit_price="130", lots=(3, 4),
        time_in_force=TimeInForce.gtc,
    )  # fmt: skip
    for volume in ("50", "20", "100"):
        await desk.move("AAPL", "130", volume)
    assert (await order_row(desk, placed.order.id)).status is OrderStatus.filled
    assert await lots_left(desk) == [(2, 5, 500)]
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []
