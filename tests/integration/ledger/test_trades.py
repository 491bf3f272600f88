"""Trades through the writer: what is booked, what is refused, and what a key does."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidRequest,
    NotFound,
    PriceUnavailable,
    Refused,
)
from paperdesk.models import Order, OrderStatus, Position, Side, Trade
from support.trading import TradingDesk, assert_books_hold, row_counts, state_of, trading


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[TradingDesk]:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "190.123456789")
        yield desk


async def test_a_buy_books_order_trade_position_and_cash_together(desk: TradingDesk) -> None:
    booked = await desk.trade("buy", "3.000000001", strategy="breakout", note="first")

    assert booked.account.cash_balance == Decimal("9429.629629")
    assert [p.cost_basis for p in booked.account.positions] == [Decimal("570.370371")]
    async with desk.database.read() as session:
        order = (await session.scalars(select(Order))).one()
        trade = (await session.scalars(select(Trade))).one()
        position = (await session.scalars(select(Position))).one()
    assert order.status is OrderStatus.filled
    assert (order.filled_quantity, order.filled_avg_price) == (trade.quantity, trade.price)
    assert (order.source, order.strategy, order.note) == ("test", "breakout", "first")
    assert (trade.order_id, trade.side, trade.value) == (order.id, Side.buy, Decimal("570.370371"))
    assert (trade.fee, trade.realized_pnl, trade.sequence) == (0, 0, 2)
    assert (position.quantity, position.avg_cost) == (
        Decimal("3.000000001"),
        Decimal("190.123456937"),
    )
    await assert_books_hold(desk.database)


async def test_closing_a_position_leaves_no_row_and_no_rest(desk: TradingDesk) -> None:
    desk.price("AAPL", "3.333333333")
    for quantity in ("1", "1.7", "0.3"):
        await desk.trade("buy", quantity)
    desk.price("AAPL", "7.77")
    await desk.trade("sell", "1.1")
    booked = await desk.trade("sell", "1.9")

    assert booked.account.positions == ()
    assert booked.account.cash_balance == 10_000 + booked.account.realized_pnl
    async with desk.database.read() as session:
        assert (await session.scalars(select(Position))).all() == []
    await assert_books_hold(desk.database)


@pytest.mark.parametrize(
    ("side", "quantity", "ticker", "refusal"),
    [
        ("buy", "1000", "AAPL", InsufficientCash),
        ("sell", "0.000000001", "AAPL", InsufficientShares),
        ("buy", "1", "MSFT", PriceUnavailable),
        ("buy", "1000000000", "AAPL", InvalidRequest),
        ("buy", "0.000000001", "AAPL", InvalidRequest),
    ],
)
async def test_a_refusal_leaves_no_trace(
    desk: TradingDesk, side: str, quantity: str, ticker: str, refusal: type[Refused]
) -> None:
    before = await row_counts(desk.database)

    with pytest.raises(refusal):
        await desk.trade(side, quantity, ticker)

    assert await row_counts(desk.database) == before
    assert (await desk.ledger.account("default")).cash_balance == 10_000


async def test_what_is_worth_nothing_can_be_closed_but_not_given_away(desk: TradingDesk) -> None:
    desk.price("AAPL", "100")
    await desk.trade("buy", "1")
    await desk.trade("sell", "0.999999998")
    with pytest.raises(InvalidRequest):
        await desk.trade("sell", "0.000000001")

    booked = await desk.trade("sell", "0.000000002")

    assert booked.account.positions == ()
    await assert_books_hold(desk.database)


@pytest.mark.parametrize(
    ("price", "fits", "too_much"),
    [
        ("100", ("buy", "5"), ("buy", "5.1")),
        ("500", ("sell", "3.7"), ("sell", "0.1")),
        ("400", ("sell", "5"), ("sell", "0.1")),
    ],
    ids=["cost", "gain", "gain exactly"],
)
async def test_what_builds_up_has_an_end(
    desk: TradingDesk,
    monkeypatch: pytest.MonkeyPatch,
    price: str,
    fits: tuple[str, str],
    too_much: tuple[str, str],
) -> None:
    desk.price("AAPL", "100")
    await desk.trade("buy", "10")
    monkeypatch.setattr("paperdesk.ledger.booking.LARGEST_SUM", Decimal(1500))
    desk.price("AAPL", price)
    await desk.trade(*fits)
    before = await state_of(desk.database)

    with pytest.raises(InvalidRequest, match="at most"):
        await desk.trade(*too_much)

    assert await state_of(desk.database) == before


async def test_a_quote_that_grew_stale_fills_nothing(desk: TradingDesk) -> None:
    desk.clock.advance(timedelta(seconds=10.1))

    with pytest.raises(PriceUnavailable):
        await desk.trade("buy", "1")


@pytest.mark.parametrize("key", [None, "k1"], ids=repr)
async def test_an_unknown_account_is_refused(desk: TradingDesk, key: str | None) -> None:
    with pytest.raises(NotFound):
        await desk.trade("buy", "1", account_id="nobody", client_order_id=key)


async def test_a_key_books_once_also_across_restarts(
    desk: TradingDesk, database: Database, clock: ManualClock
) -> None:
    first = await desk.trade("buy", "2", client_order_id="k1")
    desk.price("AAPL", "999")
    again = await desk.trade("buy", "2", client_order_id="k1")
    async with trading(database, clock) as restarted:
        later = await restarted.trade("buy", "2", client_order_id="k1")

    assert (first.result.replayed, again.result.replayed, later.result.replayed) == (
        False,
        True,
        True,
    )
    assert first.result.trade.id == again.result.trade.id == later.result.trade.id
    assert (await state_of(database))["positions"]["AAPL"][0] == 2


async def test_a_key_of_another_order_is_refused(desk: TradingDesk) -> None:
    await desk.trade("buy", "2", client_order_id="k1")
    before = await row_counts(desk.database)

    for side, quantity in (("buy", "3"), ("sell", "2")):
        with pytest.raises(IdempotencyMismatch):
            await desk.trade(side, quantity, client_order_id="k1")

    assert await row_counts(desk.database) == before


async def test_a_refusal_leaves_its_key_free(desk: TradingDesk) -> None:
    with pytest.raises(InsufficientCash):
        await desk.trade("buy", "1000", client_order_id="k1")

    booked = await desk.trade("buy", "1", client_order_id="k1")

    assert not booked.result.replayed
