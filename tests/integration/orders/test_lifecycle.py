"""Every status, and what may and may not be done in it; a refusal leaves everything as it was."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidRequest,
    InvalidState,
    NotFound,
)
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.rules import PLAIN, Rules
from paperdesk.market.hours import hours_of
from paperdesk.models import Order, OrderClass, OrderStatus, OrderType, Side, TimeInForce
from paperdesk.orders import lifecycle
from paperdesk.orders.commands.cancel_orders import CancelOrder, CancelOrders
from paperdesk.orders.commands.close_position import ClosePosition
from paperdesk.orders.commands.place_order import Placed, Sender
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from paperdesk.orders.terms import StopLoss
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk, trading

LIMIT: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}
NIGHT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
"""22:00 of a Thursday in New York."""


async def in_status(desk: TradingDesk, status: OrderStatus) -> Order:
    """Bring an order into a status, as it comes there in practice."""
    if status is OrderStatus.held:
        bracket = await desk.place(
            "buy",
            "10",
            limit_price="95",
            order_class=OrderClass.bracket,
            take_profit="120",
            stop_loss=StopLoss(Decimal(90)),
            **LIMIT,
        )
        return bracket.legs[0]
    if status is OrderStatus.partially_filled:
        await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
        desk.price("AAPL", "100", volume="30")
        return (await desk.place("buy", "10", limit_price="100", **LIMIT)).order
    if status is OrderStatus.accepted:
        desk.clock.advance(NIGHT - desk.clock.now())
        return (await desk.place("buy", "10", limit_price="95", **LIMIT)).order
    if status is OrderStatus.expired:
        day = (await desk.place("buy", "10", limit_price="95", type=OrderType.limit)).order
        desk.clock.advance(timedelta(days=1))
        await desk.move("AAPL", "100")
        return day
    if status is OrderStatus.rejected:
        stop = {"type": OrderType.stop, "time_in_force": TimeInForce.gtc}
        order = (await desk.place("buy", "95", stop_price="102", **stop)).order
        await desk.move("AAPL", "120")
        return order
    order = (await desk.place("buy", "10", limit_price="95", **LIMIT)).order
    if status is OrderStatus.filled:
        await desk.move("AAPL", "95")
    elif status is OrderStatus.canceled:
        await desk.ledger.submit(CancelOrder("default", order.id, desk.clock))
    elif status is OrderStatus.replaced:
        await desk.ledger.submit(replacement(desk, order))
    return order


def replacement(desk: TradingDesk, order: Order, **changes: Any) -> ReplaceOrder:
    changes = changes or {"limit_price": Decimal(94)}
    return ReplaceOrder("default", order.id, Changes(**changes), desk.venue)


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    hours = hours_of("nyse", ZoneInfo("America/New_York"))
    async with trading(database, clock, hours) as desk:
        desk.price("AAPL", "100")
        yield desk


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("to", [OrderStatus.canceled, OrderStatus.replaced])
async def test_what_the_table_forbids_is_refused_and_changes_nothing(
    desk: TradingDesk, status: OrderStatus, to: OrderStatus
) -> None:
    order = await in_status(desk, status)
    assert (await order_row(desk, order.id)).status is status
    before = await desk.ledger.account("default")
    command: Any = (
        CancelOrder("default", order.id, desk.clock)
        if to is OrderStatus.canceled
        else replacement(desk, order)
    )
    if to in lifecycle.TRANSITIONS[status]:
        await desk.ledger.submit(command)
        assert (await order_row(desk, order.id)).status is to
    else:
        with pytest.raises(InvalidState, match=f"The order is {status}: it has ended"):
            await desk.ledger.submit(command)
        assert (await order_row(desk, order.id)).status is status
        assert await desk.ledger.account("default") == before
    await assert_orders_hold(desk)


def test_the_table_knows_every_status_and_nothing_follows_an_end() -> None:
    assert lifecycle.TRANSITIONS.keys() == set(OrderStatus)
    open_ones = {s for s, then in lifecycle.TRANSITIONS.items() if then}
    assert open_ones == {
        OrderStatus.new,
        OrderStatus.accepted,
        OrderStatus.partially_filled,
        OrderStatus.held,
    }


REFUSED: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"quantity": Decimal(1000)}, InsufficientCash),
    ({"limit_price": Decimal(99), "quantity": Decimal(102)}, InsufficientCash),
    ({"stop_price": Decimal(5)}, InvalidRequest),
    ({"trail": Decimal(5)}, InvalidRequest),
    ({"time_in_force": TimeInForce.opg, "quantity": Decimal(1000)}, InsufficientCash),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED)
async def test_a_refused_replacement_leaves_the_order_as_it_was(
    desk: TradingDesk, changes: dict[str, Any], why: type[Exception]
) -> None:
    order = (await desk.place("buy", "10", limit_price="95", **LIMIT)).order
    before = await desk.ledger.account("default")
    with pytest.raises(why):
        await desk.ledger.submit(replacement(desk, order, **changes))
    assert await states(desk, order) == ["new"]
    assert await desk.ledger.account("default") == before
    await assert_orders_hold(desk)


async def test_a_replacement_uses_what_the_order_set_aside(desk: TradingDesk) -> None:
    order = (await desk.place("buy", "100", limit_price="95", **LIMIT)).order
    new = (await desk.ledger.submit(replacement(desk, order, quantity=Decimal(105)))).result.order
    assert (new.replaces, new.reserved_cash) == (order.id, 9_975)
    old = await order_row(desk, order.id)
    assert (old.status, old.replaced_by, old.reserved_cash) == ("replaced", new.id, 0)
    # To where the market is: it is filled at once.
    filled = await desk.ledger.submit(
        replacement(desk, new, limit_price=Decimal(101), quantity=Decimal(99))
    )
    assert (filled.result.order.status, filled.result.trade.price) == ("filled", 100)
    await assert_orders_hold(desk)


async def test_a_replacement_is_for_what_is_left(desk: TradingDesk) -> None:
    order = await in_status(desk, OrderStatus.partially_filled)
    with pytest.raises(InvalidRequest, match="3 were filled already"):
        await desk.ledger.submit(replacement(desk, order, quantity=Decimal(3)))
    new = (await desk.ledger.submit(replacement(desk, order, quantity=Decimal(8)))).result.order
    assert new.quantity == 5
    assert (await order_row(desk, order.id)).filled_quantity == 3
    await assert_orders_hold(desk)


async def test_a_replacement_under_a_key_happens_once(desk: TradingDesk) -> None:
    order = (await desk.place("buy", "10", limit_price="95", **LIMIT)).order
    command = ReplaceOrder(
        "default", order.id, Changes(limit_price=Decimal(94)), desk.venue, "again"
    )
    first = (await desk.ledger.submit(command)).result
    second = (await desk.ledger.submit(command)).result
    assert (second.replayed, second.order.id) == (True, first.order.id)
    other = ReplaceOrder("default", order.id, Changes(limit_price=Decimal(93)), desk.venue, "again")
    with pytest.raises(IdempotencyMismatch):
        await desk.ledger.submit(other)


async def test_all_open_orders_are_canceled_of_a_side_or_a_ticker(desk: TradingDesk) -> None:
    desk.price("MSFT", "50")
    await desk.trade("buy", "10")
    sale = (await desk.place("sell", "10", limit_price="120", **LIMIT)).order
    buy = (await desk.place("buy", "10", limit_price="90", **LIMIT)).order
    other = (await desk.place("buy", "10", "MSFT", limit_price="40", **LIMIT)).order
    filled = (await desk.place("buy", "1")).order

    canceled = await desk.ledger.submit(CancelOrders("default", desk.clock, side=Side.sell))
    assert [o.id for o in canceled.result] == [sale.id]
    canceled = await desk.ledger.submit(CancelOrders("default", desk.clock, ticker="AAPL"))
    assert [o.id for o in canceled.result] == [buy.id]
    canceled = await desk.ledger.submit(CancelOrders("default", desk.clock))
    assert [o.id for o in canceled.result] == [other.id]
    assert await states(desk, filled) == ["filled"]
    assert (await desk.ledger.account("default")).reserved_cash == 0
    await assert_orders_hold(desk)


async def test_orders_and_positions_of_others_are_not_found(desk: TradingDesk) -> None:
    order = (await desk.place("buy", "10", limit_price="95", **LIMIT)).order
    for command in (
        CancelOrder("default", "nothing", desk.clock),
        CancelOrder("nobody", order.id, desk.clock),
        ClosePosition(Sender("default", "test"), "AAPL", desk.venue),
    ):
        with pytest.raises(NotFound):
            await desk.ledger.submit(command)


async def close(desk: TradingDesk, **how: Any) -> Placed:
    sender = Sender("default", "test", how.pop("client_order_id", None))
    return (await desk.ledger.submit(ClosePosition(sender, "AAPL", desk.venue, **how))).result


async def test_a_position_is_closed_whole_or_in_part(desk: TradingDesk) -> None:
    await desk.trade("buy", "10.000000001")
    assert (await close(desk, quantity=Decimal(1))).trade.quantity == 1
    assert (await close(desk, percent=Decimal(50))).trade.quantity == Decimal("4.5")
    order = (await desk.place("sell", "2", limit_price="150", **LIMIT)).order
    before = await desk.ledger.account("default")
    with pytest.raises(InsufficientShares, match="cancel_orders"):
        await close(desk)
    with pytest.raises(InsufficientShares):
        await close(desk, quantity=Decimal(5), cancel_orders=True)
    with pytest.raises(InvalidRequest):
        await close(desk, quantity=Decimal(1), percent=Decimal(1))
    with pytest.raises(InvalidRequest):
        await close(desk, percent=Decimal(101))
    assert await desk.ledger.account("default") == before
    bracket = await desk.place(
        "buy",
        "1",
        limit_price="50",
        order_class=OrderClass.bracket,
        take_profit="150",
        stop_loss=StopLoss(Decimal(40)),
        **LIMIT,
    )
    last = await close(desk, cancel_orders=True, client_order_id="all")
    assert await states(desk, bracket.order, *bracket.legs) == ["new", "held", "held"]
    assert last.trade.quantity == Decimal("4.500000001")
    assert await states(desk, order) == ["canceled"]
    assert (await desk.ledger.account("default")).positions == ()
    assert (await close(desk, client_order_id="all")).replayed
    await assert_orders_hold(desk)


async def test_orders_outside_hours_wait_for_the_market(desk: TradingDesk) -> None:
    desk.clock.advance(NIGHT - desk.clock.now())
    desk.price("AAPL", "100")
    with pytest.raises(InvalidState, match="closed until 2026-11-20 14:30 UTC"):
        await desk.trade("buy", "1")
    day = (await desk.place("buy", "1")).order
    assert (day.status, day.reserved_cash) == ("accepted", 103)
    early = (
        await desk.place("buy", "1", limit_price="101", type=OrderType.limit, extended_hours=True)
    ).order
    opening = (await desk.place("buy", "1", time_in_force=TimeInForce.opg)).order
    closing = (await desk.place("buy", "1", time_in_force=TimeInForce.cls)).order
    stop = {"type": OrderType.stop, "time_in_force": TimeInForce.gtc}
    waiting = (await desk.place("buy", "1", stop_price="99", **stop)).order
    everything = (day, early, opening, closing, waiting)
    await desk.move("AAPL", "100")
    assert await states(desk, *everything) == ["accepted"] * 5
    # 04:30 in New York: extended hours.
    desk.clock.advance(timedelta(hours=6, minutes=30))
    await desk.move("AAPL", "98")
    assert await states(desk, *everything) == ["accepted", "filled", *["accepted"] * 3]
    desk.clock.advance(timedelta(hours=5))
    await desk.move("AAPL", "99")
    assert await states(desk, *everything) == ["filled", "filled", "filled", "accepted", "filled"]
    desk.clock.advance(timedelta(minutes=1))
    await desk.move("AAPL", "99")
    late = (await desk.place("buy", "1", time_in_force=TimeInForce.opg)).order
    assert late.expires_at == datetime(2026, 11, 23, 14, 31, tzinfo=UTC)
    missed = (
        await desk.place(
            "buy", "1", limit_price="50", type=OrderType.limit, time_in_force=TimeInForce.cls
        )
    ).order
    desk.clock.advance(timedelta(hours=6, minutes=29))
    await desk.move("AAPL", "97")
    assert (await order_row(desk, closing.id)).filled_avg_price == 97
    desk.clock.advance(timedelta(minutes=1))
    await desk.move("AAPL", "97")
    assert await states(desk, late, missed) == ["accepted", "expired"]
    await assert_orders_hold(desk)


async def test_day_orders_placed_after_the_close_are_for_the_next_session(
    desk: TradingDesk,
) -> None:
    # Friday, 17:00 in New York: the next session is Monday's.
    desk.clock.advance(timedelta(hours=7))
    order = (await desk.place("buy", "1", limit_price="90", type=OrderType.limit)).order
    assert order.expires_at == datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


async def test_rules_of_an_account_are_kept_and_shown(desk: TradingDesk) -> None:
    rules = Rules(spread_bps=Decimal("2.5"), volume_percent=Decimal(7))
    assert (await desk.ledger.account("default")).rules == PLAIN
    await desk.ledger.submit(ChangeRules("default", asdict(rules)))
    assert (await desk.ledger.account("default")).rules == rules
    again = TradingDesk(desk.database, desk.clock)
    assert (await again.ledger.account("default")).rules == rules
    await again.ledger.submit(ChangeRules("default", asdict(PLAIN)))
    await again.ledger.close()
    await assert_orders_hold(again)


async def test_placing_and_canceling_at_once_leaves_nothing_set_aside(desk: TradingDesk) -> None:
    async def place_and_cancel(n: int) -> None:
        order = (await desk.place("buy", "1", limit_price=f"{50 + n}", **LIMIT)).order
        await desk.ledger.submit(CancelOrder("default", order.id, desk.clock))

    await asyncio.gather(*(place_and_cancel(n) for n in range(40)))
    assert (await desk.ledger.account("default")).reserved_cash == 0
    await assert_orders_hold(desk)
