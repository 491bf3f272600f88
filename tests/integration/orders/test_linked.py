"""Linked orders: an entry with its exits, and exits of which one cancels the other."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from paperdesk.errors import IdempotencyMismatch, InvalidRequest, InvalidState
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.models import OrderClass, OrderType, TimeInForce, Trade
from paperdesk.orders.commands.cancel_orders import CancelOrder
from paperdesk.orders.commands.place_order import Placed
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from paperdesk.orders.terms import StopLoss
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk

GTC = {"time_in_force": TimeInForce.gtc}
BRACKET: dict[str, Any] = {
    **GTC,
    "order_class": OrderClass.bracket,
    "take_profit": "120",
    "stop_loss": StopLoss(Decimal(90)),
}
OCO: dict[str, Any] = {
    **GTC,
    "order_class": OrderClass.oco,
    "type": OrderType.limit,
    "limit_price": "120",
    "stop_loss": StopLoss(Decimal(90), Decimal(88)),
}


async def all_of(desk: TradingDesk, placed: Placed) -> list[str]:
    return await states(desk, placed.order, *placed.legs)


async def fills(desk: TradingDesk) -> list[tuple[str, Decimal, Decimal]]:
    async with desk.database.read() as session:
        trades = await session.scalars(select(Trade).order_by(Trade.sequence))
        return [(str(t.side), t.quantity, t.price) for t in trades]


async def test_exits_wait_for_their_entry(desk: TradingDesk) -> None:
    placed = await desk.place("buy", "10", type=OrderType.limit, limit_price="95", **BRACKET)
    gain, loss = placed.legs
    assert [str(o.leg) for o in (placed.order, gain, loss)] == ["entry", "take_profit", "stop_loss"]
    assert {o.group_id for o in (placed.order, gain, loss)} == {placed.order.id}
    assert (gain.type, loss.type, gain.side) == ("limit", "stop", "sell")
    assert await all_of(desk, placed) == ["new", "held", "held"]
    # A price at which an exit would be filled, were it not held.
    await desk.move("AAPL", "125")
    assert await all_of(desk, placed) == ["new", "held", "held"]
    await desk.move("AAPL", "95")
    assert await all_of(desk, placed) == ["filled", "new", "new"]
    # Both sell the same ten shares.
    assert (await desk.ledger.account("default")).positions[0].available == 0
    await assert_orders_hold(desk)

    await desk.move("AAPL", "121")
    assert await all_of(desk, placed) == ["filled", "filled", "canceled"]
    assert await fills(desk) == [("buy", 10, 95), ("sell", 10, 121)]
    assert (await order_row(desk, loss.id)).reason == "The other exit was filled."
    await assert_orders_hold(desk)


async def test_the_exit_with_a_loss_uses_the_shares_that_the_other_set_aside(
    desk: TradingDesk,
) -> None:
    placed = await desk.place("buy", "10", **BRACKET)
    assert await all_of(desk, placed) == ["filled", "new", "new"]
    await desk.move("AAPL", "85")
    assert await all_of(desk, placed) == ["filled", "canceled", "filled"]
    assert await fills(desk) == [("buy", 10, 100), ("sell", 10, 85)]
    await assert_orders_hold(desk)


async def test_an_oto_has_one_exit(desk: TradingDesk) -> None:
    terms = {**GTC, "order_class": OrderClass.oto, "stop_loss": StopLoss(Decimal(90))}
    placed = await desk.place("buy", "10", **terms)
    assert await all_of(desk, placed) == ["filled", "new"]
    assert (await order_row(desk, placed.legs[0].id)).reserved_quantity == 10
    await desk.move("AAPL", "90")
    assert await all_of(desk, placed) == ["filled", "filled"]
    await assert_orders_hold(desk)


@pytest.mark.parametrize(
    ("price", "statuses", "at"),
    [("120", ["filled", "canceled"], 120), ("89", ["canceled", "filled"], 89)],
)
async def test_one_cancels_the_other(
    desk: TradingDesk, price: str, statuses: list[str], at: int
) -> None:
    await desk.trade("buy", "10")
    placed = await desk.place("sell", "10", **OCO)
    assert await all_of(desk, placed) == ["new", "new"]
    assert (await desk.ledger.account("default")).positions[0].available == 0
    await desk.move("AAPL", price)
    assert await all_of(desk, placed) == statuses
    assert await fills(desk) == [("buy", 10, 100), ("sell", 10, at)]
    await assert_orders_hold(desk)


async def test_what_one_exit_sells_the_other_cannot(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    placed = await desk.place("sell", "10", client_order_id="pair", **OCO)
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    await desk.move("AAPL", "120", volume="30")
    assert await all_of(desk, placed) == ["partially_filled", "new"]
    assert (await order_row(desk, placed.legs[0].id)).quantity == 7
    await assert_orders_hold(desk)
    await desk.move("AAPL", "89", volume="40")
    gain = await order_row(desk, placed.order.id)
    assert (gain.quantity, gain.filled_quantity) == (6, 3)
    # The same request again is still the same.
    again = await desk.place("sell", "10", client_order_id="pair", **OCO)
    assert (again.replayed, again.order.id) == (True, placed.order.id)
    await desk.move("AAPL", "89", volume="4000")
    assert await all_of(desk, placed) == ["canceled", "filled"]
    assert await fills(desk) == [
        ("buy", 10, 100),
        ("sell", 3, 120),
        ("sell", 4, 89),
        ("sell", 3, 89),
    ]
    await assert_orders_hold(desk)


async def test_an_entry_that_ends_in_part_leaves_its_exits_to_that_part(desk: TradingDesk) -> None:
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    desk.price("AAPL", "100", volume="30")
    placed = await desk.place("buy", "10", type=OrderType.limit, limit_price="100", **BRACKET)
    assert await all_of(desk, placed) == ["partially_filled", "held", "held"]
    await desk.ledger.submit(CancelOrder("default", placed.order.id, desk.clock))
    assert await all_of(desk, placed) == ["canceled", "new", "new"]
    assert [(await order_row(desk, o.id)).quantity for o in placed.legs] == [3, 3]
    await assert_orders_hold(desk)


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_nothing_goes_on_without_a_canceled_one(desk: TradingDesk, which: int) -> None:
    placed = await desk.place("buy", "10", type=OrderType.limit, limit_price="95", **BRACKET)
    order = [placed.order, *placed.legs][which]
    await desk.ledger.submit(CancelOrder("default", order.id, desk.clock))
    assert await all_of(desk, placed) == ["canceled"] * 3
    assert (await desk.ledger.account("default")).reserved_cash == 0
    await assert_orders_hold(desk)


async def test_exits_can_be_moved(desk: TradingDesk) -> None:
    placed = await desk.place("buy", "10", **BRACKET)
    gain, loss = placed.legs
    moved = (
        await desk.ledger.submit(
            ReplaceOrder("default", gain.id, Changes(limit_price=Decimal(110)), desk.venue)
        )
    ).result.order
    assert (moved.leg, moved.group_id, moved.reserved_quantity) == (
        "take_profit",
        placed.order.id,
        10,
    )
    trailed = (
        await desk.ledger.submit(
            ReplaceOrder("default", loss.id, Changes(stop_price=Decimal(97)), desk.venue)
        )
    ).result.order
    await assert_orders_hold(desk)
    with pytest.raises(InvalidState, match="An exit is for as many shares"):
        await desk.ledger.submit(
            ReplaceOrder("default", moved.id, Changes(quantity=Decimal(5)), desk.venue)
        )
    await desk.move("AAPL", "96")
    assert await states(desk, gain, loss, moved, trailed) == [
        "replaced",
        "replaced",
        "canceled",
        "filled",
    ]
    await assert_orders_hold(desk)


async def test_an_exit_moved_to_where_the_market_is_ends_the_group(desk: TradingDesk) -> None:
    placed = await desk.place("buy", "10", **BRACKET)
    gain, loss = placed.legs
    moved = await desk.ledger.submit(
        ReplaceOrder("default", gain.id, Changes(limit_price=Decimal(99)), desk.venue)
    )
    assert moved.result.order.status == "filled"
    assert await states(desk, gain, loss) == ["replaced", "canceled"]
    await assert_orders_hold(desk)


async def test_the_same_bracket_again_is_the_same(desk: TradingDesk) -> None:
    first = await desk.place("buy", "10", client_order_id="b", **BRACKET)
    again = await desk.place("buy", "10", client_order_id="b", **BRACKET)
    assert (again.replayed, again.order.id) == (True, first.order.id)
    assert [leg.id for leg in again.legs] == [leg.id for leg in first.legs]
    assert again.trade.id == first.trade.id
    for change in ({"take_profit": "121"}, {"stop_loss": StopLoss(Decimal(91))}):
        with pytest.raises(IdempotencyMismatch):
            await desk.place("buy", "10", client_order_id="b", **{**BRACKET, **change})


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"take_profit": "120"}, "take_profit and stop_loss go with the classes"),
        ({**BRACKET, "take_profit": None}, "a bracket has take_profit and stop_loss"),
        ({**BRACKET, "order_class": OrderClass.oto}, "an oto has either"),
        ({**OCO, "stop_loss": None}, "an oco is a limit order"),
        ({**OCO, "take_profit": "121"}, "an oco is a limit order"),
        ({**BRACKET, "take_profit": "90"}, "must be above stop_loss.stop_price"),
        ({**BRACKET, "time_in_force": TimeInForce.ioc}, "linked orders are day or gtc"),
    ],
)
async def test_links_that_make_no_sense_are_refused(
    desk: TradingDesk, terms: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await desk.place("buy", "10", **terms)
    with pytest.raises(InvalidRequest, match="linked orders take quantity"):
        await desk.place("buy", None, notional="5", **BRACKET)


@pytest.mark.parametrize(
    ("side", "terms"),
    [
        ("buy", {"type": OrderType.limit, "limit_price": "95", "take_profit": "94"}),
        ("buy", {"type": OrderType.limit, "limit_price": "95", "stop_loss": "95"}),
        ("buy", {"take_profit": "99"}),
        ("buy", {"type": OrderType.stop, "stop_price": "110", "stop_loss": "111"}),
        ("sell", {"type": OrderType.limit, "limit_price": "105", "stop_loss": "104"}),
        ("sell", {"take_profit": "101"}),
    ],
)
async def test_an_exit_on_the_wrong_side_is_refused(
    desk: TradingDesk, side: str, terms: dict[str, Any]
) -> None:
    if "stop_loss" in terms:
        terms = terms | {"stop_loss": StopLoss(Decimal(terms["stop_loss"]))}
    with pytest.raises(InvalidRequest, match="where the order begins"):
        await desk.place(
            side, "1", order_class=OrderClass.oto, time_in_force=TimeInForce.gtc, **terms
        )
