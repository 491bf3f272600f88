"""Following a job: its stream ends with it, and the account's feed tells of it."""

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest

from paperdesk.jobs.following import Pace
from paperdesk.models import Atomicity, Job, JobMode, JobPhase, JobStatus
from support.databases import START
from support.desk import DeskClient
from support.jobs import ask, buy, make_job, previewed, run_job


async def followed(desk: DeskClient, job_id: str) -> list[dict[str, Any]]:
    """Return every event of a stream, which has to end."""
    async with asyncio.timeout(30):
        answer = await desk.get(f"/api/jobs/{job_id}/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data")]


async def test_a_stream_ends_with_its_job(desk: DeskClient) -> None:
    made = await make_job(desk, [buy(quantity="0.01")] * 200 + [{}])
    await previewed(desk, made["id"])
    following = asyncio.create_task(followed(desk, made["id"]))
    await asyncio.sleep(0.2)
    await ask(desk, made["id"], "start")
    events = await following
    assert events[0]["status"] == "pending"
    assert (events[-1]["status"], events[-1]["processed_rows"]) == ("completed", 201)
    done = [event["processed_rows"] for event in events]
    assert done == sorted(done)


async def test_the_stream_of_a_job_that_has_ended_says_how_and_ends(desk: DeskClient) -> None:
    done = await run_job(desk, [buy()])
    [event] = await followed(desk, done["id"])
    assert (event["status"], event["total_cost_cents"]) == ("completed", 19025)


async def test_the_feed_of_the_account_tells_of_jobs(desk: DeskClient) -> None:
    told: list[dict[str, Any]] = []

    async def follow() -> None:
        async for chunk in desk.app.state.feed.follow("default"):
            lines = chunk.decode().splitlines()
            if "event: job" in lines:
                told.extend(json.loads(each[6:]) for each in lines if each.startswith("data: "))
            if told and told[-1]["status"] == "completed":
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    done = await run_job(desk, [buy()])
    await asyncio.wait_for(following, 10)
    assert told[-1]["id"] == done["id"]
    assert told[-1]["successful_rows"] == 1


@pytest.mark.parametrize(
    ("done", "rate", "left"), [([0], None, None), ([0, 0], None, None), ([0, 50], 100, 10)]
)
def test_a_pace_is_that_of_late(done: list[int], rate: int | None, left: int | None) -> None:
    pace, found = Pace(), None
    for number, processed in enumerate(done):
        found = pace.of(job_with(processed, START), number / 2)
    assert found is not None
    assert (found.rate, found.seconds_left) == (rate, left)


def job_with(processed: int, now: datetime) -> Job:
    return Job(
        id="job",
        user_id="default",
        kind="basket",
        name="a job",
        status=JobStatus.running,
        mode=JobMode.auto,
        atomicity=Atomicity.partial,
        phase=JobPhase.run,
        total_rows=1050,
        processed_rows=processed,
        successful_rows=processed,
        failed_rows=0,
        total_cost_cents=0,
        created_at=now,
        updated_at=now,
    )
