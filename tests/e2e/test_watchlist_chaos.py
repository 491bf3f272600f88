"""A watchlist, imported by desks that are killed meanwhile: each ticker is put on it once."""

import asyncio
import random
import time
from collections import Counter
from typing import Final

import httpx2
import pytest
from sqlalchemy import select

from paperdesk.audit.trail import Action
from paperdesk.db.inspection import reading
from paperdesk.models import AuditLog, Job, JobRow, WatchlistEntry
from support.desks import served
from support.program import Program

ROWS: Final = 400
PATIENCE: Final = 120.0
SEEDED: Final = 10

pytestmark = pytest.mark.timeout(200)


def tickers(*, with_duplicates: bool) -> list[str]:
    """Return tickers that are on no list; with duplicates, some a second time."""
    found = [f"W{number}" for number in range(ROWS)]
    # What has duplicates has an order, and is not shared by workers.
    return found + found[::5] if with_duplicates else found


async def run(program: Program, database_url: str, count: int) -> None:
    program = program.with_environment(DATABASE_URL=database_url)
    given = tickers(with_duplicates=count == 1)
    async with served(program, count) as desks, httpx2.AsyncClient(timeout=30) as http:
        url = next(iter(desks.processes))
        body = {"kind": "import_watchlist", "rows": given, "mode": "auto"}
        made = await http.post(f"{url}/api/jobs", json=body)
        assert made.status_code == 201, made.text
        begun = time.monotonic()
        while not await asyncio.to_thread(has_ended, database_url):
            await asyncio.sleep(random.uniform(0.1, 0.8))
            await desks.kill_one()
            assert time.monotonic() - begun < PATIENCE
        assert desks.kills
        assert await desks.stop() == [0] * count
    await asyncio.to_thread(assert_each_once, database_url, given)


def has_ended(database_url: str) -> bool:
    with reading(database_url) as session:
        return session.scalar(select(Job.completed_at)) is not None


def assert_each_once(database_url: str, given: list[str]) -> None:
    with reading(database_url) as session:
        rows = list(session.scalars(select(JobRow).order_by(JobRow.row_number)))
        entries = {each.id: each.ticker for each in session.scalars(select(WatchlistEntry))}
        query = select(AuditLog.subject).where(AuditLog.action == Action.watchlist_added)
        said = Counter(session.scalars(query))
        job = session.scalars(select(Job)).one()
    seen: set[str] = set()
    for row, ticker in zip(rows, given, strict=True):
        assert row.status == ("skipped" if ticker in seen else "completed"), row.row_number
        seen.add(ticker)
    booked = {row.effect["entry_id"]: row.effect["ticker"] for row in rows if row.effect}
    assert booked.items() <= entries.items()
    assert len(entries) == SEEDED + ROWS
    # Nothing was done twice and then left out: each was said once.
    assert said == Counter(booked.keys())
    assert (job.status, job.successful_rows, job.processed_rows) == ("completed", ROWS, len(given))


async def test_a_killed_desk_watches_each_ticker_once_on_sqlite(
    paperdesk: Program, sqlite_url: str
) -> None:
    await run(paperdesk, sqlite_url, 1)


async def test_two_killed_desks_watch_each_ticker_once_on_postgresql(
    paperdesk: Program, postgres_url: str
) -> None:
    await run(paperdesk, postgres_url, 2)
