"""Over HTTP, from every status: what the table allows happens, everything else is 409."""

from datetime import timedelta
from itertools import product

from paperdesk.jobs.lifecycle import JOB_TRANSITIONS, JobEvent
from paperdesk.models import Job, JobPhase, JobRow, JobStatus, RowStatus
from support.databases import START
from support.desk import DeskClient
from support.jobs import ask, buy, ended, job, make_job, previewed, rows, run_job, sell

ASKED = ["start", "pause", "resume", "cancel", "retry", "undo"]
FAR = START + timedelta(days=3650)


async def job_that_is(desk: DeskClient, status: JobStatus) -> str:
    """Store a job with a row that another worker has, so that nothing becomes of it by itself."""
    made = Job(name="a job", status=status, phase=JobPhase.run, total_rows=3)
    held = JobRow(
        row_number=1, data={}, status=RowStatus.processing, lease="another", leased_until=FAR
    )
    failed = JobRow(row_number=2, data={}, status=RowStatus.failed)
    booked = JobRow(row_number=3, data={}, status=RowStatus.completed, effect={"order_id": "?"})
    made.processed_rows, made.failed_rows, made.successful_rows = 2, 1, 1
    made.is_ordered = True
    made.rows = [held, failed, booked]
    async with desk.app.state.database.write() as session:
        session.add(made)
    return made.id


async def test_what_the_table_forbids_is_409(desk: DeskClient) -> None:
    for status, event in product(JobStatus, ASKED):
        made = await job_that_is(desk, status)
        answer = await desk.post(f"/api/jobs/{made}/{event}")
        after = JOB_TRANSITIONS.get((status, JobEvent(event)))
        if after is None:
            refused = (answer.status_code, answer.json()["code"])
            assert refused == (409, "INVALID_STATE"), (status, event)
            assert (await job(desk, made))["status"] == status
        else:
            came = (answer.status_code, answer.json()["status"])
            assert came == (200, after), (status, event)


async def test_a_job_is_deleted_and_its_rows_changed_only_while_it_does_not_run(
    desk: DeskClient,
) -> None:
    for status in JobStatus:
        made = await job_that_is(desk, status)
        change = await desk.patch(f"/api/jobs/{made}/rows/2", json={"data": buy()})
        held = await desk.patch(f"/api/jobs/{made}/rows/1", json={"data": buy()})
        booked = await desk.patch(f"/api/jobs/{made}/rows/3", json={"data": buy()})
        deleted = await desk.delete(f"/api/jobs/{made}")
        running = status is JobStatus.running
        assert change.status_code == (409 if running else 200), (status, change.text)
        assert (held.status_code, booked.status_code) == (409, 409), status
        assert deleted.status_code == (409 if running else 204), status


async def test_a_job_is_started_only_once_it_is_estimated(desk: DeskClient) -> None:
    made = await make_job(desk, [buy()])
    await previewed(desk, made["id"])
    await ask(desk, made["id"], "start")
    await ended(desk, made["id"])
    again = await desk.post(f"/api/jobs/{made['id']}/start")
    assert again.status_code == 409


async def test_a_failed_row_is_mended_and_tried_again_and_no_other(desk: DeskClient) -> None:
    done = await run_job(desk, [buy(), sell("MSFT", 5), buy("BRK.B")])
    wrong = await desk.patch(f"/api/jobs/{done['id']}/rows/2", json={"data": {"ticker": "MSFT"}})
    assert (wrong.json()["status"], wrong.json()["error_code"]) == ("failed", "INVALID_REQUEST")
    good = await desk.patch(f"/api/jobs/{done['id']}/rows/2", json={"data": buy("MSFT")})
    assert (good.json()["status"], good.json()["error_code"]) == ("failed", "EDITED")

    await ask(desk, done["id"], "retry")
    again = await ended(desk, done["id"])

    assert (again["status"], again["successful_rows"], again["failed_rows"]) == ("completed", 3, 0)
    assert len((await desk.get("/api/trades")).json()) == 3
    assert [row["attempts"] for row in await rows(desk, done["id"])] == [1, 1, 1]
    nothing = await desk.post(f"/api/jobs/{done['id']}/retry")
    assert nothing.status_code == 409


async def test_a_cancelled_job_keeps_what_it_booked_and_books_no_more(desk: DeskClient) -> None:
    made = await make_job(desk, [buy()] * 5)
    await previewed(desk, made["id"])
    await ask(desk, made["id"], "start")
    answer = await desk.post(f"/api/jobs/{made['id']}/cancel")
    done = await ended(desk, made["id"])
    trades = (await desk.get("/api/trades")).json()
    if answer.status_code == 200:
        assert done["status"] == "cancelled"
    assert len(trades) == done["successful_rows"]


async def test_a_paused_job_waits_until_it_is_resumed(desk: DeskClient) -> None:
    made = await make_job(desk, [buy(quantity="0.01")] * 300, mode="auto")
    paused = await ask(desk, made["id"], "pause")
    assert paused["status"] == "paused"
    first = await rows(desk, made["id"])
    assert not [row for row in first if row["status"] == "failed"]
    await ask(desk, made["id"], "resume")
    done = await ended(desk, made["id"])
    assert done["successful_rows"] == 300
