"""Every command of the ledger says what it did, or this fails: new ones need an example here."""

import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import is_dataclass
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

import paperdesk
from paperdesk.accounts.reset import ResetAccount
from paperdesk.audit.actor import Actor, ActorKind
from paperdesk.clock import ManualClock
from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Dividend, SpinOff, Split, SymbolChange
from paperdesk.db.engine import Database
from paperdesk.errors import Refused
from paperdesk.jobs.basket.kind import Basket
from paperdesk.jobs.booking import BookRows, Claimed, UndoRows
from paperdesk.jobs.bulk import BookRange, claim_range
from paperdesk.jobs.changing import JobChanges
from paperdesk.jobs.claims import claim
from paperdesk.jobs.history.kind import ImportTrades
from paperdesk.jobs.kinds import Kinds
from paperdesk.jobs.lifecycle import JobEvent
from paperdesk.jobs.making import Asked, make
from paperdesk.jobs.schemas import JobTerms
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.lane.waiting import Command
from paperdesk.ledger.replay.book_trades import BookTrades
from paperdesk.ledger.replay.past_trades import PastTrade, RowReader
from paperdesk.margin.commands import CallMargin, ChargeBorrowing
from paperdesk.models import (
    CashMovementKind,
    JobMode,
    OrderType,
    Signal,
    SignalStatus,
    TimeInForce,
    Webhook,
    WebhookMode,
)
from paperdesk.orders.commands.cancel_orders import CancelOrder, CancelOrders
from paperdesk.orders.commands.close_position import ClosePosition
from paperdesk.orders.commands.match_orders import MatchOrders
from paperdesk.orders.commands.place_order import PlaceOrder, Sender
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from paperdesk.signals.execution import ExecuteSignal
from paperdesk.signals.stopping import CancelSignalOrders
from support.databases import START
from support.trading import TradingDesk, trading
from support.trail import actions, asked_by, said, trail

KEY = Actor(ActorKind.key, "key-1", "the bot")
NOBODY = "nobody"
LIMIT: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}


