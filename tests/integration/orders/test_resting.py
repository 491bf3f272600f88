"""Orders that rest: what they set aside, when they are filled, and at what price."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import (
    InsufficientCash,
    InsufficientShares,
    InvalidRequest,
    PriceUnavailable,
    ReadOnly,
)
from paperdesk.ledger.accounts import ChangeRules, open_account
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.rules import Rules
from paperdesk.models import CashMovementKind, Order, OrderStatus, OrderType, TimeInForce, Trade
from paperdesk.orders.commands import match_orders
from paperdesk.orders.commands.match_orders import MatchOrders
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk, trading

LIMIT = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}
STOP = {"type": OrderType.stop, "time_in_force": TimeInForce.gtc}
STOP_LIMIT = {"type": OrderType.stop_limit, "time_in_force": TimeInForce.gtc}
TRAILING = {"type": OrderType.trailing_stop, "time_in_force": TimeInForce.gtc}


async def prices_of_fills(desk: TradingDesk) -> list[tuple[str, Decimal, Decimal]]:
    async with desk.database.read() as session:
        trades = await session.scalars(select(Trade).order_by(Trade.sequence))
        return [(str(t.side), t.quantity, t.price) for t in trades]


async def test_a_limit_rests_until_its_price_and_fills_no_worse(desk: TradingDesk) -> None:
    placed = await desk.place("buy", "10", limit_price="95", **LIMIT)
    assert (placed.order.status, placed.trades) == (OrderStatus.new, ())
    account = await desk.ledger.account("default")
    assert (account.reserved_cash, account.buying_power) == (950, 9_050)
    await assert_orders_hold(desk)

    await desk.move("AAPL", "95.01")
    assert await states(desk, placed.order) == ["new"]
    # Through the limit: the better price is the buyer's.
    await desk.move("AAPL", "94.5")

    order = await order_row(desk, placed.order.id)
    assert (order.status, order.filled_avg_price) == (OrderStatus.filled, Decimal("94.5"))
    assert (order.filled_at, order.closed_at) == (desk.clock.now(), desk.clock.now())
    account = await desk.ledger.account("default")
    assert (account.reserved_cash, account.cash_balance) == (0, 9_055)
    await assert_orders_hold(desk)


async def test_a_limit_that_can_be_filled_now_is(desk: TradingDesk) -> None:
    placed = await desk.place("buy", "10", limit_price="105", **LIMIT)
    assert (placed.order.status, placed.trade.price) == (OrderStatus.filled, 100)
    placed = await desk.place("sell", "4", limit_price="99", **LIMIT)
    assert (placed.order.status, placed.trade.price) == (OrderStatus.filled, 100)
    await assert_orders_hold(desk)


async def test_a_gap_through_a_stop_fills_at_the_market(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    loss = (await desk.place("sell", "6", stop_price="95", **STOP)).order
    entry = (await desk.place("buy", "2", stop_price="110", **STOP)).order
    assert entry.reserved_cash == Decimal("226.6")
    await desk.move("AAPL", "95.000000001")
    assert await states(desk, loss, entry) == ["new", "new"]
    await desk.move("AAPL", "80")
    await desk.move("AAPL", "125")
    assert await prices_of_fills(desk) == [("buy", 10, 100), ("sell", 6, 80), ("buy", 2, 125)]
    assert (await order_row(desk, loss.id)).triggered_at == desk.clock.now()
    await assert_orders_hold(desk)


async def test_a_stop_limit_becomes_a_limit_and_stays_one(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    order = (await desk.place("sell", "5", stop_price="95", limit_price="94", **STOP_LIMIT)).order
    await desk.move("AAPL", "93")
    row = await order_row(desk, order.id)
    assert (row.status, row.triggered_at) == (OrderStatus.new, desk.clock.now())
    # Above its stop again: it is a limit order now, and this is better than its limit.
    await desk.move("AAPL", "96")
    assert await prices_of_fills(desk) == [("buy", 10, 100), ("sell", 5, 96)]
    await assert_orders_hold(desk)


@pytest.mark.parametrize("trail", [{"trail_price": "5"}, {"trail_percent": "5"}])
async def test_a_trailing_stop_follows_the_best_price(
    desk: TradingDesk, trail: dict[str, str]
) -> None:
    await desk.trade("buy", "10")
    order = (await desk.place("sell", "10", **trail, **TRAILING)).order
    assert order.watermark == 100
    for price in ("110", "120", "115.01", "119"):
        await desk.move("AAPL", price)
        assert await states(desk, order) == ["new"]
    await desk.move("AAPL", "113")
    assert await prices_of_fills(desk) == [("buy", 10, 100), ("sell", 10, 113)]
    assert (await order_row(desk, order.id)).watermark == 120
    await assert_orders_hold(desk)


async def test_a_trailing_buy_follows_a_falling_price(desk: TradingDesk) -> None:
    order = (await desk.place("buy", "1", trail_price="5", **TRAILING)).order
    assert order.reserved_cash == Decimal("108.15")
    for price in ("90", "94.99"):
        await desk.move("AAPL", price)
    await desk.move("AAPL", "95")
    assert await prices_of_fills(desk) == [("buy", 1, 95)]
    await assert_orders_hold(desk)


async def test_watermarks_are_remembered_and_outlive_a_restart(desk: TradingDesk) -> None:
    await desk.trade("buy", "1")
    order = (await desk.place("sell", "1", trail_price="5", **TRAILING)).order
    await desk.move("AAPL", "150")
    desk.clock.advance(timedelta(seconds=6))
    await desk.move("AAPL", "149")
    assert (await order_row(desk, order.id)).watermark == 150
    # A new matcher begins with what is stored.
    again = TradingDesk(desk.database, desk.clock)
    await again.move("AAPL", "145")
    assert await states(desk, order) == ["filled"]
    await again.ledger.close()


async def test_a_stale_quote_fills_nothing(desk: TradingDesk) -> None:
    order = (await desk.place("buy", "1", limit_price="95", **LIMIT)).order
    desk.price("AAPL", "90")
    desk.matcher.heard_prices(["AAPL"])
    desk.clock.advance(timedelta(seconds=11))
    await desk.matcher.begin(desk.ledger)
    await desk.matcher.match(desk.ledger)
    assert await states(desk, order) == ["new"]
    with pytest.raises(PriceUnavailable):
        await desk.place("buy", "1")
    # A limit needs no price to rest.
    late = (await desk.place("buy", "1", limit_price="95", **LIMIT)).order
    await desk.move("AAPL", "95")
    assert await states(desk, order, late) == ["filled", "filled"]


async def test_open_orders_set_aside_what_they_need_and_no_more(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    await desk.place("sell", "7", limit_price="120", **LIMIT)
    before = await desk.ledger.account("default")
    with pytest.raises(InsufficientShares, match="3 are held beside the 7 that open orders"):
        await desk.place("sell", "4", limit_price="130", **LIMIT)
    with pytest.raises(InsufficientShares):
        await desk.trade("sell", "3.000000001")
    await desk.place("buy", "80", limit_price="90", **LIMIT)
    with pytest.raises(InsufficientCash, match=r"\$1,800.00 is there beside the \$7,200.00"):
        await desk.place("buy", "18.1", limit_price="100", type=OrderType.limit)
    with pytest.raises(InsufficientCash):
        await desk.trade("buy", "18.1")
    with pytest.raises(InsufficientCash, match="beside the"):
        await desk.ledger.submit(
            MoveCash("default", CashMovementKind.withdrawal, Decimal(1801), desk.clock)
        )
    with pytest.raises(InvalidRequest, match="limit_price: a limit order needs it"):
        await desk.place("buy", "1", **LIMIT)
    after = await desk.ledger.account("default")
    assert after.reserved_cash == before.reserved_cash + 7_200
    assert after.positions == before.positions
    await assert_orders_hold(desk)


async def test_an_account_that_cannot_pay_when_a_stop_is_reached_is_told_so(
    desk: TradingDesk,
) -> None:
    order = (await desk.place("buy", "95", stop_price="102", **STOP)).order
    await desk.move("AAPL", "120")
    row = await order_row(desk, order.id)
    assert row.status is OrderStatus.rejected
    assert str(row.reason).startswith("INSUFFICIENT_CASH: Buying 95 AAPL costs $11,400.00")
    assert (await desk.ledger.account("default")).reserved_cash == 0
    await assert_orders_hold(desk)


async def test_a_share_of_the_volume_fills_bit_by_bit_and_one_commission_is_paid(
    desk: TradingDesk,
) -> None:
    await desk.ledger.submit(
        ChangeRules(
            "default",
            {
                "volume_percent": Decimal(10),
                "commission_per_share": Decimal("0.01"),
                "commission_minimum": Decimal(1),
            },
        )
    )
    desk.price("AAPL", "100", volume="300")
    placed = await desk.place("buy", "80", limit_price="100", **LIMIT)
    assert (placed.order.status, placed.trade.quantity) == (OrderStatus.partially_filled, 30)
    assert placed.order.reserved_cash == 5_001
    await assert_orders_hold(desk)
    await desk.move("AAPL", "99", volume="400")
    await desk.move("AAPL", "98", volume="0")
    await desk.move("AAPL", "98", volume="5000")
    order = await order_row(desk, placed.order.id)
    assert order.status is OrderStatus.filled
    assert order.filled_avg_price == Decimal("99.25")
    async with desk.database.read() as session:
        trades = (await session.scalars(select(Trade).order_by(Trade.sequence))).all()
    assert [(t.quantity, t.fee) for t in trades] == [(30, 1), (40, 0), (10, 0)]
    await assert_orders_hold(desk)


async def test_spread_and_slippage_never_reach_beyond_a_limit(desk: TradingDesk) -> None:
    rules = Rules(spread_bps=Decimal(20), slippage_bps=Decimal(5), commission_percent=Decimal(1))
    await desk.ledger.submit(ChangeRules("default", asdict(rules)))
    booked = await desk.trade("buy", "1")
    assert (booked.result.trade.price, booked.result.trade.fee) == (
        Decimal("100.15"),
        Decimal("1.0015"),
    )
    order = (await desk.place("buy", "1", limit_price="95.1", **LIMIT)).order
    # The ask is 95.1045 here, and 95.0949 a cent lower, with slippage beyond the limit.
    await desk.move("AAPL", "95.0095")
    assert await states(desk, order) == ["new"]
    await desk.move("AAPL", "94.9999")
    assert (await order_row(desk, order.id)).filled_avg_price == Decimal("95.1")
    sale = (await desk.place("sell", "1", limit_price="94.9", **LIMIT)).trade
    assert sale.price == Decimal("94.9")
    await assert_orders_hold(desk)


@pytest.mark.parametrize(
    ("time_in_force", "volume", "status", "filled"),
    [
        (TimeInForce.ioc, "300", "canceled", 30),
        (TimeInForce.fok, "300", "canceled", 0),
        (TimeInForce.ioc, "5000", "filled", 80),
        (TimeInForce.fok, "5000", "filled", 80),
    ],
)
async def test_what_must_fill_at_once_never_rests(
    desk: TradingDesk, time_in_force: TimeInForce, volume: str, status: str, filled: int
) -> None:
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    desk.price("AAPL", "100", volume=volume)
    placed = await desk.place(
        "buy", "80", time_in_force=time_in_force, type=OrderType.limit, limit_price="100"
    )
    assert (placed.order.status, placed.order.filled_quantity) == (status, filled)
    missed = await desk.place(
        "buy", "1", time_in_force=time_in_force, type=OrderType.limit, limit_price="90"
    )
    assert (missed.order.status, missed.order.reason) == (
        "canceled",
        "It could not be filled at once.",
    )
    await assert_orders_hold(desk)


async def test_day_orders_end_with_the_day_and_others_do_not(desk: TradingDesk) -> None:
    day = (await desk.place("buy", "1", limit_price="90", type=OrderType.limit)).order
    gtc = (await desk.place("buy", "1", limit_price="90", **LIMIT)).order
    # 10:00 in New York: the day ends there.
    assert day.expires_at == desk.clock.now() + timedelta(hours=14)
    desk.clock.advance(timedelta(hours=14))
    await desk.move("AAPL", "80")
    assert await states(desk, day, gtc) == ["expired", "filled"]
    assert (await order_row(desk, day.id)).expired_at == desk.clock.now()
    await assert_orders_hold(desk)


async def test_the_older_order_comes_first_where_there_is_not_enough_for_both(
    desk: TradingDesk,
) -> None:
    await desk.place("buy", "1", limit_price="90", **LIMIT)
    first = (await desk.place("buy", "20", stop_price="105", **STOP)).order
    second = (await desk.place("buy", "50", stop_price="105", **STOP)).order
    await desk.move("AAPL", "150")
    assert await states(desk, first, second) == ["filled", "rejected"]
    await assert_orders_hold(desk)


async def test_a_thousand_orders_touched_by_one_price_are_all_filled_once(
    desk: TradingDesk,
) -> None:
    for _ in range(4):
        await asyncio.gather(
            *(
                desk.place("buy", "0.01", limit_price=f"{90 + n / 1000:.3f}", **LIMIT)
                for n in range(250)
            )
        )
    await desk.move("AAPL", "80")
    async with desk.database.read() as session:
        trades = (await session.scalars(select(Trade))).all()
    assert len(trades) == len({t.order_id for t in trades}) == 1000
    assert (await desk.ledger.account("default")).reserved_cash == 0
    await assert_orders_hold(desk)


async def test_an_order_is_filled_once_however_often_it_is_matched(desk: TradingDesk) -> None:
    order = (await desk.place("buy", "1", limit_price="95", **LIMIT)).order
    desk.price("AAPL", "90")
    match = MatchOrders("default", [order.id, order.id], desk.venue)
    for _ in range(3):
        await desk.ledger.submit(match)
    assert await prices_of_fills(desk) == [("buy", 1, 90)]


async def test_an_order_whose_end_was_refused_ends_later(
    database: Database, clock: ManualClock
) -> None:
    """A desk that was read-only over midnight has not forgotten the day's orders."""
    refuses = False

    async def check() -> None:
        if refuses:
            raise ReadOnly("It is read-only.")

    async with trading(database, clock) as desk:
        await desk.ledger.close()
        desk.ledger = Ledger(database, listeners=[desk.matcher.heard_orders], check=check)
        await desk.move("AAPL", "100")
        terms = LIMIT | {"time_in_force": TimeInForce.day}
        order = (await desk.place("buy", "1", limit_price="50", **terms)).order
        await desk.move("AAPL", "100")
        refuses = True
        clock.advance(timedelta(days=1))
        await desk.move("AAPL", "100")
        assert await states(desk, order) == ["new"]
        refuses = False
        clock.advance(timedelta(seconds=1))
        await desk.move("AAPL", "101")
        assert await states(desk, order) == ["expired"]
        await assert_orders_hold(desk)


