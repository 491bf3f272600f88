"""Jobs of a desk, as tests make them and wait for them."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select

from paperdesk.db.engine import Database
from paperdesk.jobs.lifecycle import Counts, counts_of
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Job, JobRow
from support.desk import DeskClient

ENDED = {"completed", "failed", "cancelled"}
PATIENCE = 30.0


def buy(ticker: str = "AAPL", quantity: Any = 1, **rest: Any) -> dict[str, Any]:
    return {"ticker": ticker, "side": "buy", "quantity": quantity, **rest}


def sell(ticker: str = "AAPL", quantity: Any = 1, **rest: Any) -> dict[str, Any]:
    return buy(ticker, quantity, **rest) | {"side": "sell"}


async def make_job(desk: DeskClient, rows: Sequence[Any], **rest: Any) -> dict[str, Any]:
    answer = await desk.post("/api/jobs", json={"rows": list(rows), **rest})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def job(desk: DeskClient, job_id: str) -> dict[str, Any]:
    return (await desk.get(f"/api/jobs/{job_id}")).json()


async def rows(desk: DeskClient, job_id: str) -> list[dict[str, Any]]:
    return (await desk.get(f"/api/jobs/{job_id}/rows", params={"limit": 500})).json()


async def until(desk: DeskClient, job_id: str, field: str) -> dict[str, Any]:
    """Wait until a field of a job is set, and return the job."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await job(desk, job_id))[field]:  # noqa: ASYNC110 - it is told over HTTP
            await asyncio.sleep(0.02)
    return found


async def previewed(desk: DeskClient, job_id: str) -> dict[str, Any]:
    return await until(desk, job_id, "previewed_at")


async def ended(desk: DeskClient, job_id: str) -> dict[str, Any]:
    found = await until(desk, job_id, "completed_at")
    await shown(desk)
    return found


class _Nothing(NamedTuple):
    """A command that books nothing."""

    account_id: str = "default"
    key: str | None = None

    def __call__(self, books: Books) -> None:
        """Do nothing."""


async def shown(desk: DeskClient) -> None:
    """Wait until the desk shows what was booked: that is committed a moment before."""
    await desk.app.state.ledger.submit(_Nothing())


async def ask(desk: DeskClient, job_id: str, event: str) -> dict[str, Any]:
    answer = await desk.post(f"/api/jobs/{job_id}/{event}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def run_job(desk: DeskClient, given: Sequence[Any], **rest: Any) -> dict[str, Any]:
    """Make a job that is booked at once, and wait for its end."""
    made = await make_job(desk, given, mode="auto", **rest)
    return await ended(desk, made["id"])


async def cash(desk: DeskClient) -> Decimal:
    answer = await desk.get("/api/portfolio")
    return Decimal(str(answer.json()["cash_balance"]))


async def assert_counted(database: Database) -> None:
    """Every counter and cost of every job is the sum of its rows."""
    async with database.read() as session:
        for one in await session.scalars(select(Job)):
            counts = Counts()
            for row in await session.scalars(select(JobRow).where(JobRow.job_id == one.id)):
                counts += counts_of(row.status, row.cost_cents)
                assert (row.lease is None) is (row.status != "processing")
            assert counts == (
                one.processed_rows,
                one.successful_rows,
                one.failed_rows,
                one.total_cost_cents,
            )
            total = select(func.count()).select_from(JobRow).where(JobRow.job_id == one.id)
            assert one.total_rows == await session.scalar(total)
