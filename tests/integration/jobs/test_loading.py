"""Storing many rows: in stretches, so that others write in between; what breaks off stays off."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, text, update

from paperdesk.db.engine import Database
from paperdesk.jobs import claims
from paperdesk.jobs.loading import STRETCH, Load
from paperdesk.jobs.making import Asked, begin, new_job, new_row
from paperdesk.jobs.schemas import JobTerms
from paperdesk.jobs.store import JOBS
from paperdesk.models import Job
from support.desk import DeskClient
from support.jobs import ask, buy, ended, job, previewed, rows

T = TypeVar("T")
MANY = STRETCH * 8 + 7
NOT_STORED = "Not all rows"

_AT = STRETCH * 3
_REFUSING = {
    "sqlite": [
        f"""CREATE TRIGGER no_room BEFORE INSERT ON job_rows WHEN NEW.row_number = {_AT}
        BEGIN SELECT RAISE(ABORT, 'no room'); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$""",
        f"""CREATE TRIGGER no_room BEFORE INSERT ON job_rows FOR EACH ROW
        WHEN (NEW.row_number = {_AT}) EXECUTE FUNCTION refuse()""",
    ],
}


async def do(desk: DeskClient, do: Callable[[Connection], T]) -> T:
    database: Database = desk.app.state.database
    async with database.write() as session:
        return await (await session.connection()).run_sync(do)


async def begun(desk: DeskClient) -> Job:
    """Make a job of which the first rows alone are stored, as a process leaves it that dies."""
    clock = desk.app.state.market.clock
    kind = desk.app.state.job_kinds.named("basket")
    made = new_job(
        Asked("default", JobTerms(), kind, key="once"), "many", clock.now(), is_ordered=True
    )
    stored = [new_row(number, buy(), clock.now()) for number in (1, 2)]
    await begin(desk.app.state.database, made, stored, clock.now(), total=None)
    return made


async def test_a_job_of_many_stretches_has_all_its_rows(desk: DeskClient) -> None:
    given = [buy(quantity=number) for number in range(1, MANY + 1)]
    answer = await desk.post("/api/jobs", json={"rows": given})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["total_rows"], made["status"], made["phase"]) == (MANY, "pending", "preview")
    last = await desk.get(f"/api/jobs/{made['id']}/rows", params={"cursor": str(MANY - 1)})
    assert [row["data"]["quantity"] for row in last.json()] == [MANY]
    await ask(desk, made["id"], "cancel")


async def test_others_write_while_rows_are_stored(desk: DeskClient) -> None:
    """Trades are booked between two stretches; the job is seen meanwhile, and cannot be started."""
    storing = asyncio.create_task(desk.post("/api/jobs", json={"rows": [buy()] * MANY}))
    seen: list[tuple[dict[str, Any], int]] = []
    while not storing.done():
        found = (await desk.get("/api/jobs")).json()
        if found and found[0]["phase"] == "load":
            [one] = found
            started = await desk.post(f"/api/jobs/{one['id']}/start")
            assert (started.status_code, started.json()["code"]) == (409, "INVALID_STATE")
            traded = await desk.trade("AAPL", "buy", "0.001")
            seen.append((one, traded.status_code))
    made = (await storing).json()
    counts = [one["total_rows"] for one, _ in seen]
    assert counts
    assert counts == sorted(counts)
    assert counts[0] < MANY
    assert {status for _, status in seen} == {200}
    await ask(desk, made["id"], "cancel")


async def test_what_breaks_off_fails_and_leaves_its_key(desk: DeskClient) -> None:
    dialect = desk.app.state.database.dialect
    for statement in _REFUSING[dialect]:
        await do(desk, partial(Connection.exec_driver_sql, statement=statement))
    body = {"rows": [buy(quantity="0.001")] * MANY, "mode": "auto"}
    headers = {"Idempotency-Key": "many"}
    broken = await desk.post("/api/jobs", json=body, headers=headers)
    assert broken.status_code >= 500
    [left] = (await desk.get("/api/jobs")).json()
    assert (left["status"], left["error_code"]) == ("failed", "LOAD_BROKE_OFF")
    assert left["total_rows"] == STRETCH * 2
    for event in ("start", "retry", "undo"):
        answer = await desk.post(f"/api/jobs/{left['id']}/{event}")
        assert (answer.status_code, answer.json()["code"]) == (409, "INVALID_STATE"), event
    assert (await desk.get("/api/trades")).json() == []

    on = "" if dialect == "sqlite" else " ON job_rows"
    await do(desk, lambda c: c.execute(text(f"DROP TRIGGER no_room{on}")))
    again = await desk.post("/api/jobs", json=body | {"mode": "confirm"}, headers=headers)
    assert (again.status_code, again.json()["total_rows"]) == (201, MANY)
    assert (await desk.delete(f"/api/jobs/{left['id']}")).status_code == 204
    await ask(desk, again.json()["id"], "cancel")


@pytest.mark.parametrize("way", ["reclaim", "reap"])
async def test_what_a_process_left_half_stored_fails(desk: DeskClient, way: str) -> None:
    left = await begun(desk)
    now = desk.app.state.market.clock.now()
    patched = await desk.patch(f"/api/jobs/{left.id}/rows/1", json={"data": buy(quantity=2)})
    assert (patched.status_code, NOT_STORED in patched.json()["detail"]) == (409, True)
    if way == "reap":
        await do(desk, lambda c: claims.reap(c, now))
        assert (await job(desk, left.id))["status"] == "pending", "its lease has not run out"
        past = update(JOBS).values(leased_until=now - timedelta(days=1))
        await do(desk, lambda c: c.execute(past))
        await do(desk, lambda c: claims.reap(c, now))
    else:
        await do(desk, lambda c: claims.reclaim(c, now, now - timedelta(minutes=1)))
        assert (await job(desk, left.id))["status"] == "pending", "this process loads it"
        await do(desk, lambda c: claims.reclaim(c, now, now))
    found = await job(desk, left.id)
    assert (found["status"], found["error_code"]) == ("failed", "LOAD_BROKE_OFF")
    assert [row["status"] for row in await rows(desk, left.id)] == ["pending", "pending"]
    retried = await desk.post(f"/api/jobs/{left.id}/retry")
    assert (retried.status_code, NOT_STORED in retried.json()["detail"]) == (409, True)


async def test_a_job_that_was_deleted_while_it_was_stored_stays_deleted(desk: DeskClient) -> None:
    left = await begun(desk)
    load = Load(desk.app.state.database, desk.app.state.market.clock, left)
    assert (await desk.delete(f"/api/jobs/{left.id}")).status_code == 204
    more = [new_row(3, buy(), desk.app.state.market.clock.now())]
    with pytest.raises(Exception, match="deleted or cancelled"):
        async with load.or_give_up():
            await load.add(more, is_last=True)
    assert (await desk.get("/api/jobs")).json() == []


async def test_a_small_job_is_ready_at_once(desk: DeskClient) -> None:
    answer = await desk.post("/api/jobs", json={"rows": [buy()], "mode": "auto"})
    assert answer.json()["status"] == "running"
    assert (await ended(desk, answer.json()["id"]))["successful_rows"] == 1
    made = (await desk.post("/api/jobs", json={"rows": [buy()]})).json()
    assert (await previewed(desk, made["id"]))["phase"] == "run"
