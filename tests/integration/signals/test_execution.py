"""What an alert becomes: the order, its legs, and what is said where there can be none."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from paperdesk.models import OrderLeg, Signal
from support.desk import DeskClient, open_desk
from support.hooks import (
    Hook,
    all_processed,
    buying,
    exact,
    make_hook,
    orders,
    pass_time,
    rows,
    selling,
)
from support.observed import problems_found
from support.pricing import SleeplessClock


async def portfolio(desk: DeskClient) -> Any:
    return exact(await desk.get("/api/portfolio"))


async def held(desk: DeskClient, ticker: str = "AAPL") -> Decimal:
    positions = (await portfolio(desk))["positions"]
    return Decimal(sum(p["quantity"] for p in positions if p["ticker"] == ticker))


async def allow_shorting(desk: DeskClient) -> None:
    answer = await desk.patch("/api/accounts/default", json={"short_selling": {"enabled": True}})
    assert answer.status_code == 200, answer.text


async def test_an_order_says_where_it_came_from(desk: DeskClient) -> None:
    hook = await make_hook(desk, strategy="breakout")
    signal = await hook.done(buying(3, note="why not", strategy="other"))
    assert (signal["status"], signal["processed"], signal["attempts"]) == ("executed", True, 1)
    assert signal["outcome"] == "Bought 3 AAPL at 190.25."
    (order,) = await orders(desk)
    assert (order.source, order.strategy, order.note) == ("webhook", "breakout", "why not")
    assert order.client_order_id == order.signal_id == signal["signal_id"]
    assert (order.leg, order.id) == (OrderLeg.single, signal["order_id"])
    assert (await portfolio(desk))["cash_balance"] == Decimal("9429.25")
    assert await problems_found(desk.app.state.database) == []


async def test_without_one_of_its_webhook_the_strategy_is_the_alerts_own(
    desk: DeskClient, hook: Hook
) -> None:
    await hook.done(buying(strategy="own"))
    await hook.done(buying(2))
    assert [order.strategy for order in await orders(desk)] == ["own", hook.name]


async def test_a_bracket_is_three_legs_of_one_signal(desk: DeskClient, hook: Hook) -> None:
    body = buying(2, takeProfit={"percent": 10}, stopLoss={"type": "stop", "percent": 5})
    signal = await hook.done(body)
    again = await hook.send(body)
    found = {str(order.leg): order for order in await orders(desk)}
    assert set(found) == {"entry", "take_profit", "stop_loss"}
    assert {order.signal_id for order in found.values()} == {signal["signal_id"]}
    assert found["take_profit"].limit_price == Decimal("209.275")
    assert found["stop_loss"].stop_price == Decimal("180.7375")
    assert signal["order_id"] == again["first"]["order_id"] == found["entry"].id

    desk.prices.prices["AAPL"] = "210"
    while str((await orders(desk))[-1].closed_at) == "None":  # noqa: ASYNC110 - a price fills it
        await asyncio.sleep(0.01)
    filled = exact(await desk.get(f"/api/orders/{found['take_profit'].id}"))
    assert filled["status"] == "filled"
    assert exact(await desk.get(f"/api/orders/{found['stop_loss'].id}"))["status"] == "canceled"
    assert await held(desk) == 0
    assert await problems_found(desk.app.state.database) == []


@pytest.mark.parametrize(
    ("more", "kind", "prices"),
    [
        ({"orderType": "limit", "limitPrice": 150}, "limit", (Decimal(150), None, None, None)),
        ({"orderType": "stop", "stopPrice": 250}, "stop", (None, Decimal(250), None, None)),
        (
            {"orderType": "stop_limit", "stopPrice": 250, "limitPrice": 251},
            "stop_limit",
            (Decimal(251), Decimal(250), None, None),
        ),
        (
            {"orderType": "trailing_stop", "trailAmount": 5},
            "trailing_stop",
            (None, None, Decimal(5), None),
        ),
        (
            {"orderType": "trailing_stop", "trailPercent": 5},
            "trailing_stop",
            (None, None, None, Decimal(5)),
        ),
    ],
)
async def test_orders_with_prices_rest(
    desk: DeskClient, hook: Hook, more: dict[str, Any], kind: str, prices: tuple[Any, ...]
) -> None:
    signal = await hook.done(buying(1, **more))
    assert signal["status"] == "executed"
    (order,) = await orders(desk)
    assert (order.type, order.closed_at) == (kind, None)
    limit, stop, trail, percent = prices
    assert order.limit_price == limit
    assert stop is None or order.stop_price == stop
    assert (order.trail_price, order.trail_percent) == (trail, percent)


async def test_sizes_are_cash_a_part_of_the_worth_and_a_part_of_the_position(
    desk: DeskClient, hook: Hook
) -> None:
    await hook.done({"ticker": "AAPL", "action": "buy", "sizeUsd": 951.25})
    assert await held(desk) == 5
    desk.prices.prices["AAPL"] = "200"
    await desk.app.state.market.tick()
    await hook.done({"ticker": "AAPL", "action": "sell", "quantity": "40%", "note": "of it"})
    assert await held(desk) == 3
    # $10,048.75 by now, a tenth of it at $400.50.
    body = {"ticker": "MSFT", "action": "buy", "quantity": 10, "quantityType": "percent_of_equity"}
    signal = await hook.done(body)
    assert signal["status"] == "executed", signal["error"]
    assert await held(desk, "MSFT") == Decimal("2.509051186")
    assert await problems_found(desk.app.state.database) == []


async def test_a_target_is_reached_from_wherever_the_position_is(
    desk: DeskClient, hook: Hook
) -> None:
    for target, side, shares in ((5, "buy", 5), (2, "sell", 3), (0, "sell", 2)):
        await hook.done({"ticker": "AAPL", "action": side, "position_size": target, "n": target})
        assert await held(desk) == target
        assert (await orders(desk))[-1].quantity == shares
    signal = await hook.done({"ticker": "AAPL", "action": "sell", "position_size": 0, "n": 9})
    assert (signal["status"], signal["order_id"]) == ("executed", None)
    assert "nothing to do" in signal["outcome"]
    assert len(await orders(desk)) == 3


async def test_close_then_open_in_two_alerts_is_executed_in_that_order(
    desk: DeskClient, hook: Hook
) -> None:
    """What was bought with all of the cash has to be sold first."""
    await hook.done(buying(52))
    await hook.send({"ticker": "AAPL", "action": "close"})
    last = await hook.send(buying(51, note="again"))
    assert (await hook.processed(last["signal_id"]))["status"] == "executed"
    assert [str(order.side) for order in await orders(desk)] == ["buy", "sell", "buy"]
    assert await held(desk) == 51


async def test_a_flip_goes_through_zero(desk: DeskClient, hook: Hook) -> None:
    await allow_shorting(desk)
    for action in ("enter_long", "enter_short", "enter_long", "reverse"):
        body = {"ticker": "AAPL", "action": action, "quantity": 2, "n": str(await held(desk))}
        signal = await hook.done(body)
        assert signal["status"] == "executed", signal["error"]
    sizes = [(str(o.side), o.quantity) for o in await orders(desk)]
    assert sizes == [("buy", 2), ("sell", 4), ("buy", 4), ("sell", 4)]
    assert await held(desk) == -2
    assert await problems_found(desk.app.state.database) == []


async def test_a_hundred_of_a_webhook_and_ticker_are_executed_as_they_came(
    desk: DeskClient, hook: Hook
) -> None:
    bodies = [buying(f"0.0{n + 1:04d}", ticker=("AAPL", "MSFT")[n % 2]) for n in range(100)]
    answer = [await hook.send(bodies[n : n + 10]) for n in range(0, 100, 10)]
    assert all(each["status"] == "received" for each in answer)
    signals = await all_processed(desk)
    assert {str(signal.status) for signal in signals} == {"executed"}
    by_signal = {order.signal_id: order for order in await orders(desk)}
    for ticker in ("AAPL", "MSFT"):
        ids = [by_signal[each.signal_id].id for each in signals if each.ticker == ticker]
        assert ids == sorted(ids)


async def test_a_cancel_cancels_the_open_orders_of_its_ticker(desk: DeskClient, hook: Hook) -> None:
    for ticker, price in (("AAPL", 100), ("AAPL", 101), ("MSFT", 100)):
        await hook.done(buying(1, ticker, orderType="limit", limitPrice=price, tif="gtc"))
    signal = await hook.done({"ticker": "AAPL", "action": "cancel"})
    assert signal["outcome"] == "Canceled 2 open order(s) of AAPL."
    assert [str(o.status) for o in await orders(desk)] == ["canceled", "canceled", "new"]
    assert (await portfolio(desk))["reserved_cash"] == 100


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (buying(53), "$10,083.25, and $10,000.00 is there"),
        (buying(53, orderType="limit", limitPrice=190), "$10,070.00 aside"),
        (selling(1), "needs that many shares, and 0 are held"),
        ({"ticker": "AAPL", "action": "exit_long"}, "no long position in AAPL"),
        ({"ticker": "AAPL", "action": "buy"}, "does not say how much"),
        (buying(1, "NOBODY"), "NOBODY"),
    ],
)
async def test_what_cannot_be_done_is_rejected_with_its_reason_and_leaves_nothing(
    desk: DeskClient, hook: Hook, body: dict[str, Any], sentence: str
) -> None:
    signal = await hook.done(body)
    assert (signal["status"], signal["order_id"], signal["processed"]) == ("rejected", None, True)
    assert sentence in signal["error"]
    assert [order.closed_at for order in await orders(desk) if order.closed_at is None] == []
    shown = await portfolio(desk)
    assert (shown["cash_balance"], shown["reserved_cash"]) == (10_000, 0)
    again = await hook.send(body)
    assert (again["status"], again["first"]["error"]) == ("duplicate", signal["error"])
    # It blocks nobody.
    assert (await hook.done(buying(1)))["status"] == "executed"


async def test_what_has_no_price_is_tried_later_and_holds_up_its_own_queue_alone(
    timed: DeskClient,
) -> None:
    timed.prices.prices["WAIT"] = None
    hook, other = await make_hook(timed), await make_hook(timed)
    first = await hook.send(buying(1, "WAIT"))
    second = await hook.send(buying(2, "WAIT"))
    elsewhere = await hook.send(buying(1, "MSFT"))
    assert (await hook.processed(elsewhere["signal_id"]))["status"] == "executed"

    waiting = await hook.tried(first["signal_id"], 1)
    assert (waiting["status"], waiting["processed"], waiting["attempts"]) == ("queued", False, 1)
    assert "no current price of WAIT" in waiting["error"]
    behind = await hook.signal(second["signal_id"])
    assert (behind["status"], behind["attempts"], behind["error"]) == ("queued", 0, None)
    # Nor does the other webhook wait behind this one.
    theirs = await other.send(buying(3, "WAIT"))
    assert (await other.tried(theirs["signal_id"], 1))["attempts"] == 1

    timed.prices.prices["WAIT"] = "10"
    await pass_time(timed, 1)
    for answer in (first, second, theirs):
        assert (await hook.processed(answer["signal_id"]))["status"] == "executed"
    done = await hook.signal(first["signal_id"])
    assert (done["attempts"], done["error"]) == (2, None)
    sizes = [o.quantity for o in await orders(timed) if o.strategy == hook.name]
    assert [size for size in sizes if size != 3] == [1, 1, 2]


async def had_tries(desk: DeskClient, signal_id: str, attempts: int) -> None:
    """Have a signal be tried that often, and be due."""
    async with desk.app.state.database.write() as session:
        change = update(Signal).where(Signal.signal_id == signal_id)
        await session.execute(change.values(attempts=attempts, next_attempt_at=None))
    await pass_time(desk, 1)


async def test_a_signal_that_never_finds_a_price_is_given_up_and_lets_the_next_go_on(
    timed: DeskClient,
) -> None:
    timed.prices.prices["WAIT"] = None
    hook = await make_hook(timed)
    first = (await hook.send(buying(1, "WAIT")))["signal_id"]
    second = (await hook.send(buying(2, "WAIT")))["signal_id"]
    pauses: list[float] = []
    for attempt in (1, 2, 7, 8):
        if attempt == 7:
            # Each try waits for two seconds; those in between are like the second.
            await had_tries(timed, first, 6)
        await hook.tried(first, attempt)
        (row,) = await rows(timed, Signal.signal_id == first)
        if row.next_attempt_at is not None:
            pauses.append((row.next_attempt_at - timed.prices.clock.now()).total_seconds())
            if attempt != 2:
                await pass_time(timed, pauses[-1])
    assert pauses == [1, 2, 60]
    signal = await hook.processed(first)
    assert (signal["status"], signal["attempts"], signal["order_id"]) == ("failed", 8, None)
    assert signal["error"].startswith("It was given up after 8 tries: There is no current price")
    timed.prices.prices["WAIT"] = "10"
    await pass_time(timed, 1)
    assert (await hook.processed(second))["status"] == "executed"


async def test_many_that_wait_hold_up_nobody_else(desk: DeskClient) -> None:
    """Though more of them stand first in the queue than are looked at in one go."""
    desk.prices.prices["WAIT"] = None
    hook, other = await make_hook(desk), await make_hook(desk)
    first = (await hook.send(buying(1, "WAIT")))["signal_id"]
    await hook.tried(first, 1)
    for n in range(11):
        await hook.send([buying(1, "WAIT", signal_id=f"{n}-{m}") for m in range(100)])
    signal = await other.done(buying(1, "MSFT"))
    assert signal["status"] == "executed"


async def test_a_ticker_that_has_no_price_keeps_no_other_waiting(desk: DeskClient) -> None:
    desk.prices.prices["WAIT"] = None
    hook = await make_hook(desk)
    _, traded = (await hook.send([buying(1, "WAIT"), buying(1, "MSFT")]))["signals"]
    # A price is waited for for two seconds, and nothing else is for so long.
    async with asyncio.timeout(1.5):
        signal = await hook.processed(traded["signal_id"])
    assert signal["status"] == "executed"


async def test_a_source_that_breaks_at_one_ticker_stops_no_other(
    desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows = desk.prices.knows

    async def breaking(ticker: str) -> bool:
        if ticker == "BADX":
            raise RuntimeError("a source that breaks")
        return await knows(ticker)

    monkeypatch.setattr(desk.prices, "knows", breaking)
    hook = await make_hook(desk)
    broken, traded = (await hook.send([buying(1, "BADX"), buying(1, "MSFT")]))["signals"]
    signal = await hook.processed(traded["signal_id"])
    assert (signal["status"], signal["attempts"]) == ("executed", 1)
    signal = await hook.tried(broken["signal_id"], 1)
    assert (signal["status"], signal["processed"]) == ("queued", False)
    assert "There is no current price of BADX" in signal["error"]
    assert desk.app.state.desk.in_trouble() == []


@pytest.fixture
async def nyse(database_url: str) -> AsyncIterator[DeskClient]:
    """A desk that keeps the hours of the NYSE, on a Saturday."""
    clock = SleeplessClock(datetime(2026, 11, 21, 15, 0, tzinfo=UTC))
    async with open_desk(database_url, clock=clock, market_hours="nyse") as desk:
        await desk.app.state.market.tick()
        yield desk


async def test_while_the_market_is_closed_an_order_waits(nyse: DeskClient) -> None:
    hook = await make_hook(nyse)
    signal = await hook.done(buying(1))
    assert signal["status"] == "executed"
    assert "Placed an order to buy 1 AAPL" in signal["outcome"]
    (order,) = await orders(nyse)
    assert (order.filled_quantity, order.closed_at) == (0, None)
    assert (await portfolio(nyse))["reserved_cash"] > 0


async def test_orders_that_wait_for_the_opening_count_for_the_limits(nyse: DeskClient) -> None:
    hook = await make_hook(nyse, max_position=10)
    cash = {"ticker": "AAPL", "action": "buy", "sizeUsd": 1150}
    first = await hook.done(cash)
    second = await hook.done(cash | {"note": "again"})
    third = await hook.done(buying(5))
    assert (first["status"], second["status"], third["status"]) == (
        "executed",
        "rejected",
        "rejected",
    )
    assert "is the most" in second["error"]