async def test_a_replacement_trails_from_the_best_price_seen(desk: TradingDesk) -> None:
    await desk.trade("buy", "1")
    order = (await desk.place("sell", "1", trail_price="5", **TRAILING)).order
    await desk.move("AAPL", "110")
    assert (await order_row(desk, order.id)).watermark == 100
    replace = ReplaceOrder("default", order.id, Changes(trail=Decimal("4.9")), desk.venue)
    second = (await desk.ledger.submit(replace)).result.order
    await desk.move("AAPL", "105.2")
    assert await states(desk, second) == ["new"]
    await desk.move("AAPL", "105.1")
    assert await states(desk, order, second) == ["replaced", "filled"]


async def test_a_share_of_a_volume_is_taken_once(desk: TradingDesk) -> None:
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    desk.price("AAPL", "100", "30")
    desk.clock.advance(timedelta(seconds=1))
    order = (await desk.place("buy", "10", limit_price="100", **LIMIT)).order
    assert order.filled_quantity == 3
    match = MatchOrders("default", [order.id], desk.venue)
    for _ in range(2):
        desk.clock.advance(timedelta(seconds=1))
        await desk.ledger.submit(match)
        assert (await order_row(desk, order.id)).filled_quantity == 3
    desk.price("AAPL", "100", "30")
    await desk.ledger.submit(match)
    assert (await order_row(desk, order.id)).filled_quantity == 6


