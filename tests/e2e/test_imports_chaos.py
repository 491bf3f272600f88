"""A broker's file, imported by desks that are killed meanwhile: each row once, and nothing lost.

JOB_ROWS says how many rows it has; `make soak-jobs` has 10,000.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import httpx2
import pytest
from sqlalchemy import func, select

from paperdesk.db.inspection import reading
from paperdesk.models import Job, JobRow, Position, Trade, UserProfile
from support.desks import Desks, killed_workers, served
from support.program import Program

ROWS: Final = int(os.environ.get("JOB_ROWS", "4000"))
TICKERS: Final = ("AAPL", "GOOGL", "MSFT", "AMZN", "JPM")
PATIENCE: Final = 120.0 + ROWS / 100
HEADER: Final = "executed_at,ticker,kind,quantity,price,fee,net_amount"
BEGAN: Final = datetime(2025, 1, 2, 15, tzinfo=UTC)

pytestmark = pytest.mark.timeout(240 + ROWS // 50)


class Given:
    """A file, the newest row first, and what must come of it."""

    def __init__(self) -> None:
        self.cash = Decimal(10_000)
        self.shares: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.trades = 0
        lines = [self._line(number) for number in range(ROWS)]
        self.content = "\n".join([HEADER, *reversed(lines), ""]).encode()

    def _line(self, number: int) -> str:
        ticker = TICKERS[number // 20 % len(TICKERS)]
        match number % 20:
            case 5:
                said, net, shares = "dividend,,,", "0.11", 0
            case 9:
                said, net, shares = f"buy,{10**6},1000,", "", None
            case 13:
                said, net, shares = "sell,2,10.5,0.03", "20.97", -2
            case 17:
                said, net, shares = "deposit,,,", "5", 0
            case _:
                said, net, shares = "buy,1,0.25,0.01", "-0.26", 1
        self.statuses["failed" if shares is None else "completed"] += 1
        self.trades += bool(shares)
        self.shares[ticker] += shares or 0
        self.cash += Decimal(net or 0)
        at = (BEGAN + timedelta(minutes=number)).isoformat()
        return f"{at},{'' if 'deposit' in said else ticker},{said},{net}"


async def run(
    program: Program, database_url: str, longest: float, say: Callable[[str], None]
) -> None:
    """Import the file with a desk that is killed every moment, the longest so many seconds."""
    given = Given()
    async with served(program, 1) as desks:
        begun = time.monotonic()
        ended = sent = None
        while ended is None:
            assert time.monotonic() - begun < PATIENCE
            sent = await stored(desks, given, sent)
            await asyncio.sleep(random.uniform(0.05, longest))
            await desks.kill_one()
            ended = await asyncio.to_thread(end_of, database_url, sent)
        took = time.monotonic() - begun
        # What nobody interrupts any more adds nothing.
        again = await stored(desks, given, None, key="once-more")
        while await asyncio.to_thread(end_of, database_url, again) is None:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)
        proof = await asyncio.to_thread(program, "verify")
        assert proof.code == 0, proof.out + proof.err
        assert await desks.stop() == [0]
    await asyncio.to_thread(assert_as_if_nothing_had_happened, database_url, given, sent, again)
    say(f"{ROWS} rows in {took:.1f} s, {desks.kills} kills")


async def stored(desks: Desks, given: Given, sent: str | None, key: str = "the-file") -> str | None:
    """Send the file, again where it was not loaded to its end; return the job, if one answers."""
    url = next(iter(desks.processes))
    async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
        if sent is not None:
            job = (await http.get(f"/api/jobs/{sent}")).json()
            if job["error_code"] != "LOAD_BROKE_OFF":
                return sent
        answer = await http.post(
            "/api/jobs",
            files={"file": ("a.csv", given.content)},
            data={"mode": "auto"},
            headers={"Idempotency-Key": key},
        )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def end_of(database_url: str, job_id: str | None) -> str | None:
    """How a job ended; None where it is not at its end, or must be sent again."""
    with reading(database_url) as session:
        job = session.get_one(Job, job_id)
        return None if job.error_code == "LOAD_BROKE_OFF" else job.completed_at and job.status


def assert_as_if_nothing_had_happened(
    database_url: str, given: Given, job_id: str | None, again: str | None
) -> None:
    with reading(database_url) as session:
        job = session.get_one(Job, job_id)
        rows = list(session.scalars(select(JobRow).where(JobRow.job_id == job_id)))
        skipped = select(func.count()).where(
            JobRow.job_id == again, JobRow.error_code == "ALREADY_DONE"
        )
        known = session.scalar(skipped)
        trades = session.scalar(select(func.count()).select_from(Trade))
        held = {each.ticker: each.quantity for each in session.scalars(select(Position))}
        cash = session.scalar(select(UserProfile.cash_balance))
    assert Counter(row.status.value for row in rows) == given.statuses
    assert (job.status, job.total_rows, job.processed_rows) == ("completed", ROWS, ROWS)
    assert job.successful_rows == known == given.statuses["completed"]
    assert job.total_cost_cents == sum(row.cost_cents for row in rows)
    assert not [row for row in rows if row.lease]
    assert (trades, cash) == (given.trades, given.cash)
    assert held == {ticker: Decimal(shares) for ticker, shares in given.shares.items() if shares}


async def test_a_killed_desk_imports_each_row_once_on_sqlite(
    paperdesk: Program, sqlite_url: str, say: Callable[[str], None]
) -> None:
    await run(paperdesk.with_environment(DATABASE_URL=sqlite_url), sqlite_url, 0.6, say)


async def test_killed_workers_import_each_row_once_on_postgresql(
    paperdesk: Program, postgres_url: str, say: Callable[[str], None]
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=postgres_url)
    async with killed_workers(program):
        # What a killed desk was loading is given up by another process 15 seconds later.
        await run(program, postgres_url, 5, say)