def commands() -> dict[str, type[Any]]:
    """Return every class of the desk that a ledger could be asked to book."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.walk_packages(paperdesk.__path__, "paperdesk."):
        if module.name.endswith("__main__"):
            continue
        for kind in vars(import_module(module.name)).values():
            call = vars(kind).get("__call__") if inspect.isclass(kind) else None
            if is_dataclass(kind) and call and "books" in inspect.signature(call).parameters:
                assert hasattr(kind, "key") or "key" in kind.__dataclass_fields__, kind
                found[kind.__name__] = kind
    return found


async def resting(desk: TradingDesk) -> str:
    return (await desk.place("buy", "1", limit_price="50", **LIMIT)).order.id


def notice(desk: TradingDesk) -> Notice:
    now = desk.clock.now()
    return Notice("default", "once", now, now)


async def short(desk: TradingDesk, **rules: Any) -> None:
    changes = {"short_selling": True, "margin_percent": Decimal(0), **rules}
    await desk.ledger.submit(ChangeRules("default", changes))
    await desk.trade("sell", "10")


async def place(desk: TradingDesk) -> PlaceOrder:
    return desk.order("buy", "1", client_order_id="once")


async def close(desk: TradingDesk) -> ClosePosition:
    await desk.trade("buy", "2")
    return ClosePosition(Sender("default", "test", "once"), "AAPL", desk.venue)


async def replace(desk: TradingDesk) -> ReplaceOrder:
    changes = Changes(limit_price=Decimal(60))
    return ReplaceOrder("default", await resting(desk), changes, desk.venue, "once")


async def cancel(desk: TradingDesk) -> CancelOrder:
    return CancelOrder("default", await resting(desk), desk.clock)


async def cancel_all(desk: TradingDesk) -> CancelOrders:
    await resting(desk)
    return CancelOrders("default", desk.clock)


async def match(desk: TradingDesk) -> MatchOrders:
    order_id = await resting(desk)
    desk.price("AAPL", "49")
    return MatchOrders("default", [order_id], desk.venue)


async def charge(desk: TradingDesk) -> ChargeBorrowing:
    await short(desk, borrow_percent=Decimal(36))
    ends_at = desk.clock.now() + timedelta(days=1)
    desk.clock.advance(timedelta(days=2))
    return ChargeBorrowing("default", START.date(), ends_at, desk.venue)


async def call(desk: TradingDesk) -> CallMargin:
    await short(desk)
    free = (await desk.ledger.account("default")).buying_power
    await desk.ledger.submit(MoveCash("default", CashMovementKind.withdrawal, free, desk.clock))
    return CallMargin("default", desk.venue)


async def rules(_: TradingDesk) -> ChangeRules:
    return ChangeRules("default", {"spread_bps": Decimal(3)})


async def cash(desk: TradingDesk) -> MoveCash:
    return MoveCash("default", CashMovementKind.deposit, Decimal(5), desk.clock, "once")


async def reset(desk: TradingDesk) -> ResetAccount:
    await desk.trade("buy", "2")
    return ResetAccount("default", desk.venue, key="once")


async def replay(_: TradingDesk) -> BookTrades:
    at = (START - timedelta(days=1)).isoformat()
    cells = ["AAPL", "buy", "1", "100", at, "", "", "", "", ""]
    trade = RowReader("default", "", START).read(1, cells)
    assert isinstance(trade, PastTrade)
    return BookTrades("default", [trade], to_first_refusal=True)


async def split(desk: TradingDesk) -> Split:
    await desk.trade("buy", "2")
    return Split(notice(desk), "AAPL", 2, 1)


async def rename(desk: TradingDesk) -> SymbolChange:
    await desk.trade("buy", "2")
    return SymbolChange(notice(desk), "AAPL", "MSFT")


async def spin_off(desk: TradingDesk) -> SpinOff:
    await desk.trade("buy", "2")
    return SpinOff(notice(desk), "AAPL", "MSFT", 1, 1, Decimal(10))


async def dividend(desk: TradingDesk) -> Dividend:
    await desk.trade("buy", "2")
    return Dividend(notice(desk), "AAPL", Decimal(1))


async def waiting_signal(desk: TradingDesk, **row: Any) -> str:
    """Put a signal into the queue, on a lease, and return its id."""
    now = desk.clock.now()
    webhook = Webhook(
        id="webhook-1",
        name="alerts",
        mode=WebhookMode.execute,
        token_hash="hash",
        limits={},
        created_at=now,
    )
    said = {"intent": "buy", "ticker": "AAPL", "quantity": {"amount": "1", "kind": "shares"}}
    signal = Signal(
        signal_id="5" * 64,
        webhook_id=webhook.id,
        ticker="AAPL",
        understood=said | row,
        status=SignalStatus.queued,
        lease="lease",
        attempts=1,
        received_at=now,
    )
    async with desk.database.write() as session:
        session.add(webhook)
        await session.flush()
        session.add(signal)
    return signal.signal_id


async def execute(desk: TradingDesk) -> ExecuteSignal:
    zone = ZoneInfo("America/New_York")
    return ExecuteSignal("default", await waiting_signal(desk), "lease", desk.venue, zone)


async def stop(desk: TradingDesk) -> CancelSignalOrders:
    said = {"order_type": "limit", "limit_price": "50", "time_in_force": "gtc"}
    signal_id = await waiting_signal(desk, **said)
    zone = ZoneInfo("America/New_York")
    await desk.ledger.submit(ExecuteSignal("default", signal_id, "lease", desk.venue, zone))
    return CancelSignalOrders("default", desk.clock, "webhook-1")


async def claimed(desk: TradingDesk, kind: Basket) -> BookRows:
    """Store a job of one row that runs, and claim the row."""
    row = {"ticker": "AAPL", "side": "buy", "quantity": 1}
    asked = Asked("default", JobTerms(mode=JobMode.auto), kind)
    made = await make(desk.database, desk.clock, asked, [row])
    async with desk.database.write() as session:
        connection = await session.connection()
        _, rows = await connection.run_sync(claim, made.job.id, "lease", desk.clock.now())
    ready = [Claimed(each, kind.check(each.data, None)) for each in rows]
    return BookRows("default", made.job.id, "lease", kind, ready, {}, desk.clock)


def basket(desk: TradingDesk) -> Basket:
    # Its market prices tickers beforehand, which no command does.
    return Basket(desk.database, desk.ledger, cast("Any", None), desk.venue)


async def book_rows(desk: TradingDesk) -> BookRows:
    return await claimed(desk, basket(desk))


async def book_range(desk: TradingDesk) -> BookRange:
    kind = ImportTrades(desk.clock)
    at = desk.clock.now().isoformat()
    row = {"kind": "buy", "at": at, "ticker": "AAPL", "quantity": 1, "price": 10, "key": "0" * 64}
    asked = Asked("default", JobTerms(kind=kind.name, mode=JobMode.auto), kind)
    made = await make(desk.database, desk.clock, asked, [row])
    async with desk.database.write() as session:
        connection = await session.connection()
        found = await connection.run_sync(claim_range, made.job.id, "lease", desk.clock.now())
    assert found is not None
    return BookRange("default", made.job.id, "lease", kind, found.first, found.last, desk.clock)


async def undo_rows(desk: TradingDesk) -> UndoRows:
    kind = basket(desk)
    booked = await claimed(desk, kind)
    await desk.ledger.submit(booked)
    changes, now = JobChanges(Kinds([kind])), desk.clock.now()
    async with desk.database.write() as session:
        connection = await session.connection()
        await connection.run_sync(changes.ask, "default", booked.job_id, JobEvent.undo, now)
        _, rows = await connection.run_sync(claim, booked.job_id, "lease", now)
    return UndoRows("default", booked.job_id, "lease", kind, rows, desk.clock)


EXAMPLES: dict[type[Any], tuple[Callable[[TradingDesk], Awaitable[Command[Any]]], list[str]]] = {
    PlaceOrder: (place, ["order.placed"]),
    ClosePosition: (close, ["position.closed"]),
    ReplaceOrder: (replace, ["order.replaced"]),
    CancelOrder: (cancel, ["order.canceled"]),
    CancelOrders: (cancel_all, ["order.canceled"]),
    MatchOrders: (match, ["order.filled"]),
    ChargeBorrowing: (charge, ["borrowing.charged"]),
    CallMargin: (call, ["margin.called", "order.placed"]),
    ChangeRules: (rules, ["account.changed"]),
    MoveCash: (cash, ["cash.moved"]),
    ResetAccount: (reset, ["account.reset"]),
    BookTrades: (replay, ["trades.replayed"]),
    Split: (split, ["action.booked"]),
    SymbolChange: (rename, ["action.booked"]),
    SpinOff: (spin_off, ["action.booked"]),
    Dividend: (dividend, ["action.booked"]),
    ExecuteSignal: (execute, ["order.placed", "signal.executed"]),
    CancelSignalOrders: (stop, ["order.canceled"]),
    BookRange: (book_range, ["history.imported", "job.changed"]),
    BookRows: (book_rows, ["order.placed", "job.changed"]),
    UndoRows: (undo_rows, ["trade.undone"]),
}


def example_of(name: str) -> Any:
    kind = commands()[name]
    assert kind in EXAMPLES, f"{name} has no example here of what the audit trail says of it"
    return EXAMPLES[kind]


@pytest.mark.parametrize("name", sorted(commands()))
async def test_every_command_says_who_did_what(desk: TradingDesk, name: str) -> None:
    example, expected = example_of(name)
    command = await example(desk)
    if isinstance(command, CallMargin):
        desk.price("AAPL", "300")
    *_, last = await trail(desk.database)

    with asked_by(KEY, "request-7"):
        await desk.ledger.submit(command)

    lines = await trail(desk.database, last)
    assert [line.action for line in lines] == expected
    for line in lines:
        assert (line.actor, line.actor_id, line.request_id) == ("key", "key-1", "request-7")
        assert (line.user_id, line.timestamp) == ("default", lines[0].timestamp)
        assert line.subject
        assert said(line)["after" if "after" in said(line) else "before"]


@pytest.mark.parametrize("name", sorted(commands()))
async def test_a_command_that_is_asked_for_again_says_nothing(desk: TradingDesk, name: str) -> None:
    command = await example_of(name)[0](desk)
    await desk.ledger.submit(command)
    *_, last = await trail(desk.database)

    # What ended with the first time is refused, which says nothing either.
    with suppress(Refused):
        await desk.ledger.submit(command)

    assert await actions(desk.database, last) == []


async def test_what_is_refused_says_nothing(database: Database, clock: ManualClock) -> None:
    async with trading(database, clock) as desk:
        desk.price("AAPL", "100")
        *_, last = await trail(database)
        refused = [
            desk.order("buy", "1000"),
            CancelOrder("default", NOBODY, clock),
            MoveCash("default", CashMovementKind.withdrawal, Decimal(99_999), clock),
            desk.order("buy", "1", account_id=NOBODY),
        ]
        for command in refused:
            with pytest.raises(Refused):
                await desk.ledger.submit(command)
    assert await trail(database, last) == []
