"""Jobs that book nothing: proofs and copies."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.desk import DeskClient, open_desk
from support.jobs import ask, ended, rows
from support.keys import bearer, make_admin, make_key


async def run_task(desk: DeskClient, kind: str) -> tuple[str, dict[str, object]]:
    answer = await desk.post("/api/jobs", json={"kind": kind, "mode": "auto"})
    assert answer.status_code == 201, answer.text
    done = await ended(desk, answer.json()["id"])
    [row] = await rows(desk, done["id"])
    return done["status"], row


async def test_a_proof_says_what_it_found(desk: DeskClient) -> None:
    status, row = await run_task(desk, "verify")
    assert (status, row["status"]) == ("completed", "completed")
    assert isinstance(row["effect"], dict)
    assert (row["effect"]["ok"], row["effect"]["problems"]) == (True, 0)


async def test_a_task_waits_for_its_start_and_cannot_be_undone(desk: DeskClient) -> None:
    made = (await desk.post("/api/jobs", json={"kind": "verify"})).json()
    assert made["status"] == "pending"
    await ask(desk, made["id"], "start")
    await ended(desk, made["id"])
    undo = await desk.post(f"/api/jobs/{made['id']}/undo")
    assert (undo.status_code, undo.json()["code"]) == (409, "INVALID_STATE")


async def test_a_task_takes_no_rows(desk: DeskClient) -> None:
    answer = await desk.post("/api/jobs", json={"kind": "backup", "rows": [{}]})
    assert answer.status_code == 422


async def test_backups_are_whole_private_and_few(sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    async with open_desk(sqlite_url, backup_folder=folder, backups_kept=2) as desk:
        await desk.trade("AAPL", "buy", 3)
        for _ in range(3):
            status, _row = await run_task(desk, "backup")
            assert status == "completed"
    copies = sorted(folder.iterdir())
    assert len(copies) == 2
    for copy in copies:
        assert copy.stat().st_mode & 0o777 == 0o600
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT count(*) FROM trades").fetchone() == (1,)


async def test_a_postgresql_is_not_copied_here(postgres_url: str) -> None:
    async with open_desk(postgres_url) as desk:
        status, row = await run_task(desk, "backup")
        assert (status, row["error_code"]) == ("failed", "INVALID_STATE")


@pytest.mark.parametrize("kind", ["verify", "backup"])
async def test_tasks_are_for_who_may_do_all(desk: DeskClient, kind: str) -> None:
    admin = await make_admin(desk)
    trader = (await make_key(desk, "trade", by=admin))["key"]
    bound = (await make_key(desk, "admin", by=admin, account_id="default"))["key"]
    for key in (trader, bound):
        answer = await desk.post("/api/jobs", json={"kind": kind}, headers=bearer(key))
        assert answer.status_code == 403, answer.text
