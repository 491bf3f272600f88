"""A clone begins as another account is: its rules, cash, watchlists, and each of its lots."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.accounts.clone import clone_account
from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Split
from paperdesk.errors import InsufficientCash, NotFound
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.views import AccountView
from paperdesk.models import CostBasis, OrderType, TimeInForce
from paperdesk.watchlist.service import add, entries
from support.observed import problems_found
from support.orders import assert_orders_hold
from support.trading import TradingDesk


async def clone(desk: TradingDesk, source: str = "default", **rest: Any) -> AccountView:
    async with desk.database.write() as session:
        await session.run_sync(
            clone_account,
            source,
            "What if",
            desk.board,
            desk.clock.now(),
            account_id="clone",
            **rest,
        )
    assert await problems_found(desk.database) == []
    await assert_orders_hold(desk, "clone")
    return await desk.ledger.account("clone")


def lots(account: AccountView) -> list[tuple[Any, ...]]:
    return [
        (p.ticker, lot.opened_at, lot.quantity, lot.cost)
        for p in account.positions
        for lot in p.lots or ()
    ]


def shares(account: AccountView) -> list[tuple[Any, ...]]:
    return [
        (p.ticker, p.quantity, p.cost_basis, p.avg_cost, p.opened_at) for p in account.positions
    ]


async def bought(desk: TradingDesk, method: CostBasis) -> None:
    rules = {"short_selling": True, "cost_basis_method": method, "spread_bps": Decimal(4)}
    await desk.ledger.submit(ChangeRules("default", rules))
    for price in ("100", "130", "110"):
        desk.clock.advance(timedelta(days=40))
        desk.price("AAPL", price)
        desk.price("MSFT", "50")
        await desk.trade("buy", "7")
        await desk.trade("sell", "2", "MSFT")
    await desk.trade("sell", "3")


@pytest.mark.parametrize("method", CostBasis)
async def test_it_holds_the_same_lots_since_the_same_time(
    desk: TradingDesk, method: CostBasis
) -> None:
    await bought(desk, method)
    source = await desk.ledger.account("default")
    account = await clone(desk)
    assert (account.cash_balance, account.realized_pnl) == (source.cash_balance, 0)
    assert account.rules == source.rules
    assert account.short_collateral == source.short_collateral
    assert shares(account) == shares(source)
    if method is not CostBasis.average:
        assert lots(account) == lots(source)
    # And from there both realise the same.
    desk.price("AAPL", "140")
    desk.price("MSFT", "45")
    made = {}
    for name in ("default", "clone"):
        sold = await desk.trade("sell", "9", account_id=name)
        covered = await desk.trade("buy", "5", "MSFT", account_id=name)
        made[name] = [
            (t.realized_pnl, t.opened_at, t.cost_basis_method)
            for t in (sold.result.trade, covered.result.trade)
        ]
    assert made["clone"] == made["default"]
    assert made["clone"][0][1] < desk.clock.now() - timedelta(days=30)
    assert await problems_found(desk.database) == []


@pytest.mark.parametrize("method", [CostBasis.average, CostBasis.fifo])
async def test_its_shares_split_like_others(desk: TradingDesk, method: CostBasis) -> None:
    await bought(desk, method)
    await clone(desk)
    now = desk.clock.now()
    for name in ("default", "clone"):
        await desk.ledger.submit(Split(Notice(name, "split", now, now), "AAPL", 3, 2))
    ours, theirs = [await desk.ledger.account(name) for name in ("clone", "default")]
    assert [(p.quantity, p.cost_basis) for p in ours.positions] == [
        (p.quantity, p.cost_basis) for p in theirs.positions
    ]
    assert await problems_found(desk.database) == []


async def test_orders_history_and_what_they_set_aside_stay_behind(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    for side, price in (("sell", "120"), ("buy", "80")):
        await desk.place(
            side, "5", type=OrderType.limit, limit_price=price, time_in_force=TimeInForce.gtc
        )
    account = await clone(desk)
    assert (account.reserved_cash, account.positions[0].available) == (0, 10)
    assert account.buying_power == account.cash_balance == 9000
    assert account.sequence == 2
    # The accounts go their own ways.
    await desk.move("AAPL", "121")
    assert (await desk.ledger.account("clone")).positions == account.positions
    assert (await desk.ledger.account("default")).positions[0].quantity == 5


async def test_positions_and_cash_are_a_choice(desk: TradingDesk) -> None:
    await desk.trade("buy", "10")
    account = await clone(desk, positions=False, cash_balance=Decimal("5000.25"))
    assert (account.cash_balance, account.positions) == (Decimal("5000.25"), ())


async def test_watchlists_come_with_it(desk: TradingDesk) -> None:
    async with desk.database.write() as session:
        for ticker in ("NVDA", "AAPL"):
            await add(session, "default", ticker, desk.clock)
    await clone(desk, positions=False)
    async with desk.database.read() as session:
        ours, theirs = [await entries(session, name) for name in ("clone", "default")]
    assert [e.ticker for e in ours] == [e.ticker for e in theirs]
    assert {"NVDA", "AAPL"} <= {e.ticker for e in ours}


async def test_what_is_sold_short_needs_its_cash(desk: TradingDesk) -> None:
    await desk.ledger.submit(ChangeRules("default", {"short_selling": True}))
    await desk.trade("sell", "10")
    with pytest.raises(InsufficientCash, match="sold short needs"):
        await clone(desk, cash_balance=Decimal("1499.99"))
    with pytest.raises(NotFound):
        await desk.ledger.account("clone")
    assert (await clone(desk, cash_balance=Decimal(1500))).buying_power == 0


async def test_there_is_no_clone_of_an_account_that_is_not_there(desk: TradingDesk) -> None:
    with pytest.raises(NotFound):
        await clone(desk, "nobody")
    with pytest.raises(NotFound):
        await desk.ledger.account("clone")


async def test_a_clone_can_be_cloned_and_reset(desk: TradingDesk) -> None:
    await bought(desk, CostBasis.hifo)
    first = await clone(desk)
    async with desk.database.write() as session:
        await session.run_sync(
            clone_account, "clone", "Again", desk.board, desk.clock.now(), account_id="again"
        )
    again = await desk.ledger.account("again")
    assert lots(again) == lots(first)
    assert await problems_found(desk.database) == []
