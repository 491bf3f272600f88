"""`paperdesk export` against a desk that really serves, and one that is killed meanwhile."""

import csv
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from support.program import Program
from support.served import serving

MANY = 120_000


@pytest.fixture
def program(paperdesk: Program) -> Iterator[Program]:
    """The command, with a desk that serves on SQLite."""
    with serving(paperdesk) as served:
        yield paperdesk.with_environment(PAPERDESK_URL=served.url)


def test_an_export_lies_where_it_was_asked_for(program: Program, tmp_path: Path) -> None:
    assert program("buy", "AAPL", "2", "--strategy", "=cmd()").code == 0

    done = program("export", "trades")
    assert done.code == 0, done.err
    [made] = tmp_path.glob("default-trades-*.csv")
    assert f"{made.name}: 1 rows, {made.stat().st_size:,} bytes." in done.out
    with made.open(newline="") as file:
        [trade] = csv.DictReader(file)
    assert (trade["ticker"], trade["quantity"], trade["strategy"]) == ("AAPL", "2", "'=cmd()")

    # The format is as the file's name ends; what was there is replaced.
    target = tmp_path / "book.xlsx"
    target.write_text("old")
    told = json.loads(program("export", "ledger", "--out", "book.xlsx", "--json").out)
    assert told["path"] == "book.xlsx"
    assert told["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert target.read_bytes().startswith(b"PK")
    assert not list(tmp_path.glob(".*-*"))


def test_what_cannot_be_exported_is_said(program: Program, tmp_path: Path) -> None:
    unclear = program("export", "trades", "--from", "yesterday")
    assert (unclear.code, "since" in unclear.err) == (1, True)
    unwritable = program("export", "trades", "--out", "nowhere/trades.csv")
    assert (unwritable.code, "cannot be written" in unwritable.err) == (2, True)
    assert program("export", "passwords").code == 2
    assert not list(tmp_path.glob("*.csv"))


def test_a_killed_desk_leaves_no_half_file_and_writes_it_after_its_next_start(
    paperdesk: Program, tmp_path: Path
) -> None:
    database = tmp_path / "desk.db"
    program = paperdesk.with_environment(DATABASE_URL=str(database))
    folder = tmp_path / "exports"
    with serving(program) as served:
        insert_snapshots(database)
        body = {"kind": "export", "mode": "auto", "rows": [{"table": "snapshots"}]}
        made = httpx2.post(f"{served.url}/api/jobs", json=body).json()
        deadline = time.monotonic() + 30
        while not list(folder.glob("unfinished-*/file")) and time.monotonic() < deadline:
            time.sleep(0.005)
        served.process.kill()
    left = list(folder.iterdir())
    assert [each.name.startswith("unfinished-") for each in left] == [True]

    with serving(program) as served:
        path = f"{served.url}/api/jobs/{made['id']}"
        deadline = time.monotonic() + 60
        while (job := httpx2.get(path).json())["completed_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (job["status"], job["steps_done"] >= MANY) == ("completed", True)
        answer = httpx2.get(f"{path}/file")
    assert len(answer.text.splitlines()) == job["steps_done"] + 1
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'


def insert_snapshots(database: Path) -> None:
    """Insert many snapshots, all complete, of the account `default`."""
    numbers = range(MANY)
    rows = [
        (f"snapshot-{number}", number, number, 0, "2026-01-01T00:00:00.000000Z")
        for number in numbers
    ]
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.executemany(
            "INSERT INTO portfolio_snapshots "
            "(id, total_value, cash_balance, positions_value, recorded_at) VALUES (?, ?, ?, ?, ?)",
            rows,
        )
