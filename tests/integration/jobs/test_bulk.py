"""Rows booked a thousand at a time: what comes of them is what would come of each alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest
from paperdesk.jobs import bulk, claims, worker
from paperdesk.jobs.bulk import BookRange, claim_range
from paperdesk.jobs.history.kind import ImportTrades
from paperdesk.jobs.kinds import BulkRow
from paperdesk.jobs.making import Asked, make
from paperdesk.jobs.schemas import JobTerms
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.lane.books import Books
from paperdesk.models import CashMovementKind, Job, JobMode, JobRow, JobStatus, RowStatus, Trade
from support.desk import DeskClient
from support.jobs import ask, assert_counted, ended, rows, run_job
from support.trading import TradingDesk, assert_books_hold, trading
from support.uploads import assert_proven, imported, standing

_KINDS: Final = (
    ("buy", "10", "100", "1", "-1001"),
    ("buy", "0.5", "33.333333333", "", ""),
    ("sell", "3", "90", "0.25", "269.75"),
    # The broker paid a rebate; and here it took more than it said.
    ("buy", "4", "25.5", "", "-101.9"),
    ("sell", "2", "101", "", "200"),
    # Through zero, then back.
    ("sell", "30", "100", "2", "2998"),
    ("buy", "25", "99", "", "-2475"),
    # Refused: too few dollars; no number; a sign that cannot be.
    ("buy", "1000000", "1000", "", ""),
    ("buy", "ten", "100", "", ""),
    ("sell", "1", "100", "", "-500"),
    ("dividend", "", "", "", "12.5"),
    ("fee", "", "", "", "-3"),
)


def file_of(cycles: int) -> str:
    lines = ["executed_at,ticker,kind,quantity,price,fee,net_amount"]
    for n in range(cycles * len(_KINDS)):
        kind, quantity, price, fee, net = _KINDS[n % len(_KINDS)]
        ticker = ("AAPL", "MSFT", "BRK.B")[n // len(_KINDS) % 3]
        at = f"2026-03-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z"
        lines.append(f"{at},{ticker},{kind},{quantity},{price},{fee},{net}")
    # The first purchase once more, and equal rows of one moment.
    return "\n".join([*lines, *lines[1:2] * 3, ""])


async def journal(database: Database, account_id: str) -> list[tuple[Any, ...]]:
    columns = (
        *(Trade.sequence, Trade.ticker, Trade.side, Trade.quantity, Trade.price, Trade.value),
        *(Trade.fee, Trade.realized_pnl, Trade.executed_at, Trade.source),
    )
    query = select(*columns).where(Trade.user_id == account_id).order_by(Trade.sequence)
    async with database.read() as session:
        return [tuple(row) for row in await session.execute(query)]


@pytest.mark.parametrize("method", ["average", "fifo"])
@pytest.mark.parametrize("fund", ["false", "true"])
async def test_many_at_once_come_to_what_each_alone_comes_to(
    desk: DeskClient, monkeypatch: pytest.MonkeyPatch, method: str, fund: str
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 50)
    rules = {"short_selling": {"enabled": True}, "cost_basis": method}
    results = list[Any]()
    for account in ("together", "alone"):
        opened = await desk.post("/api/accounts", json={"name": account, "cash_balance": 10_000})
        assert opened.status_code == 201, opened.text
        account_id = desk.headers["X-Account"] = opened.json()["id"]
        changed = await desk.patch(f"/api/accounts/{account_id}", json=rules)
        assert changed.status_code == 200, changed.text
        if account == "alone":
            monkeypatch.setattr(worker, "claim_range", lambda *_: None)
        done = await imported(desk, file_of(15), fund=fund)
        outcomes = [
            tuple(row[name] for name in ("status", "cost_cents", "error_code", "warning", "line"))
            for row in await rows(desk, done["id"])
        ]
        entries = await journal(desk.app.state.database, account_id)
        counts = [done[name] for name in ("successful_rows", "failed_rows", "total_cost_cents")]
        results.append((outcomes, entries, await standing(desk), counts))
    together, alone = results
    assert together == alone
    assert {status for status, *_ in together[0]} == {"completed", "failed"}
    await assert_proven(desk)
    await assert_counted(desk.app.state.database)


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": "2126-03-02T15:00:00.000000Z"},
        {"currency": "EUR"},
        {"quantity": "1_0"},
        {"price": "NaN"},
        {"key": "none"},
        {"ticker": "BTC-USD", "instrument": "crypto"},
    ],
)
async def test_what_was_refused_is_checked_when_it_is_tried_again(
    desk: DeskClient, wrong: dict[str, Any]
) -> None:
    row = {"kind": "buy", "at": "2026-03-02T15:00:00.000000Z", "ticker": "AAPL", "quantity": 1}
    good = row | {"price": 10, "net": -10}
    given = [good, good | {"key": "a" * 64} | wrong]
    done = await run_job(desk, given, kind="import_trades")
    [_, before] = await rows(desk, done["id"])
    assert before["status"] == "failed"

    await ask(desk, done["id"], "retry")
    again = await ended(desk, done["id"])
    [_, after] = await rows(desk, done["id"])
    told = ("status", "error_code", "error_message")
    assert [after[name] for name in told] == [before[name] for name in told]
    assert (again["successful_rows"], again["failed_rows"]) == (1, 1)


class Bulk:
    """A job of plain trades, and two workers."""

    def __init__(self, desk: TradingDesk) -> None:
        self.desk = desk
        self.database = desk.database
        self.kind: ImportTrades = ImportTrades(desk.clock)

    async def make(self, count: int) -> Job:
        at = self.desk.clock.now().isoformat()
        row = {"kind": "buy", "at": at, "ticker": "AAPL", "quantity": 1, "price": 1}
        given = [row | {"key": f"{n:064x}"} for n in range(count)]
        asked = Asked("default", JobTerms(kind=self.kind.name, mode=JobMode.auto), self.kind)
        return (await make(self.database, self.desk.clock, asked, given)).job

    async def run(self, do: Any, *arguments: Any) -> Any:
        async with self.database.write() as session:
            return await (await session.connection()).run_sync(do, *arguments)

    async def claim(self, job: Job, lease: str) -> Any:
        return await self.run(claim_range, job.id, lease, self.desk.clock.now())

    async def book(self, job: Job, lease: str, found: Any, *, goes_on: bool = False) -> Any:
        rows, clock = (found.first, found.last), self.desk.clock
        command = BookRange("default", job.id, lease, self.kind, *rows, clock, goes_on)
        return (await self.desk.ledger.submit(command)).result

    async def statuses(self, job: Job) -> Counter[str]:
        async with self.database.read() as session:
            query = select(JobRow.status).where(JobRow.job_id == job.id)
            return Counter(status.value for status in await session.scalars(query))

    async def trades(self) -> int:
        async with self.database.read() as session:
            return await session.scalar(select(func.count()).select_from(Trade)) or 0


@pytest.fixture
async def work(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bulk]:
    monkeypatch.setattr(bulk, "AT_ONCE", 10)
    async with trading(database, clock) as desk:
        yield Bulk(desk)


async def test_rows_are_on_lease_before_they_are_booked(work: Bulk) -> None:
    job = await work.make(25)
    found = await work.claim(job, "one")

    assert (found.first, found.last) == (1, 10)
    assert await work.statuses(job) == {"processing": 10, "pending": 15}
    assert await work.book(job, "one", found) is None
    assert await work.statuses(job) == {"completed": 10, "pending": 15}
    # Nothing of it is booked again.
    assert await work.book(job, "one", found, goes_on=True) is None
    assert await work.trades() == 10
    assert await work.statuses(job) == {"completed": 10, "pending": 15}
    await assert_counted(work.database)


async def test_rows_that_follow_are_on_lease_along_with_what_is_booked(work: Bulk) -> None:
    job = await work.make(25)
    found = await work.claim(job, "one")
    following = await work.book(job, "one", found, goes_on=True)
    assert (following.first, following.last) == (11, 20)
    assert await work.statuses(job) == {"completed": 10, "processing": 10, "pending": 5}
    # They are as any that were claimed: nobody else's, and put back when they are lost.
    assert await work.claim(job, "other") is None

    last = await work.book(job, "one", following, goes_on=True)
    assert (last.first, last.last) == (21, 25)
    assert await work.book(job, "one", last, goes_on=True) is None
    assert await work.statuses(job) == {"completed": 25}
    async with work.database.read() as session:
        assert set(await session.scalars(select(JobRow.attempts))) == {1}
    await assert_counted(work.database)


async def test_rows_that_follow_are_put_back_as_any_others(work: Bulk) -> None:
    job = await work.make(25)
    assert await work.book(job, "one", await work.claim(job, "one"), goes_on=True)
    give_back = partial(claims.give_back, was_tried=False)
    await work.run(give_back, job.id, "one", work.desk.clock.now())

    assert await work.statuses(job) == {"completed": 10, "pending": 15}
    async with work.database.read() as session:
        tried = await session.scalars(select(JobRow.attempts).where(JobRow.row_number > 10))
        assert set(tried) == {0}
    assert await work.claim(job, "one")
    await assert_counted(work.database)


async def test_rows_that_follow_are_left_where_one_of_them_broke_off(work: Bulk) -> None:
    job = await work.make(25)
    async with work.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.row_number == 17).values(attempts=1))
    assert await work.book(job, "one", await work.claim(job, "one"), goes_on=True) is None
    assert await work.statuses(job) == {"completed": 10, "pending": 15}


async def test_who_lost_the_lease_books_nothing(work: Bulk) -> None:
    job = await work.make(10)
    found = await work.claim(job, "one")
    assert await work.claim(job, "other") is None

    await work.run(claims.leave, work.desk.clock.now(), "one")
    other = await work.claim(job, "other")
    assert await work.book(job, "one", found, goes_on=True) is None
    assert await work.trades() == 0
    await work.book(job, "other", other)
    assert await work.trades() == 10
    await assert_books_hold(work.database)


async def test_what_was_paused_meanwhile_is_put_back(work: Bulk) -> None:
    job = await work.make(10)
    found = await work.claim(job, "one")
    async with work.database.write() as session:
        await session.execute(update(Job).values(status=JobStatus.paused))

    assert await work.book(job, "one", found, goes_on=True) is None
    assert await work.statuses(job) == {"pending": 10}
    async with work.database.read() as session:
        assert set(await session.scalars(select(JobRow.attempts))) == {0}
    assert await work.claim(job, "one") is None


async def test_a_row_that_broke_off_is_not_tried_in_a_thousand(work: Bulk) -> None:
    job = await work.make(10)
    async with work.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.row_number == 7).values(attempts=1))
    assert await work.claim(job, "one") is None
    assert await work.statuses(job) == {"pending": 10}


class Leaky(ImportTrades):
    """Refuses a row, and leaves something behind of it."""

    def book_all(self, books: Books, job: Job, rows: Sequence[BulkRow]) -> Iterator[Any]:
        account, now = books.account(job.user_id), self._clock.now()
        for _ in rows:
            account.enter(cash_movement(CashMovementKind.deposit, Decimal(1), now), now)
            yield InvalidRequest("It is refused.")


async def test_a_row_that_is_refused_leaves_nothing(work: Bulk) -> None:
    work.kind = Leaky(work.desk.clock)
    job = await work.make(13)
    found = await work.claim(job, "one")

    with pytest.raises(InvalidRequest):
        await work.book(job, "one", found, goes_on=True)
    assert await work.statuses(job) == {"processing": 10, "pending": 3}
    await assert_books_hold(work.database)


async def test_the_last_rows_end_the_job(work: Bulk) -> None:
    job = await work.make(13)
    for _ in range(2):
        await work.book(job, "one", await work.claim(job, "one"))
    async with work.database.read() as session:
        ended = await session.get_one(Job, job.id)
        assert (ended.status, ended.lease, ended.successful_rows) == (JobStatus.completed, None, 13)
        assert not [row for row in await session.scalars(select(JobRow)) if row.lease]
        assert set(await session.scalars(select(JobRow.status))) == {RowStatus.completed}
    assert await asyncio.wait_for(work.trades(), 5) == 13