async def test_an_order_that_breaks_the_matching_stops_no_other(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with one, those of its account and of others are filled."""
    async with desk.database.write() as session:
        await session.run_sync(
            open_account, "other", Decimal(1000), desk.clock.now(), account_id="other"
        )
    orders = [
        (
            await desk.place("buy", "1", limit_price="95", note=note, account_id=account, **LIMIT)
        ).order
        for account in ("default", "other")
        for note in ("broken", "sound", "sound")
    ]
    fill = match_orders.fill

    def breaking(books: Any, order: Order, *rest: Any) -> Any:
        if order.note == "broken" and order.user_id == "default":
            raise ZeroDivisionError
        return fill(books, order, *rest)

    monkeypatch.setattr(match_orders, "fill", breaking)
    for price in ("94", "93"):
        await desk.move("AAPL", price)
        assert await states(desk, *orders) == ["new", *["filled"] * 5]
    monkeypatch.undo()
    await desk.move("AAPL", "92")
    assert await states(desk, orders[0]) == ["filled"]
    await assert_orders_hold(desk)


async def test_a_part_that_cannot_be_filled_leaves_no_order(desk: TradingDesk) -> None:
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    desk.price("AAPL", "0.0000001", "0.1")
    for time_in_force in (TimeInForce.ioc, TimeInForce.gtc):
        with pytest.raises(InvalidRequest, match="worth less than"):
            await desk.place("buy", "10", time_in_force=time_in_force)
    async with desk.database.read() as session:
        assert (await session.scalars(select(Order))).all() == []
    assert (await desk.ledger.account("default")).reserved_cash == 0


async def test_a_sale_by_notional_sets_no_more_aside_than_is_left(desk: TradingDesk) -> None:
    await desk.trade("buy", "20")
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    desk.price("AAPL", "100", "100")
    order = (await desk.place("sell", None, notional="1900", time_in_force=TimeInForce.gtc)).order
    assert order.filled_quantity == 10
    assert (await order_row(desk, order.id)).reserved_quantity == 10
    await assert_orders_hold(desk)
    await desk.move("AAPL", "100", "1000")
    assert await states(desk, order) == ["filled"]
    await assert_orders_hold(desk)
