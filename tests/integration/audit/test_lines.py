"""What the lines of the audit trail say: what there was before and after, and who did it."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete

from paperdesk.accounts.reset import ResetAccount
from paperdesk.audit import trail as audit
from paperdesk.audit.actor import Actor, ActorKind
from paperdesk.audit.trail import Action, Line, note
from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Refused
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lane.writer import NothingSaid
from paperdesk.ledger.replay.book_trades import BookTrades
from paperdesk.ledger.replay.past_trades import PastTrade, RowReader
from paperdesk.models import AuditLog, CashMovementKind, Job, OrderClass, OrderType, TimeInForce
from paperdesk.orders.commands.cancel_orders import CancelOrder
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from paperdesk.orders.terms import StopLoss
from paperdesk.watchlist import service
from support.databases import START
from support.trading import TradingDesk, row_counts
from support.trail import actions, asked_by, said, trail

LIMIT: dict[str, Any] = {"type": OrderType.limit, "time_in_force": TimeInForce.gtc}
BRACKET: dict[str, Any] = {
    "order_class": OrderClass.bracket,
    "take_profit": "120",
    "stop_loss": StopLoss(Decimal(30), None),
}


async def last_of(desk: TradingDesk) -> AuditLog:
    return (await trail(desk.database))[-1]


async def test_an_order_that_is_filled_at_once_is_one_line(desk: TradingDesk) -> None:
    last = await last_of(desk)
    with asked_by(Actor(ActorKind.webhook, "hook-1"), "request-9"):
        placed = (await desk.trade("buy", "2.50", strategy="momentum")).result

    (line,) = await trail(desk.database, last)
    assert (line.action, line.subject, line.user_id) == ("order.placed", placed.order.id, "default")
    assert (line.actor, line.actor_id, line.request_id) == ("webhook", "hook-1", "request-9")
    assert line.timestamp is not None
    assert line.message == "buy 2.5 AAPL, market day: filled."
    assert line.details == {
        "after": {
            "ticker": "AAPL",
            "side": "buy",
            "type": "market",
            "time_in_force": "day",
            "quantity": "2.5",
            "status": "filled",
            "source": "test",
            "strategy": "momentum",
            "fills": [{"id": placed.trade.id, "quantity": "2.5", "price": "100"}],
        }
    }


async def test_a_replaced_order_says_its_old_and_its_new_terms(desk: TradingDesk) -> None:
    old = (await desk.place("buy", "1", limit_price="50", **LIMIT)).order
    last = await last_of(desk)
    changes = Changes(quantity=Decimal(2), limit_price=Decimal("60.5"))
    new = (await desk.ledger.submit(ReplaceOrder("default", old.id, changes, desk.venue))).result

    (line,) = await trail(desk.database, last)
    assert (line.action, line.subject) == ("order.replaced", new.order.id)
    before, after = said(line)["before"], said(line)["after"]
    assert (before["id"], before["quantity"], before["limit_price"]) == (old.id, "1", "50")
    assert (after["replaces"], after["quantity"], after["limit_price"]) == (old.id, "2", "60.5")


async def test_a_canceled_order_says_what_became_of_those_linked_to_it(desk: TradingDesk) -> None:
    placed = await desk.place("buy", "1", limit_price="50", **LIMIT, **BRACKET)
    last = await last_of(desk)
    await desk.ledger.submit(CancelOrder("default", placed.order.id, desk.clock))

    lines = await trail(desk.database, last)
    assert [line.action for line in lines] == ["order.canceled"] * 3
    assert {line.subject for line in lines} == {placed.order.id, *(leg.id for leg in placed.legs)}
    assert said(lines[0])["before"] == {"status": "new"}
    assert said(lines[0])["after"]["status"] == "canceled"
    assert "canceled" in said(lines[1])["after"]["reason"]


async def test_what_the_desk_does_by_itself_is_the_systems(desk: TradingDesk) -> None:
    with asked_by():
        placed = await desk.place("buy", "3", limit_price="50", **LIMIT, **BRACKET)
    last = await last_of(desk)
    await desk.move("AAPL", "49")
    await desk.move("AAPL", "121")

    lines = await trail(desk.database, last)
    assert {(line.actor, line.actor_id, line.request_id) for line in lines} == {
        ("system", None, None)
    }
    assert [line.action for line in lines] == [
        "order.filled",
        "order.begun",
        "order.begun",
        "order.filled",
        "order.canceled",
    ]
    assert lines[0].subject == placed.order.id
    assert said(lines[0])["before"] == {"status": "new"}
    (fill,) = said(lines[0])["after"]["fills"]
    assert (fill["quantity"], fill["price"]) == ("3", "49")


async def test_changed_rules_say_those_that_differ(desk: TradingDesk) -> None:
    last = await last_of(desk)
    for spread in (Decimal(5), Decimal(5), Decimal("7.5")):
        await desk.ledger.submit(ChangeRules("default", {"spread_bps": spread}))

    assert [line.details for line in await trail(desk.database, last)] == [
        {"before": {"spread_bps": "0"}, "after": {"spread_bps": "5"}},
        {"before": {"spread_bps": "5"}, "after": {"spread_bps": "7.5"}},
    ]


async def test_a_reset_says_what_was_given_up(desk: TradingDesk) -> None:
    await desk.trade("buy", "4")
    last = await last_of(desk)
    await desk.ledger.submit(ResetAccount("default", desk.venue, Decimal(500)))

    (line,) = await trail(desk.database, last)
    assert said(line)["before"]["cash_balance"] == "9600"
    assert said(line)["before"]["positions"] == {"AAPL": "4"}
    assert said(line)["after"]["cash_balance"] == "500"


async def test_a_file_of_trades_is_a_line_for_each_stretch(desk: TradingDesk) -> None:
    reader = RowReader("default", "", START)
    cells = [
        ["AAPL", "buy", "1", "100", (START - timedelta(days=9 - n)).isoformat(), *[""] * 5]
        for n in range(9)
    ]
    trades = [reader.read(n, each) for n, each in enumerate(cells)]
    last = await last_of(desk)
    await desk.ledger.submit(
        BookTrades("default", [t for t in trades if isinstance(t, PastTrade)], True)
    )

    (line,) = await trail(desk.database, last)
    assert (line.action, said(line)["after"]["booked"]) == ("trades.replayed", 9)


@dataclass(frozen=True)
class Silent:
    """A command that moves cash and tells nobody."""

    account_id: str = "default"
    key: None = None

    def __call__(self, books: Books) -> None:
        movement = cash_movement(CashMovementKind.deposit, Decimal(1_000), START)
        books.account(self.account_id).enter(movement, START)


async def test_a_command_that_says_nothing_is_not_booked(desk: TradingDesk) -> None:
    before = await row_counts(desk.database)
    with pytest.raises(NothingSaid):
        await desk.ledger.submit(Silent())

    assert await row_counts(desk.database) == before
    assert (await desk.ledger.account("default")).cash_balance == 10_000


@dataclass(frozen=True)
class Boastful:
    """A command that says what it is going to do, and is refused."""

    account_id: str = "default"
    key: None = None

    def __call__(self, books: Books) -> None:
        books.note(Line(Action.cash_moved, "A million."))
        raise Refused("No.")


async def test_what_a_refused_command_said_is_not_the_next_ones(desk: TradingDesk) -> None:
    last = await last_of(desk)
    # In one batch, so in the same books.
    refusal, _ = await asyncio.gather(
        desk.ledger.submit(Boastful()), desk.trade("buy", "1"), return_exceptions=True
    )

    assert isinstance(refusal, Refused)
    assert await actions(desk.database, last) == ["order.placed"]


async def test_lines_outlive_what_they_describe(database: Database, clock: ManualClock) -> None:
    *_, last = await trail(database)
    async with database.write() as session:
        job = Job(name="import")
        job.logs = [AuditLog(level="INFO", event_type="row_event", message="row 1")]
        session.add(job)
        await session.flush()
        note(session, Line(Action.job_made, "A job was made.", "default", job.id), clock.now())
        entry, _ = await service.add(session, "default", "PYPL", clock)
    async with database.write() as session:
        await service.remove(session, "default", "PYPL", clock)
        await session.execute(delete(Job).where(Job.id == job.id))
        note(session, Line(Action.job_removed, "It was removed.", "default", job.id), clock.now())

    lines = await trail(database, last)
    assert [(line.action, line.subject) for line in lines] == [
        ("job.made", job.id),
        ("watchlist.added", entry.id),
        ("watchlist.removed", entry.id),
        ("job.removed", job.id),
    ]
    assert lines[1].details == {"after": {"ticker": "PYPL", "list": "primary"}}


CANARIES = {
    "own key": "pd_cAnArY0123456789abcdefghijklmnopqrstuvwxyz",
    "webhook token": "cAnArY-Xx0123456789_abcdefghijklmnopqrstuvwxyz",
    "url": "https://desk.example/hooks/canary-short",
    "query": "/api/webhook?token=canary-short",
    "header": "Bearer canary-short-one",
}


@pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES)
async def test_no_secret_gets_in_whatever_a_command_says(desk: TradingDesk, secret: str) -> None:
    last = await last_of(desk)
    await desk.trade("buy", "1", strategy=secret, client_order_id=secret)
    async with desk.database.write() as session:
        note(
            session,
            Line(
                Action.webhook_made,
                f"Made with {secret}.",
                "default",
                secret,
                {"nested": [{"text": f"a {secret} b"}]},
                {"token": "canary", "secret_hash": "canary", "password": 1, "key": ["canary"]},
            ),
            desk.clock.now(),
        )

    placed, made = await trail(desk.database, last)
    for line in (placed, made):
        text = f"{line.message} {line.details} {line.subject} {line.request_id}"
        assert "canary" not in text.lower()
        assert "[redacted]" in text
    assert said(placed)["after"]["ticker"] == "AAPL"
    assert set(said(made)["after"].values()) == {"[redacted]"}


def test_actions_are_named_for_what_they_are_done_to() -> None:
    for action in audit.Action:
        assert action.value == action.name.replace("_", ".", 1)
