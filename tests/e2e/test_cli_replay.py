"""`paperdesk replay` as a user runs it: files, refusals, a desk in the way, and kill -9."""

import json
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from paperdesk.db.engine import Database
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.proof.standing import REASON
from paperdesk.settings import database_url
from support.databases import START, SqliteTemplate
from support.program import COMMAND, Program
from support.served import serving

HEADER = "ticker,side,quantity,price,executed_at"


def rows(count: int) -> list[str]:
    """Trades that follow each other like those of a strategy; some are alike to the last digit."""
    chance = random.Random(7)
    found = [HEADER]
    for n in range(count):
        moment = (START - timedelta(days=20) + timedelta(seconds=n // 4)).isoformat()
        side = "buy" if n // 10 % 2 == 0 else "sell"
        found.append(f"T{n % 10},{side},1.5,{chance.randrange(100, 105)},{moment}")
    return found


def booked(path: Path) -> list[tuple[object, ...]]:
    """Everything that the books hold, hashes too, in the order of booking."""
    with closing(sqlite3.connect(path)) as connection:
        trades = connection.execute("SELECT * FROM trades ORDER BY sequence").fetchall()
        held = connection.execute("SELECT ticker, quantity, cost_basis FROM positions").fetchall()
        account = connection.execute("SELECT * FROM users_profile").fetchall()
        return [*trades, *sorted(held), *account]


def test_a_file_is_booked_once(paperdesk: Program) -> None:
    path = paperdesk.folder / "trades.csv"
    path.write_text("\n".join(rows(1000)))

    first, again = paperdesk("replay", str(path)), paperdesk("replay", str(path), "--json")

    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("Booked 1,000 trades in ")
    answer = json.loads(again.out)
    assert answer.pop("seconds") >= 0
    assert answer == {"booked": 0, "booked_before": 1000, "rejected": 0, "stopped_at": None}


def test_killed_at_any_instant_it_books_exactly_the_missing_rows(
    paperdesk: Program, tmp_path: Path, sqlite_template: SqliteTemplate
) -> None:
    path = tmp_path / "trades.csv"
    path.write_text("\n".join(rows(12_000)))
    desk = sqlite_template.copy_to(tmp_path / "desk.db")
    whole = sqlite_template.copy_to(tmp_path / "whole.db")
    assert paperdesk("replay", str(path), DATABASE_URL=str(whole)).code == 0

    kills = 0
    for wanted in (1, 5000):
        process = paperdesk.start("replay", str(path))
        while process.poll() is None:
            with closing(sqlite3.connect(desk)) as connection:
                (found,) = connection.execute("SELECT count(*) FROM trades").fetchone()
            if found >= wanted:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(random.uniform(0.001, 0.02))
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    last = paperdesk("replay", str(path), "--json")

    answer = json.loads(last.out)
    assert kills >= 1
    assert answer["booked"] + answer["booked_before"] == 12_000
    assert answer["booked_before"] >= 5000
    assert booked(desk) == booked(whole)
    assert paperdesk("verify").code == 0


def test_a_bad_row_is_named_and_the_file_goes_on_once_it_is_right(paperdesk: Program) -> None:
    path, rejected = paperdesk.folder / "trades.csv", paperdesk.folder / "rejected.csv"
    lines = rows(30)
    right, lines[21] = lines[21], lines[21].replace("1.5", "1,5")
    path.write_text("\n".join(lines))

    stopped = paperdesk("replay", str(path))
    skipped = paperdesk("replay", str(path), "--skip-bad", str(rejected))
    lines[21] = right
    path.write_text("\n".join(lines))
    last = paperdesk("replay", str(path), "--json")

    assert stopped.code == 1
    assert stopped.out.startswith("Booked 20 trades in ")
    assert stopped.err.startswith("paperdesk: Stopped at line 22: must have 5 cells")
    assert (skipped.code, "1 could not be booked" in skipped.out) == (1, True)
    assert rejected.read_text().splitlines()[0] == f"{HEADER},identity,error"
    assert (last.code, json.loads(last.out)["booked"]) == (0, 1)


def test_json_lines_may_come_through_a_pipe(paperdesk: Program) -> None:
    lines = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in rows(20)[1:]]

    done = subprocess.run(
        [*COMMAND, "replay", "-", "--json"],
        input="\n".join(map(json.dumps, lines)),
        env=paperdesk._environment({}),
        cwd=paperdesk.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(done.stdout)["booked"] == 20


def test_it_works_beside_nobody(paperdesk: Program) -> None:
    path = paperdesk.folder / "trades.csv"
    path.write_text("\n".join(rows(3)))
    with serving(paperdesk) as served:
        held = paperdesk("replay", str(path))

    assert held.code == 3
    assert f"pid {served.process.pid}" in held.err


@pytest.mark.parametrize("accounts", [("default",), ("default", "growth")], ids=len)
async def test_a_desk_that_is_read_only_takes_no_replay(
    paperdesk: Program, sqlite_template: SqliteTemplate, accounts: tuple[str, ...]
) -> None:
    path = paperdesk.folder / "trades.csv"
    header, *trades = rows(20)
    turns = [f"{trade},{accounts[n % len(accounts)]}" for n, trade in enumerate(trades)]
    path.write_text("\n".join([f"{header},account", *turns]))
    desk = sqlite_template.copy_to(paperdesk.folder / "desk.db")
    database = Database(database_url(desk))
    for account in accounts[1:]:
        with database.sync_session() as session:
            open_account(session, account, Decimal(500), START, account_id=account)
            session.commit()
    await database.close()
    with closing(sqlite3.connect(desk)) as connection, connection:
        connection.execute("INSERT INTO desk_meta VALUES (?, 'It is read-only.')", (REASON,))
    before = booked(desk)

    refused = paperdesk("replay", str(path), "--skip-bad", "rejected.csv")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("paperdesk: It is read-only. Nothing was changed")
    assert booked(desk) == before


@pytest.mark.parametrize(
    ("content", "arguments", "code", "words"),
    [
        (None, [], 2, "cannot be read"),
        ("ticker,price\n", [], 2, "has no column side"),
        (HEADER, ["--skip-bad", "trades.csv"], 2, "another file"),
        (HEADER, ["--skip-bad", "."], 2, "cannot be written"),
    ],
    ids=["missing", "columns", "same", "folder"],
)
def test_what_cannot_be_replayed_is_told_in_one_line(
    paperdesk: Program, content: str | None, arguments: list[str], code: int, words: str
) -> None:
    if content is not None:
        (paperdesk.folder / "trades.csv").write_text(content)

    result = paperdesk("replay", "trades.csv", *arguments)

    assert (result.code, result.out, result.err.count("\n")) == (code, "", 1)
    assert words in result.err
    assert not (paperdesk.folder / "desk.db").exists()
