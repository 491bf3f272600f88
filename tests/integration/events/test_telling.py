"""What is committed is told, in its order and once; what is not committed is never told."""

import asyncio
import io
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from paperdesk.db.engine import Database
from paperdesk.errors import InvalidState
from paperdesk.events import wire
from paperdesk.events.event import Event
from paperdesk.events.feed import Feed
from paperdesk.ledger.lane.books import Batch, Books
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.replay.past_trades import RowReader
from paperdesk.ledger.replay.running import replay
from paperdesk.ledger.replay.trade_file import TradeFile
from paperdesk.orders.telling import Teller
from support.desk import DeskClient
from support.following import Follower, following

LIMIT = {"ticker": "AAPL", "side": "buy", "type": "limit", "time_in_force": "gtc", "quantity": 2}


def exact(answer: Any) -> Any:
    return json.loads(answer.text, parse_float=Decimal)


@dataclass(frozen=True, slots=True)
class Say:
    """A command that says something, and may then end badly."""

    what: str
    error: Exception | None = None
    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        books.tell(Event(self.account_id, "signal", self.what, {"what": self.what}))
        if self.error is not None:
            raise self.error


async def test_a_trade_is_told_as_its_order_its_trade_and_the_account_after_it(
    desk: DeskClient, feed: Feed
) -> None:
    async with following(feed) as follower:
        traded = exact(await desk.trade("AAPL", "buy", "1.000000001"))
        await follower.until(lambda: len(follower.events) >= 3)
        order = exact(await desk.get(f"/api/orders/{traded['trade']['order_id']}"))
        account = exact(await desk.get("/api/portfolio"))
    order.pop("legs", None)
    assert follower.kinds == ["order", "trade", "account"]
    assert follower.of("order") == [order]
    assert follower.of("trade") == [traded["trade"]]
    (told,) = follower.of("account")
    for name in ("cash_balance", "reserved_cash", "short_collateral", "buying_power"):
        assert told[name] == account[name]
    for name in ("ticker", "quantity", "available_quantity", "avg_cost", "cost_basis"):
        assert told["positions"][0][name] == account["positions"][0][name]
    assert (told["id"], told["sequence"]) == ("default", 2)


async def test_the_whole_life_of_a_resting_order_is_told(desk: DeskClient, feed: Feed) -> None:
    async with following(feed) as follower:
        placed = exact(await desk.post("/api/orders", json={**LIMIT, "limit_price": 150}))
        await follower.until(lambda: "account" in follower.kinds)
        assert follower.of("account")[-1]["reserved_cash"] == 300
        desk.prices.prices["AAPL"] = "149.5"
        await follower.until(lambda: "trade" in follower.kinds)
        await follower.until(lambda: follower.of("account")[-1]["reserved_cash"] == 0)
    orders = follower.of("order")
    assert {order["id"] for order in orders} == {placed["id"]}
    assert [orders[0]["status"], orders[-1]["status"]] == [placed["status"], "filled"]
    assert follower.of("trade")[0]["order_id"] == placed["id"]


async def test_cash_is_told(desk: DeskClient, feed: Feed) -> None:
    async with following(feed) as follower:
        await desk.post("/api/cash", json={"amount": "0.000001", "kind": "deposit"})
        await follower.until(lambda: follower.events)
    assert follower.kinds == ["account"]
    assert follower.of("account")[0]["cash_balance"] == Decimal("10000.000001")


async def test_what_is_refused_is_not_told(desk: DeskClient, feed: Feed) -> None:
    async with following(feed) as follower:
        assert (await desk.trade("AAPL", "sell", 1)).status_code == 409
        await follower.silent()
    assert follower.events == []


@pytest.mark.parametrize("error", [InvalidState("no"), ValueError("broken")])
async def test_what_a_command_said_is_told_if_it_was_booked(
    desk: DeskClient, feed: Feed, error: Exception
) -> None:
    ledger = desk.app.state.ledger
    async with following(feed) as follower:
        await asyncio.gather(
            ledger.submit(Say("one")),
            ledger.submit(Say("not this", error)),
            ledger.submit(Say("two")),
            return_exceptions=True,
        )
        await follower.until(lambda: len(follower.events) >= 2)
        await follower.silent()
    assert [said["what"] for said in follower.of("signal")] == ["one", "two"]


async def test_a_batch_that_is_rolled_back_in_the_end_is_not_told(
    desk: DeskClient, feed: Feed
) -> None:
    database: Database = desk.app.state.database
    teller = Teller(feed, database)
    fails = True

    def last_of_all(_connection: Connection, _batch: Batch) -> None:
        if fails:
            raise ValueError("no")

    hooks = [teller.after_batch, last_of_all]
    ledger = Ledger(database, hooks=hooks, listeners=[teller.heard])
    async with following(feed) as follower:
        with pytest.raises(ValueError, match="no"):
            await ledger.submit(Say("rolled back"))
        fails = False
        await ledger.submit(Say("booked"))
        await follower.until(lambda: follower.events)
        await follower.silent()
        await ledger.close()
    assert [said["what"] for said in follower.of("signal")] == ["booked"]


