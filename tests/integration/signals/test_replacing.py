"""Alerts that find orders of alerts before them: what waits, what protects, what was asked for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from paperdesk.models import Signal
from support.desk import DeskClient, open_desk
from support.hooks import buying, exact, make_hook, orders, selling
from support.observed import problems_found
from support.pricing import SleeplessClock

BRACKET: dict[str, Any] = {"takeProfit": {"percent": 10}, "stopLoss": {"percent": 5}}
SHORTING: dict[str, Any] = {"short_selling": {"enabled": True}}


def said(action: str, **more: Any) -> dict[str, Any]:
    return {"ticker": "AAPL", "action": action, **more}


async def held(desk: DeskClient) -> Decimal:
    positions = exact(await desk.get("/api/portfolio"))["positions"]
    return Decimal(sum(p["quantity"] for p in positions if p["ticker"] == "AAPL"))


async def open_orders(desk: DeskClient) -> list[tuple[str, str, Decimal | None]]:
    return [
        (str(order.leg), order.side.value, order.quantity)
        for order in await orders(desk)
        if order.closed_at is None
    ]


@pytest.fixture
async def nyse(database_url: str) -> AsyncIterator[DeskClient]:
    """A desk that keeps the hours of the NYSE, on a Saturday."""
    clock = SleeplessClock(datetime(2026, 11, 21, 15, 0, tzinfo=UTC))
    async with open_desk(database_url, clock=clock, market_hours="nyse") as desk:
        await desk.app.state.market.tick()
        yield desk


async def test_a_target_takes_the_place_of_one_that_waits(nyse: DeskClient) -> None:
    hook = await make_hook(nyse)
    for target in ("10", "10", "20"):
        signal = await hook.done({"ticker": "AAPL", "position_size": target, "action": "buy"})
        assert signal["status"] == "executed"
    assert await open_orders(nyse) == [("single", "buy", Decimal(20))]

    flat = await hook.done({"ticker": "AAPL", "position_size": "0", "action": "sell"})
    assert flat["status"] == "executed"
    assert "Canceled 1 open order" in flat["outcome"]
    assert await open_orders(nyse) == []


async def test_leaving_what_was_only_about_to_be_held_cancels_it(nyse: DeskClient) -> None:
    hook, other = await make_hook(nyse), await make_hook(nyse)
    await hook.done(buying(10))
    await other.done(buying(3))
    signal = await hook.done(said("close"))
    assert (signal["status"], signal["order_id"]) == ("executed", None)
    # That of another webhook is not its to cancel.
    assert await open_orders(nyse) == [("single", "buy", Decimal(3))]


@pytest.mark.parametrize(
    ("alert", "left"),
    [
        (said("sell", quantity=10), 0),
        (said("sell", quantity=4), 6),
        (said("exit_long", quantity=5), 5),
        (said("sell", quantity="50%"), 5),
        (said("buy", position_size="4"), 4),
        (said("sell", position_size="-10"), -10),
        (said("reverse"), -10),
        (said("enter_short", quantity=10), -10),
        (said("sell", quantity=20), -10),
        (said("close"), 0),
    ],
    ids=str,
)
async def test_exits_of_a_bracket_make_way_for_an_alert_that_leaves(
    desk: DeskClient, alert: dict[str, Any], left: int
) -> None:
    assert (await desk.patch("/api/accounts/default", json=SHORTING)).status_code == 200
    hook = await make_hook(desk)
    await hook.done(buying(10, **BRACKET))
    signal = await hook.done(alert)
    assert (signal["status"], signal["error"]) == ("executed", None)
    assert await held(desk) == left
    protected = {quantity for _, side, quantity in await open_orders(desk) if side == "sell"}
    assert protected == ({Decimal(left)} if left > 0 else set())
    assert await problems_found(desk.app.state.database) == []


@pytest.mark.parametrize(
    "alert",
    [
        said("enter_short", quantity=10),
        said("reverse"),
        said("sell", position_size="-10"),
        said("sell", quantity=20, market_position="short"),
    ],
    ids=str,
)
async def test_where_nothing_is_sold_short_a_reversal_only_closes(
    desk: DeskClient, alert: dict[str, Any]
) -> None:
    hook = await make_hook(desk)
    await hook.done(buying(10, **BRACKET))
    signal = await hook.done(alert)
    assert signal["status"] == "executed"
    assert "only closes" in signal["outcome"]
    assert (await held(desk), await open_orders(desk)) == (0, [])


async def test_a_plain_sale_of_more_than_is_held_is_refused(desk: DeskClient) -> None:
    hook = await make_hook(desk)
    await hook.done(buying(10))
    assert (await hook.done(selling(20)))["status"] == "rejected"
    assert await held(desk) == 10


@pytest.mark.parametrize(
    "alert",
    [
        buying(50, orderType="stop", stopPrice=1),
        said("enter_short", quantity=900, orderType="limit", limitPrice=1),
        said("enter_short", quantity=900, orderType="stop", stopPrice=1_000_000),
    ],
    ids=str,
)
async def test_a_price_that_means_nothing_goes_round_no_limit(
    desk: DeskClient, alert: dict[str, Any]
) -> None:
    assert (await desk.patch("/api/accounts/default", json=SHORTING)).status_code == 200
    for limit in ("max_notional_per_order", "max_notional_per_day", "max_position_notional"):
        limits: dict[str, Any] = {limit: 1000}
        hook = await make_hook(desk, **limits)
        assert (await hook.done(alert))["status"] == "rejected"
    assert await held(desk) == 0


async def test_an_amount_in_cash_is_measured_by_what_may_be_paid(desk: DeskClient) -> None:
    hook = await make_hook(desk)
    await hook.done(said("buy", sizeUsd=1000, orderType="stop", stopPrice=1))
    (order,) = await orders(desk)
    assert order.filled_quantity * Decimal("190.25") <= 1000


async def test_an_order_by_hand_under_the_signals_id_is_not_the_signals(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="propose")
    signal_id = (await hook.send(buying(5)))["signal_id"]
    by_hand = {"ticker": "MSFT", "side": "buy", "quantity": 1, "client_order_id": signal_id}
    assert (await desk.post("/api/orders", json=by_hand)).status_code == 201
    await desk.post(f"/api/signals/{signal_id}/approve")
    signal = await hook.processed(signal_id)
    assert (signal["status"], signal["order_id"]) == ("rejected", None)


async def test_a_signal_without_a_webhook_cannot_be_approved(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="propose")
    signal_id = (await hook.send(buying(5)))["signal_id"]
    async with desk.app.state.database.write() as session:
        await session.execute(update(Signal).values(webhook_id=None))
    assert (await desk.post(f"/api/signals/{signal_id}/approve")).status_code == 409


async def test_a_replay_makes_nobody_miss_an_alert(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="record")
    sides = {"prev_market_position": "flat", "market_position": "long"}
    first = await hook.send(buying(1, **sides))
    sides = {"prev_market_position": "long", "market_position": "flat"}
    await hook.send(selling(1, **sides))
    assert (await desk.post(f"/api/signals/{first['signal_id']}/replay")).status_code == 201
    sides = {"prev_market_position": "flat", "market_position": "long"}
    third = await hook.send(buying(2, **sides))
    assert (await hook.signal(third["signal_id"]))["missed"] is None
