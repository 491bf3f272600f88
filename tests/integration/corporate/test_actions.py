"""Corporate actions: each is booked once under its key, and the proof replays it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from paperdesk.accounts.reset import ResetAccount
from paperdesk.clock import ManualClock
from paperdesk.corporate.booking import Acted, Notice
from paperdesk.corporate.commands import Dividend, SpinOff, Split, SymbolChange
from paperdesk.db.engine import Database
from paperdesk.errors import IdempotencyMismatch, InvalidRequest, InvalidState
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.cash import MoveCash
from paperdesk.market.hours import hours_of
from paperdesk.models import (
    CashMovementKind,
    CostBasis,
    OrderClass,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from paperdesk.orders.commands.match_orders import MatchOrders
from paperdesk.orders.resting import Watermark
from paperdesk.orders.terms import StopLoss
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk, trading

LIMIT: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}


def notice(desk: TradingDesk, key: str = "once") -> Notice:
    now = desk.clock.now()
    return Notice("default", key, now, now)


async def act(desk: TradingDesk, command: Split | SymbolChange | SpinOff | Dividend) -> Acted:
    acted = (await desk.ledger.submit(command)).result
    assert await problems_found(desk.database) == []
    await assert_orders_hold(desk)
    return acted


async def split(desk: TradingDesk, numerator: int, denominator: int, **rest: Any) -> Acted:
    return await act(desk, Split(notice(desk), "AAPL", numerator, denominator, **rest))


async def by(desk: TradingDesk, method: CostBasis, **rest: Any) -> None:
    await desk.ledger.submit(ChangeRules("default", {"cost_basis_method": method, **rest}))


async def held(desk: TradingDesk) -> dict[str, tuple[Decimal, Decimal]]:
    positions = (await desk.ledger.account("default")).positions
    return {p.ticker: (p.quantity, p.cost_basis) for p in positions}


async def lots(desk: TradingDesk, ticker: str = "AAPL") -> list[tuple[int, Decimal, Decimal]]:
    positions = (await desk.ledger.account("default")).positions
    return [
        (n.number, n.quantity, n.cost)
        for p in positions
        if p.ticker == ticker
        for n in p.lots or ()
    ]


@pytest.mark.parametrize("method", [CostBasis.average, CostBasis.fifo])
async def test_a_split_changes_shares_and_no_cost(desk: TradingDesk, method: CostBasis) -> None:
    await by(desk, method)
    await desk.trade("buy", "7")
    desk.price("AAPL", "120")
    await desk.trade("buy", "3")
    acted = await split(desk, 3, 2)
    assert await held(desk) == {"AAPL": (15, 1060)}
    assert list(acted.trades) == []
    if method is CostBasis.fifo:
        assert await lots(desk) == [(2, Decimal("10.5"), 700), (3, Decimal("4.5"), 360)]


async def test_it_is_booked_once_under_its_key(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    assert not (await split(desk, 2, 1)).replayed
    assert (await split(desk, 2, 1)).replayed
    assert await held(desk) == {"AAPL": (20, 1000)}
    with pytest.raises(IdempotencyMismatch):
        await split(desk, 3, 1)
    with pytest.raises(IdempotencyMismatch):
        await act(desk, Dividend(notice(desk), "AAPL", Decimal(1)))
    await act(desk, Dividend(notice(desk, "paid"), "AAPL", Decimal(1)))
    with pytest.raises(IdempotencyMismatch):
        await act(desk, SymbolChange(notice(desk, "paid"), "AAPL", "APPL"))


async def test_two_at_the_same_time_are_one(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    command = Split(notice(desk), "AAPL", 2, 1)
    done = await asyncio.gather(*(desk.ledger.submit(command) for _ in range(20)))
    assert sorted(booked.result.replayed for booked in done) == [False] + 19 * [True]
    assert await held(desk) == {"AAPL": (20, 1000)}


async def test_nothing_held_is_nothing_done(desk: TradingDesk) -> None:
    assert (await split(desk, 2, 1)).entry is None
    assert (await act(desk, Dividend(notice(desk), "AAPL", Decimal(1)))).entry is None


async def test_a_reverse_split_pays_cash_for_the_fraction(desk: TradingDesk) -> None:
    """17 shares for 1,700 become 1.7; 0.7 of one is paid at $1,050: 735 for what cost 700."""
    await desk.trade("buy", "17")
    acted = await split(desk, 1, 10, cash_in_lieu=Decimal(1050))
    (sold,) = acted.trades
    assert (sold.quantity, sold.value, sold.realized_pnl) == (Decimal("0.7"), 735, 35)
    assert sold.source == "corporate_action"
    assert await held(desk) == {"AAPL": (1, 1000)}


async def test_a_fraction_may_be_kept(desk: TradingDesk) -> None:
    await desk.trade("buy", "17")
    await split(desk, 1, 10)
    assert await held(desk) == {"AAPL": (Decimal("1.7"), 1700)}


async def test_what_is_rounded_over_lots_adds_up(desk: TradingDesk) -> None:
    await by(desk, CostBasis.fifo)
    desk.price("AAPL", "5000")
    for quantity in ("0.000000001", "0.000000001", "0.000000001", "1"):
        await desk.trade("buy", quantity)
    await split(desk, 1, 2)
    # The ends at 0.5, 1 and 1.5 billionths are 0, 1 and 2, half to even: the first lot has no
    # share left, and its cost goes to the second.
    micro = Decimal("0.000005")
    assert await lots(desk) == [
        (3, Decimal("0.000000001"), 2 * micro),
        (4, Decimal("0.000000001"), micro),
        (5, Decimal("0.5"), 5000),
    ]
    assert await held(desk) == {"AAPL": (Decimal("0.500000002"), 5000 + 3 * micro)}


async def test_a_split_that_leaves_nothing_is_refused(desk: TradingDesk) -> None:
    desk.price("AAPL", "5000")
    await desk.trade("buy", "0.000000001")
    before = await desk.ledger.account("default")
    with pytest.raises(InvalidRequest, match="would leave 0 shares"):
        await split(desk, 1, 10)
    assert await desk.ledger.account("default") == before


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(0, 1), (1, 0), (-2, 1), (1, 1), (10**7, 1)]
)
async def test_a_ratio_that_is_none_is_refused(
    desk: TradingDesk, numerator: int, denominator: int
) -> None:
    await desk.trade("buy", "1")
    with pytest.raises(InvalidRequest, match=r"numerator|denominator"):
        await split(desk, numerator, denominator)


async def test_open_orders_go_on_after_a_split(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    buy = await desk.place("buy", "3", limit_price="90", client_order_id="mine", **LIMIT)
    sell = await desk.place(
        "sell", "9.5", order_class=OrderClass.oco, limit_price="120",
        stop_loss=StopLoss(Decimal(80)), **LIMIT
    )  # fmt: skip
    trail = await desk.place(
        "buy", "1", type=OrderType.trailing_stop, trail_percent="10", time_in_force="gtc"
    )
    acted = await split(desk, 4, 1)
    assert len(acted.orders) == 4
    row = await order_row(desk, buy.order.id)
    assert (row.quantity, row.limit_price, row.reserved_cash) == (12, Decimal("22.5"), 270)
    gain = await order_row(desk, sell.order.id)
    loss = await order_row(desk, sell.legs[0].id)
    assert (gain.quantity, gain.limit_price, gain.reserved_quantity) == (38, 30, 38)
    assert (loss.quantity, loss.stop_price) == (38, 20)
    assert (await order_row(desk, trail.order.id)).watermark == 25
    # The same order under its key is still the same order.
    again = await desk.place("buy", "3", limit_price="90", client_order_id="mine", **LIMIT)
    assert again.replayed
    await desk.move("AAPL", "22")
    assert await states(desk, buy.order) == ["filled"]
    await desk.move("AAPL", "31")
    assert await states(desk, sell.order, sell.legs[0]) == ["filled", "canceled"]
    assert (await held(desk))["AAPL"][0] == 40 + 12 + 4 - 38
    await assert_orders_hold(desk)


async def test_a_split_keeps_the_best_price_that_is_not_stored_yet(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    placed = await desk.place(
        "sell", "10", type=OrderType.trailing_stop, trail_price="6", time_in_force="gtc"
    )
    await desk.move("AAPL", "120")
    assert (await order_row(desk, placed.order.id)).watermark == 100
    await split(desk, 2, 1)
    # Half of 120, less half of 6: a stop of 57, where the stored price would make it 47.
    await desk.move("AAPL", "57.1")
    assert await states(desk, placed.order) == ["new"]
    await desk.move("AAPL", "57")
    assert await states(desk, placed.order) == ["filled"]
    await assert_orders_hold(desk)


async def test_a_best_price_from_before_a_split_triggers_nothing_after_it(
    desk: TradingDesk,
) -> None:
    await desk.trade("buy", "10")
    placed = await desk.place(
        "sell", "10", type=OrderType.trailing_stop, trail_price="6", time_in_force="gtc"
    )
    await split(desk, 2, 1)
    desk.price("AAPL", "50")
    # Found by the price before the split, and booked after it.
    late = {placed.order.id: Watermark(Decimal(120), None)}
    await desk.ledger.submit(MatchOrders("default", [placed.order.id], desk.venue, late))
    assert await states(desk, placed.order) == ["new"]
    assert (await order_row(desk, placed.order.id)).watermark == 50


async def test_orders_that_a_reverse_split_leaves_nothing_of_end(desk: TradingDesk) -> None:
    await desk.trade("buy", "25")
    small = await desk.place("sell", "5", limit_price="200", **LIMIT)
    large = await desk.place("sell", "20", limit_price="200", **LIMIT)
    await split(desk, 1, 10, cash_in_lieu=Decimal(1000))
    row = await order_row(desk, small.order.id)
    assert (row.status, row.reason) == (OrderStatus.canceled, "The split left nothing of it.")
    row = await order_row(desk, large.order.id)
    assert (row.quantity, row.limit_price, row.reserved_quantity) == (2, 2000, 2)
    assert await held(desk) == {"AAPL": (2, 2000)}


async def test_a_partly_filled_order_keeps_what_was_filled(desk: TradingDesk) -> None:
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    desk.price("AAPL", "100", volume="30")
    placed = await desk.place("buy", "10", limit_price="100", **LIMIT)
    await split(desk, 2, 1)
    row = await order_row(desk, placed.order.id)
    assert (row.filled_quantity, row.quantity, row.filled_avg_price) == (3, 17, 100)
    await desk.move("AAPL", "50", volume="1000")
    assert await states(desk, placed.order) == ["filled"]
    assert await held(desk) == {"AAPL": (20, 1000)}
    assert await problems_found(desk.database) == []


@pytest.mark.parametrize("method", [CostBasis.average, CostBasis.lifo])
async def test_a_new_name_takes_shares_lots_and_orders_along(
    desk: TradingDesk, method: CostBasis
) -> None:
    await by(desk, method)
    await desk.trade("buy", "10")
    desk.clock.advance(timedelta(days=30))
    desk.price("AAPL", "110")
    desk.price("META", "50")
    await desk.trade("buy", "4", "META")
    order = await desk.place("sell", "6", limit_price="120", **LIMIT)
    opened = (await desk.ledger.account("default")).positions[0].opened_at
    await act(desk, SymbolChange(notice(desk), "AAPL", "META"))
    assert await held(desk) == {"META": (14, 1200)}
    (position,) = (await desk.ledger.account("default")).positions
    # Held as long as the older of the two.
    assert (position.opened_at, position.available) == (opened, 8)
    if method is CostBasis.lifo:
        assert await lots(desk, "META") == [(2, 10, 1000), (3, 4, 200)]
    row = await order_row(desk, order.order.id)
    assert (row.ticker, row.reserved_quantity) == ("META", 6)
    await desk.move("META", "121")
    assert await states(desk, order.order) == ["filled"]
    assert (await held(desk))["META"][0] == 8
    await assert_orders_hold(desk)


@pytest.mark.parametrize("method", [CostBasis.average, CostBasis.hifo])
async def test_a_spin_off_gives_part_of_the_cost_away(desk: TradingDesk, method: CostBasis) -> None:
    await by(desk, method)
    await desk.trade("buy", "7")
    desk.price("AAPL", "120")
    await desk.trade("buy", "3")
    action = SpinOff(notice(desk), "AAPL", "SPUN", 1, 3, Decimal(25), Decimal(90))
    acted = await act(desk, action)
    # 3.333333333 shares for 265; a third of one is paid at $90.
    (sold,) = acted.trades
    assert (sold.ticker, sold.quantity, sold.value) == ("SPUN", Decimal("0.333333333"), 30)
    now = await held(desk)
    assert now["AAPL"] == (10, 795)
    assert now["SPUN"][0] == 3
    assert now["SPUN"][1] + 30 - sold.realized_pnl == 265


async def test_long_and_short_cannot_become_one(desk: TradingDesk) -> None:
    await by(desk, CostBasis.average, short_selling=True)
    await desk.trade("buy", "1")
    desk.price("MSFT", "50")
    await desk.trade("sell", "1", "MSFT")
    with pytest.raises(InvalidState, match="Close one first"):
        await act(desk, SymbolChange(notice(desk), "AAPL", "MSFT"))


async def test_a_dividend_is_cash(desk: TradingDesk) -> None:
    await desk.trade("buy", "10.5")
    acted = await act(desk, Dividend(notice(desk), "AAPL", Decimal("0.123456789")))
    assert acted.trades == []
    account = await desk.ledger.account("default")
    assert account.cash_balance == Decimal("8951.296296")


async def test_a_reinvested_dividend_buys_a_fraction(desk: TradingDesk) -> None:
    await by(desk, CostBasis.fifo)
    await desk.trade("buy", "10")
    action = Dividend(notice(desk), "AAPL", Decimal("0.75"), reinvest_at=Decimal(70))
    acted = await act(desk, action)
    (bought,) = acted.trades
    # 7.50 at $70 buys 0.107142857, for 7.5 to six places.
    assert (bought.quantity, bought.value) == (Decimal("0.107142857"), Decimal("7.500000"))
    assert await lots(desk) == [(2, 10, 1000), (4, Decimal("0.107142857"), Decimal("7.5"))]
    assert (await act(desk, action)).replayed


async def test_who_is_short_owes_the_dividend(desk: TradingDesk) -> None:
    await by(desk, CostBasis.average, short_selling=True)
    await desk.trade("sell", "10")
    await act(desk, Dividend(notice(desk), "AAPL", Decimal(2)))
    assert (await desk.ledger.account("default")).cash_balance == 10_980


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_key_stands_for_one_thing_whatever_came_first(
    desk: TradingDesk, *, at_once: bool
) -> None:
    """Orders, cash, dividends, other actions and resets share the keys of an account."""
    await desk.trade("buy", "10")
    commands: list[Callable[[str], Any]] = [
        lambda key: desk.order("buy", "1", client_order_id=key),
        lambda key: MoveCash("default", CashMovementKind.deposit, Decimal(5), desk.clock, key),
        lambda key: Dividend(notice(desk, key), "AAPL", Decimal(1)),
        lambda key: Split(notice(desk, key), "AAPL", 2, 1),
        lambda key: ResetAccount("default", desk.venue, Decimal(5000), key),
    ]
    for n, first in enumerate(commands):
        for m, second in enumerate(commands):
            key = f"{n}-{m}"
            if n == m:
                continue
            if at_once:
                done = await asyncio.gather(
                    *(desk.ledger.submit(make(key)) for make in (first, second)),
                    return_exceptions=True,
                )
                outcome = done[1]
            else:
                await desk.ledger.submit(first(key))
                (outcome,) = await asyncio.gather(
                    desk.ledger.submit(second(key)), return_exceptions=True
                )
            assert isinstance(outcome, IdempotencyMismatch), (n, m, outcome)
            await desk.trade("buy", "0.1")
    assert await problems_found(desk.database) == []


async def test_a_key_of_the_desk_and_the_future_are_refused(desk: TradingDesk) -> None:
    await desk.trade("buy", "1")
    with pytest.raises(InvalidRequest, match="desk's own"):
        await act(desk, Split(notice(desk, "opening"), "AAPL", 2, 1))
    now = desk.clock.now()
    later = Notice("default", "later", now, now + timedelta(seconds=1))
    with pytest.raises(InvalidRequest, match="lies in the future"):
        await act(desk, Split(later, "AAPL", 2, 1))


@pytest.mark.parametrize("way", ["buy", "sell"])
async def test_short_positions_are_split_too(desk: TradingDesk, way: str) -> None:
    await by(desk, CostBasis.hifo, short_selling=True)
    await desk.trade(way, "10")
    desk.price("AAPL", "130")
    await desk.trade(way, "7")
    await split(desk, 1, 3, cash_in_lieu=Decimal(330))
    quantity, _ = (await held(desk))["AAPL"]
    assert abs(quantity) == 5


async def test_a_sale_by_notional_is_adjusted_by_a_split(
    database: Database, clock: ManualClock
) -> None:
    async with trading(database, clock, hours_of("nyse", ZoneInfo("America/New_York"))) as desk:
        desk.price("AAPL", "100")
        await desk.trade("buy", "50")
        clock.advance(timedelta(hours=12))
        placed = await desk.place("sell", None, notional="2000")
        before = (await order_row(desk, placed.order.id)).reserved_quantity
        await split(desk, 1, 10)
        after = (await order_row(desk, placed.order.id)).reserved_quantity
        assert before > 20
        assert after == (before / 10).quantize(Decimal("0.000000001"), ROUND_DOWN)


async def test_cash_in_lieu_is_for_the_fraction_that_was_given(desk: TradingDesk) -> None:
    await desk.trade("buy", "1.5")
    desk.price("SPUN", "10")
    await desk.trade("buy", "1.5", "SPUN")
    await desk.place("sell", "1.5", "SPUN", limit_price="20", **LIMIT)
    action = SpinOff(notice(desk), "AAPL", "SPUN", 1, 4, Decimal(20), Decimal(11))
    acted = await act(desk, action)
    assert [trade.quantity for trade in acted.trades] == [Decimal("0.375")]
    assert (await held(desk))["SPUN"][0] == Decimal("1.5")


async def test_what_cannot_be_paid_in_lieu_leaves_nothing_of_a_split(desk: TradingDesk) -> None:
    await desk.trade("buy", "7")
    order = (await desk.place("sell", "7", limit_price="200", **LIMIT)).order
    before = await desk.ledger.account("default")
    with pytest.raises(InvalidRequest, match="worth less than"):
        await split(desk, 1, 2, cash_in_lieu=Decimal("0.0000001"))
    assert await desk.ledger.account("default") == before
    assert (await order_row(desk, order.id)).quantity == 7


async def test_a_dividend_is_reinvested_by_what_it_brings(desk: TradingDesk) -> None:
    await by(desk, CostBasis.average, short_selling=True, margin_percent=Decimal(0))
    desk.price("MSFT", "50")
    await desk.trade("buy", "100")
    await desk.trade("sell", "200", "MSFT")
    assert (await desk.ledger.account("default")).buying_power == 0
    await by(desk, CostBasis.average, margin_percent=Decimal(10))
    acted = await act(desk, Dividend(notice(desk), "AAPL", Decimal(1), reinvest_at=Decimal(100)))
    assert [trade.quantity for trade in acted.trades] == [1]


async def test_an_order_sets_the_commission_of_its_new_shares_aside(desk: TradingDesk) -> None:
    await by(desk, CostBasis.average, commission_per_share=Decimal(1))
    placed = await desk.place("buy", "50", limit_price="90", **LIMIT)
    assert (await order_row(desk, placed.order.id)).reserved_cash == 4550
    await split(desk, 2, 1)
    assert (await order_row(desk, placed.order.id)).reserved_cash == 4600
    await desk.move("AAPL", "45")
    assert await states(desk, placed.order) == ["filled"]
    # No more than there is.
    desk.price("AAPL", "60")
    last = await desk.place("buy", "100", limit_price="53", **LIMIT)
    await act(desk, Split(notice(desk, "again"), "AAPL", 3, 1))
    assert (await order_row(desk, last.order.id)).reserved_cash == 5400


async def test_a_symbol_change_makes_no_position_too_large(desk: TradingDesk) -> None:
    for ticker in ("AAPL", "MSFT"):
        desk.price(ticker, "0.000001")
        await desk.trade("buy", "600000000", ticker)
    with pytest.raises(InvalidRequest, match="at most 1,000,000,000 shares"):
        await act(desk, SymbolChange(notice(desk), "AAPL", "MSFT"))


async def test_actions_are_booked_in_the_order_of_time(desk: TradingDesk) -> None:
    """What they change is what is held now: dated before a trade, it would be something else."""
    before = desk.clock.now()
    desk.clock.advance(timedelta(hours=1))
    desk.price("AAPL", "100")
    await desk.trade("buy", "10")
    now = desk.clock.now()
    early, held_for = Notice("default", "early", now, before), "is held since"
    for command in (
        Split(early, "AAPL", 2, 1),
        Dividend(early, "AAPL", Decimal(1)),
        SymbolChange(early, "AAPL", "APPL"),
        SpinOff(early, "AAPL", "SPUN", 1, 4, Decimal(20)),
    ):
        with pytest.raises(InvalidRequest, match=held_for):
            await desk.ledger.submit(command)
    desk.clock.advance(timedelta(hours=1))
    await split(desk, 2, 1)
    desk.clock.advance(timedelta(hours=1))
    late = Notice("default", "late", desk.clock.now(), now)
    with pytest.raises(InvalidRequest, match="in the order of time"):
        await desk.ledger.submit(SymbolChange(late, "AAPL", "APPL"))
    # A dividend changes no shares, and may come late.
    await act(desk, Dividend(late, "AAPL", Decimal(1)))
