"""Linked orders, when more happens to them than a fill: nothing rests for ever, nothing opens."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Split, SymbolChange
from paperdesk.errors import InvalidRequest
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.models import Order, OrderClass, OrderType, TimeInForce
from paperdesk.orders.commands.cancel_orders import CancelOrder
from paperdesk.orders.commands.place_order import Placed
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from paperdesk.orders.terms import StopLoss
from support.observed import problems_found
from support.orders import assert_orders_hold, order_row, states
from support.trading import TradingDesk

GTC: dict[str, Any] = {"time_in_force": TimeInForce.gtc}


async def bracket(desk: TradingDesk, quantity: str = "10", **terms: Any) -> Placed:
    """A purchase at 95, in shares of the volume, with exits at 120 and 90."""
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    return await desk.place(
        "buy", quantity, type=OrderType.limit, order_class=OrderClass.bracket,
        take_profit="120", stop_loss=StopLoss(Decimal(90)),
        **GTC | {"limit_price": "95"} | terms,
    )  # fmt: skip


async def oco(desk: TradingDesk, side: str, quantity: str, limit: str, stop: str) -> Placed:
    return await desk.place(
        side, quantity, type=OrderType.limit, order_class=OrderClass.oco, limit_price=limit,
        stop_loss=StopLoss(Decimal(stop)), **GTC,
    )  # fmt: skip


async def replace(
    desk: TradingDesk, order: Order, key: str | None = None, **changes: Any
) -> Placed:
    command = ReplaceOrder("default", order.id, Changes(**changes), desk.venue, key)
    return (await desk.ledger.submit(command)).result


async def shares(desk: TradingDesk, *orders: Order) -> list[tuple[str, Decimal | None, Decimal]]:
    rows = [await order_row(desk, order.id) for order in orders]
    return [(str(row.status), row.quantity, row.reserved_quantity) for row in rows]


async def held(desk: TradingDesk, ticker: str = "AAPL") -> Decimal:
    positions = (await desk.ledger.account("default")).positions
    return sum((p.quantity for p in positions if p.ticker == ticker), Decimal(0))


async def split(desk: TradingDesk, new: int, old: int) -> None:
    now = desk.clock.now()
    await desk.ledger.submit(Split(Notice("default", f"{new}:{old}", now, now), "AAPL", new, old))


async def fine(desk: TradingDesk) -> None:
    await assert_orders_hold(desk)
    assert await problems_found(desk.database) == []


@pytest.mark.parametrize("may_be_short", [False, True])
async def test_the_exit_without_a_reservation_is_filled_bit_by_bit(
    desk: TradingDesk, *, may_be_short: bool
) -> None:
    await desk.ledger.submit(ChangeRules("default", {"short_selling": may_be_short}))
    placed = await bracket(desk, limit_price="100")
    await desk.move("AAPL", "100", "100")
    for left in (7, 4, 1):
        await desk.move("AAPL", "89", "30")
        assert await held(desk) == left
        await fine(desk)
    await desk.move("AAPL", "89", "30")
    assert await states(desk, placed.order, *placed.legs) == ["filled", "canceled", "filled"]
    assert await held(desk) == 0
    await fine(desk)


@pytest.mark.parametrize("time_in_force", ["ioc", "fok", "opg", "cls"])
async def test_no_order_of_a_group_is_replaced_by_one_for_at_once(
    desk: TradingDesk, time_in_force: str
) -> None:
    placed = await bracket(desk)
    for order in (placed.order, placed.legs[0]):
        with pytest.raises(InvalidRequest, match="linked orders are day or gtc"):
            await replace(desk, order, time_in_force=TimeInForce(time_in_force))
    assert await states(desk, placed.order, *placed.legs) == ["new", "held", "held"]


async def test_a_replaced_entry_remembers_what_was_filled_before(desk: TradingDesk) -> None:
    placed = await bracket(desk)
    await desk.move("AAPL", "95", "40")
    second = await replace(desk, placed.order, limit_price=Decimal(96), quantity=Decimal(12))
    await desk.move("AAPL", "96", "80")
    assert await held(desk) == 12
    assert await shares(desk, *placed.legs) == [("new", 12, 12), ("new", 12, 0)]
    await fine(desk)
    # And one that is canceled leaves its exits to what was.
    again = await bracket(desk)
    await desk.move("AAPL", "95", "40")
    second = await replace(desk, again.order, limit_price=Decimal(94))
    await desk.ledger.submit(CancelOrder("default", second.order.id, desk.clock))
    assert await shares(desk, *again.legs) == [("new", 4, 4), ("new", 4, 0)]
    await fine(desk)


@pytest.mark.parametrize(("new", "old", "exits"), [(2, 1, 20), (1, 2, 5)])
async def test_a_split_while_an_entry_is_partly_filled_is_known_to_its_exits(
    desk: TradingDesk, new: int, old: int, exits: int
) -> None:
    placed = await bracket(desk)
    await desk.move("AAPL", "95", "40")
    await split(desk, new, old)
    await desk.move("AAPL", str(Decimal(95) * old / new), "1000")
    assert await held(desk) == exits
    assert await shares(desk, *placed.legs) == [("new", exits, exits), ("new", exits, 0)]
    await desk.move("AAPL", str(Decimal(89) * old / new), "1000")
    assert await held(desk) == 0
    await fine(desk)


@pytest.mark.parametrize("may_be_short", [False, True])
async def test_exits_close_what_is_left_and_never_open(
    desk: TradingDesk, *, may_be_short: bool
) -> None:
    await desk.ledger.submit(ChangeRules("default", {"short_selling": may_be_short}))
    placed = await bracket(desk)
    await desk.move("AAPL", "95", "40")
    await desk.trade("sell", "4")
    await desk.move("AAPL", "95", "60")
    assert await shares(desk, *placed.legs) == [("new", 6, 6), ("new", 6, 0)]
    await desk.move("AAPL", "89", "1000")
    assert await held(desk) == 0
    await fine(desk)


async def test_exits_of_an_entry_that_only_closes_are_canceled(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    placed = await desk.place(
        "sell", "10", type=OrderType.limit, order_class=OrderClass.bracket, limit_price="105",
        take_profit="80", stop_loss=StopLoss(Decimal(120)), **GTC,
    )  # fmt: skip
    await desk.move("AAPL", "105")
    assert await states(desk, placed.order, *placed.legs) == ["filled", "canceled", "canceled"]
    assert (await order_row(desk, placed.legs[0].id)).reason == (
        "Nothing is there that it could close."
    )
    await fine(desk)


async def test_a_symbol_change_leaves_exits_to_what_was_filled(desk: TradingDesk) -> None:
    placed = await bracket(desk)
    await desk.move("AAPL", "95", "40")
    now = desk.clock.now()
    await desk.ledger.submit(SymbolChange(Notice("default", "new", now, now), "AAPL", "APPL"))
    assert await shares(desk, *placed.legs) == [("new", 4, 4), ("new", 4, 0)]
    assert (await order_row(desk, placed.legs[0].id)).ticker == "APPL"
    await desk.move("APPL", "121", "100")
    assert await states(desk, *placed.legs) == ["filled", "canceled"]
    await fine(desk)


async def test_an_entry_that_was_replaced_goes_on_after_a_symbol_change(desk: TradingDesk) -> None:
    placed = await bracket(desk)
    await desk.move("AAPL", "95", "40")
    second = await replace(desk, placed.order, limit_price=Decimal(94))
    now = desk.clock.now()
    await desk.ledger.submit(SymbolChange(Notice("default", "new", now, now), "AAPL", "APPL"))
    await desk.move("APPL", "94", "100")
    assert await states(desk, second.order) == ["filled"]
    assert await shares(desk, *placed.legs) == [("new", 10, 10), ("new", 10, 0)]
    await fine(desk)


async def test_two_exits_that_open_share_the_cash_of_the_dearer_one(desk: TradingDesk) -> None:
    placed = await oco(desk, "buy", "90", "95", "105")
    account = await desk.ledger.account("default")
    # 90 at 3 % above 105, which is more than 90 at 95.
    assert account.reserved_cash == Decimal("9733.5")
    await desk.move("AAPL", "105")
    assert await states(desk, placed.order, *placed.legs) == ["canceled", "filled"]
    assert (await desk.ledger.account("default")).reserved_cash == 0
    await fine(desk)


async def test_two_exits_that_open_are_filled_bit_by_bit(desk: TradingDesk) -> None:
    await desk.ledger.submit(ChangeRules("default", {"volume_percent": Decimal(10)}))
    placed = await oco(desk, "buy", "90", "95", "105")
    for filled in (30, 60, 90):
        await desk.move("AAPL", "105", "300")
        assert await held(desk) == filled
        await fine(desk)
    assert await states(desk, placed.order, *placed.legs) == ["canceled", "filled"]


async def test_the_day_of_a_replaced_entry_ends_for_all_of_its_group(desk: TradingDesk) -> None:
    placed = await bracket(desk, time_in_force=TimeInForce.day)
    await desk.move("AAPL", "95", "40")
    second = await replace(desk, placed.order, limit_price=Decimal(94))
    desk.clock.advance(timedelta(days=1))
    await desk.move("AAPL", "99")
    await desk.move("AAPL", "99")
    assert await states(desk, second.order, *placed.legs) == ["expired", "expired", "canceled"]
    await fine(desk)