async def test_what_a_session_said_is_told_when_it_commits(desk: DeskClient, feed: Feed) -> None:
    database: Database = desk.app.state.database

    def job(name: str) -> Event:
        return Event("default", "job", name, {"name": name, "cost": Decimal("0.10")})

    async with following(feed) as follower:
        async with database.write() as session:
            await session.execute(text("SELECT 1"))
            await session.run_sync(feed.tell, job("first"))
            async with session.begin_nested():
                await session.run_sync(feed.tell, job("released"))
            taken_back = await session.begin_nested()
            await session.run_sync(feed.tell, job("in a savepoint that was rolled back"))
            await taken_back.rollback()
            await session.run_sync(feed.tell, job("last"))
            await follower.silent()
            assert follower.events == []
        async with database.async_session_maker() as session:
            await session.execute(text("SELECT 1"))
            await session.run_sync(feed.tell, job("rolled back"))
            await session.rollback()
            await session.run_sync(feed.tell, job("never committed"))
        async with database.write() as session:
            await session.run_sync(feed.tell, job("another"))
        await follower.until(lambda: len(follower.events) >= 4)
        await follower.silent()
    told = [said["name"] for said in follower.of("job")]
    assert told == ["first", "released", "last", "another"]
    assert '"cost":0.1}' in follower.text


async def test_nobody_hears_of_another_account(desk: DeskClient, feed: Feed) -> None:
    bot = exact(await desk.post("/api/accounts", json={"name": "bot", "cash_balance": 1000}))["id"]
    async with following(feed) as default, following(feed, bot) as own:
        await desk.trade("AAPL", "buy", 1, headers={"X-Account": bot})
        await own.until(lambda: len(own.events) >= 3)
        await default.silent()
    assert own.kinds == ["order", "trade", "account"]
    assert default.events == []


async def test_a_replay_of_a_file_is_told_as_what_it_made_of_the_account(
    desk: DeskClient, feed: Feed
) -> None:
    rows = [
        f"AAPL,{'sell' if n % 2 else 'buy'},1,100,2026-11-01T10:{n // 60:02}:{n % 60:02}Z"
        for n in range(3000)
    ]
    text = "\n".join(["ticker,side,quantity,price,executed_at", *rows])
    reader = RowReader("default", "file", datetime(2026, 11, 2, tzinfo=UTC))
    async with following(feed) as follower:
        file = TradeFile(io.BytesIO(text.encode()), reader)
        summary = await replay(desk.app.state.ledger, file, lambda _: None)
        assert summary.booked == 3000
        await follower.until(lambda: follower.events)
    assert follower.kinds == ["account"]
    assert follower.of("account")[0]["sequence"] == 3001


async def test_a_batch_of_very_many_trades_is_told_as_a_reset(
    desk: DeskClient, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_AT_ONCE", 10)
    orders = [{"ticker": "AAPL", "side": "buy", "quantity": "0.01"}] * 6
    async with following(feed) as follower:
        await desk.post("/api/orders/batch", json={"orders": orders})
        await follower.until(lambda: follower.events)
        await desk.trade("AAPL", "buy", 1)
        await follower.until(lambda: len(follower.events) >= 4)
    assert follower.kinds == ["reset", "order", "trade", "account"]


async def test_whoever_comes_and_goes_misses_no_trade_and_sees_none_twice(
    desk: DeskClient, feed: Feed
) -> None:
    chance = random.Random(7)
    each, traders = 15, 6

    async def trade() -> None:
        for _ in range(each):
            assert (await desk.trade("AAPL", "buy", "0.01")).status_code == 200
            await asyncio.sleep(chance.random() / 50)

    seen: list[Any] = []
    sequences: list[int] = []
    visits = 0
    async with following(feed) as follower:
        last = follower.last_id
    trading = asyncio.gather(*(trade() for _ in range(traders)))
    while len(seen) < each * traders:
        visits += 1
        async with following(feed, last_event_id=last) as follower:
            await visit(follower, chance, done=trading)
            last = follower.last_id if "id: " in follower.text else last
            seen += [told["id"] for told in follower.of("trade")]
            sequences += [told["sequence"] for told in follower.of("account")]
        assert "reset" not in follower.kinds
        await asyncio.sleep(chance.random() / 50)
    await trading
    booked = exact(await desk.get("/api/trades?limit=500"))
    assert seen == [trade["id"] for trade in reversed(booked)]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == 1 + each * traders
    assert visits > 3


async def visit(follower: Follower, chance: random.Random, done: asyncio.Future[Any]) -> None:
    """Stay until something came, or a moment after all is over."""
    wanted = chance.randint(1, 12)
    while len(follower.events) < wanted:
        before = len(follower.events)
        await follower.silent(0.05)
        if done.done() and len(follower.events) == before:
            return


async def test_a_client_that_goes_while_it_is_sent_something_is_forgotten(
    desk: DeskClient, feed: Feed
) -> None:
    """As a server calls the app: it takes no more while a client does not read."""
    began, gone = asyncio.Event(), asyncio.Event()
    headers = [(b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "GET", "path": "/api/stream/events", "headers": headers}
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": ""}

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            began.set()
            await asyncio.Event().wait()

    serving = asyncio.create_task(desk.app(scope, receive, send))
    await began.wait()
    assert feed.streams == 1
    gone.set()
    async with asyncio.timeout(5):
        await serving
    assert feed.streams == 0
