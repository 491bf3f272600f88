"""Several real processes at one database: one migrates, one seeds, and one owns a SQLite file."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from support.postgres import PostgresServer
from support.processes import ROOT, alembic, alembic_command, outcomes, running, start

OWN = """
import asyncio, sys
from paperdesk import init_db
async def main():
    database = await init_db(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await database.close()
asyncio.run(main())
"""

INIT = """
import asyncio, sys
from paperdesk import init_db, close_db
from paperdesk.errors import DatabaseHeld
async def main():
    try:
        await init_db(sys.argv[1])
    except DatabaseHeld as error:
        print("held", error, flush=True)
        return
    print("owns", flush=True)
    sys.stdin.readline()
    await close_db()
print("loaded", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


def race(url: str) -> list[subprocess.Popen[str]]:
    """Start four processes that call init_db in the same moment."""
    processes = [start(INIT, url) for _ in range(4)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "loaded\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


COUNTS = text(
    "SELECT (SELECT count(*) FROM users_profile) || ' ' || (SELECT count(*) FROM watchlist) "
    "|| ' ' || (SELECT count(*) FROM stocks) || ' ' || (SELECT count(*) FROM alembic_version)"
)


def test_four_processes_can_open_one_new_postgresql_database(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.database() as url:
        results = outcomes(race(url))
        assert [(code, err) for code, _, err in results] == [(0, "")] * 4
        assert [out for _, out, _ in results] == ["owns\n"] * 4
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            assert connection.scalar(COUNTS) == "1 10 9 1"
        engine.dispose()


def test_one_of_four_processes_owns_a_new_sqlite_file_and_the_others_name_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "desk.db"
    processes = race(str(path))
    first = {process: said(process) for process in processes}
    owners = [process for process, line in first.items() if line == "owns\n"]
    assert len(owners) == 1
    for process, line in first.items():
        if process not in owners:
            assert line.startswith("held")
            assert f"(pid {owners[0].pid})" in line
    assert [code for code, _, _ in outcomes(processes)] == [0] * 4
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(COUNTS.text).fetchone() == ("1 10 9 1",)


def test_file_is_free_again_when_its_owner_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with running(OWN, str(path)) as owner:
        owner.kill()
        owner.wait()
    assert alembic("-x", f"url={path}", "upgrade", "head").code == 0


@pytest.mark.parametrize("command", [("upgrade", "head"), ("downgrade", "base")], ids=" ".join)
def test_alembic_keeps_away_from_a_file_that_a_desk_owns(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "desk.db"
    with running(OWN, str(path)) as owner:
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        done = alembic("-x", f"url={path}", *command)
        assert done.code != 0
        assert f"(pid {owner.pid})" in done.err
        assert "\n" not in done.err.strip()
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_four_alembics_at_once_on_one_new_file_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    command = alembic_command("-x", f"url={path}", "upgrade", "head")
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert [(code, out) for code, out, _ in outcomes(processes)] == [(0, "")] * 4
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_refusal_of_a_held_file_is_the_same_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    link = tmp_path / "link.db"
    with running(OWN, str(path)) as owner:
        link.symlink_to(path)
        done = alembic("-x", f"url={link}", "upgrade", "head")
        assert done.code != 0
        assert f"(pid {owner.pid})" in done.err
