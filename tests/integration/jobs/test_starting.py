"""A desk that starts goes on with what was left when it went down."""

from datetime import timedelta

from sqlalchemy import update

from paperdesk.clock import utc_now
from paperdesk.jobs.store import JOBS, ROWS
from paperdesk.models import JobStatus, RowStatus
from support.desk import open_desk
from support.jobs import ask, assert_counted, buy, ended, make_job, previewed, sell


async def test_a_start_on_sqlite_takes_back_every_lease_at_once(sqlite_url: str) -> None:
    """However long it would still have run: no other process can have it."""
    async with open_desk(sqlite_url) as desk:
        made = await make_job(desk, [buy(), sell()])
        await previewed(desk, made["id"])
    # As it is where the desk was killed between the claim of the rows and their booking.
    held = {"lease": "gone", "leased_until": utc_now() + timedelta(days=1)}
    async with open_desk(sqlite_url) as desk:
        await desk.app.state.worker.started.wait()
        desk.app.state.worker.stop()
        await desk.app.state.worker.stopped.wait()
        await ask(desk, made["id"], "start")
        async with desk.app.state.database.write() as session:
            await session.execute(update(JOBS).values(**held))
            await session.execute(update(ROWS).values(status=RowStatus.processing, **held))
    async with open_desk(sqlite_url) as desk:
        done = await ended(desk, made["id"])
        assert (done["status"], done["successful_rows"]) == (JobStatus.completed, 2)
        assert len((await desk.get("/api/trades")).json()) == 2
        await assert_counted(desk.app.state.database)
