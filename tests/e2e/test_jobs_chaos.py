"""A basket, booked by desks that are killed meanwhile: the same as one that nothing interrupted.

JOB_ROWS says how many rows it has; `make soak-jobs` has 10,000.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import select

from paperdesk.db.inspection import reading
from paperdesk.models import Job, JobRow, Order, Position, Trade, UserProfile
from support.desks import killed_workers, served
from support.jobs import buy, sell
from support.program import Program

ROWS: Final = int(os.environ.get("JOB_ROWS", "600"))
TICKERS: Final = ("AAPL", "GOOGL", "MSFT", "AMZN", "JPM")
PATIENCE: Final = 90.0 + ROWS / 20

pytestmark = pytest.mark.timeout(200 + ROWS // 10)


def basket(*, with_sales: bool) -> list[tuple[Any, str, str | None]]:
    """Return rows whose outcome no price decides, each with it."""
    found: list[tuple[Any, str, str | None]] = []
    for number in range(ROWS):
        ticker = TICKERS[number % len(TICKERS)]
        match number % 20:
            case 7:
                found.append((buy(ticker, 1_000_000), "failed", "INSUFFICIENT_CASH"))
            case 11:
                found.append(({"ticker": ticker}, "failed", "INVALID_REQUEST"))
            case 13 if with_sales:
                found.append((sell("NVDA"), "failed", "INSUFFICIENT_SHARES"))
            case 16 if with_sales:
                # Its ticker was bought by the row five before.
                found.append((sell(ticker, "0.0005"), "completed", None))
            case _:
                found.append((buy(ticker, "0.001"), "completed", None))
    return found


async def run(
    program: Program,
    database_url: str,
    count: int,
    say: Callable[[str], None],
    *,
    with_sales: bool,
) -> None:
    """Book a basket with desks that are killed. What only buys, all workers share."""
    program = program.with_environment(DATABASE_URL=database_url)
    rows = basket(with_sales=with_sales)
    async with served(program, count) as desks, httpx2.AsyncClient(timeout=30) as http:
        url = next(iter(desks.processes))
        body = {"rows": [row for row, *_ in rows], "mode": "auto"}
        made = await http.post(f"{url}/api/jobs", json=body)
        assert made.status_code == 201, made.text
        job = made.json()["id"]
        begun = time.monotonic()
        while not await ended(database_url, job):
            await desks.kill_one()
            await asyncio.sleep(random.uniform(1, 3))
            assert time.monotonic() - begun < PATIENCE
        took = time.monotonic() - begun
        proof = await asyncio.to_thread(program, "verify")
        assert proof.code == 0, proof.out + proof.err
        assert await desks.stop() == [0] * count
    await asyncio.to_thread(assert_as_if_nothing_had_happened, database_url, job, rows)
    say(f"{count} process(es): {ROWS} rows in {took:.1f} s, {desks.kills} kills")


async def ended(database_url: str, job: str) -> bool:
    def look() -> bool:
        with reading(database_url) as session:
            return session.scalar(select(Job.completed_at).where(Job.id == job)) is not None

    return await asyncio.to_thread(look)


def assert_as_if_nothing_had_happened(
    database_url: str, job_id: str, rows: list[tuple[Any, str, str | None]]
) -> None:
    with reading(database_url) as session:
        job = session.get_one(Job, job_id)
        found = list(session.scalars(select(JobRow).order_by(JobRow.row_number)))
        orders = {order.id: order for order in session.scalars(select(Order))}
        trades = list(session.scalars(select(Trade)))
        held = {each.ticker: each.quantity for each in session.scalars(select(Position))}
        cash = session.scalar(select(UserProfile.cash_balance))
    expected = [(status, error) for _, status, error in rows]
    assert [(row.status, row.error_code) for row in found] == expected
    done = sum(status == "completed" for status, _ in expected)
    assert (job.status, job.successful_rows, job.failed_rows) == ("completed", done, ROWS - done)
    assert job.total_cost_cents == sum(row.cost_cents for row in found)
    # Each once: one order and one trade for each row that says so, and no other.
    assert len(trades) == len(orders) == done
    assert {row.order_id for row in found if row.order_id} == orders.keys()
    wanted: Counter[str] = Counter()
    for row, status, _ in rows:
        if status == "completed":
            sign = 1 if row["side"] == "buy" else -1
            wanted[row["ticker"]] += sign * Decimal(row["quantity"])  # pyright: ignore[reportArgumentType]
    assert held == dict(wanted)
    spent = sum(((t.value if t.side == "buy" else -t.value) for t in trades), Decimal(0))
    assert cash == 10_000 - spent


@pytest.fixture
def program(paperdesk: Program) -> Program:
    """The command, with prices that are the same in every desk."""
    return paperdesk.with_environment(PAPERDESK_SIMULATOR_SEED="20261120")


async def test_a_killed_desk_books_each_row_once_on_sqlite(
    program: Program, sqlite_url: str, say: Callable[[str], None]
) -> None:
    await run(program, sqlite_url, 1, say, with_sales=True)


async def test_two_killed_desks_book_each_row_once_on_postgresql(
    program: Program, postgres_url: str, say: Callable[[str], None]
) -> None:
    await run(program, postgres_url, 2, say, with_sales=False)


async def test_killed_workers_and_desks_book_each_row_once_on_postgresql(
    program: Program, postgres_url: str, say: Callable[[str], None]
) -> None:
    async with killed_workers(program.with_environment(DATABASE_URL=postgres_url)):
        await run(program, postgres_url, 1, say, with_sales=False)
