"""`paperdesk copy` as an operator runs it."""

import json
import os
import pty
import subprocess
from contextlib import suppress

import pytest

from support.databases import SqliteTemplate
from support.postgres import PostgresServer
from support.program import COMMAND, Program
from support.served import serving


@pytest.fixture
def seeded(paperdesk: Program, sqlite_template: SqliteTemplate) -> Program:
    """The command, with a desk in its folder."""
    sqlite_template.copy_to(paperdesk.folder / "desk.db")
    return paperdesk


def test_a_desk_moves_to_postgresql_and_back(
    seeded: Program, postgres_server: PostgresServer
) -> None:
    with postgres_server.database() as url:
        there = seeded("copy", "--to", url)
        back = seeded("copy", "--from", url, "--to", "back.db", "--json")

    assert (there.code, there.err) == (0, "")
    first, origin, target, state, last = there.out.splitlines()
    assert first.startswith("Copied ")
    assert origin == f"From {seeded.folder / 'desk.db'}"
    assert target.startswith("To   postgresql+asyncpg://")
    assert last.startswith("Both are proven and hold the same.")
    told = json.loads(back.out)
    assert told["rows"]["watchlist"] == 10
    assert state == f"State {told['state_hash']}"
    assert told["to"] == str(seeded.folder / "back.db")
    assert "what it books from now on is not in the copy" in back.err
    assert len(back.err.splitlines()) == 1


def test_a_running_desk_is_named_and_not_copied(paperdesk: Program) -> None:
    with serving(paperdesk) as served:
        result = paperdesk("copy", "--to", "copy.db")

    assert result.code == 3
    assert f"pid {served.process.pid}" in result.err
    assert not (paperdesk.folder / "copy.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--to", "copy.db", "--from", "nothing.db"], 4, "There is no desk"),
        (["--to", "postgresql://me:hush@127.0.0.1:1/desk"], 4, "PostgreSQL does not answer"),
        (["--to", "copy.db", "--from", "postgresql://me:hush@127.0.0.1:1/d"], 4, "does not answer"),
    ],
)
def test_what_cannot_be_copied_is_told_in_one_line(
    seeded: Program, arguments: list[str], code: int, said: str
) -> None:
    result = seeded("copy", *arguments)

    assert (result.code, result.out) == (code, "")
    line = result.err.splitlines()[-1]
    assert said in line
    assert "hush" not in result.err
    assert "Traceback" not in result.err
    assert not (seeded.folder / "copy.db").exists()


def test_a_terminal_shows_how_far_it_is(seeded: Program) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | seeded.environment | {"TERM": "xterm", "COLUMNS": "100"}

    done = subprocess.run(
        [*COMMAND, "copy", "--to", "copy.db"],
        cwd=seeded.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    shown = _all_of(ours).decode()
    os.close(ours)

    assert done.returncode == 0
    assert "Comparing" in shown
    assert "\x1b" not in done.stdout.decode()


def _all_of(terminal: int) -> bytes:
    """Read what was shown: a terminal hands out some 4 KiB at a time, and in the end an error."""
    shown = b""
    with suppress(OSError):
        while piece := os.read(terminal, 65536):
            shown += piece
    return shown
