"""`paperdesk verify` as a user runs it: on sound books, on tampered ones, on no books at all."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from support.program import Program
from support.served import serving

TABLES = ("trades", "cash_movements", "position_adjustments")


@contextmanager
def unprotected(paperdesk: Program) -> Iterator[sqlite3.Connection]:
    """Open the desk's file as somebody would who wants to cheat."""
    path = paperdesk.folder / "desk.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in TABLES:
            connection.execute(f"DROP TRIGGER IF EXISTS {table}_refuse_update")
            connection.execute(f"DROP TRIGGER IF EXISTS {table}_refuse_delete")
        yield connection


def test_sound_books_are_proven_and_not_a_byte_changes(paperdesk: Program) -> None:
    paperdesk("seed")
    before = {path: path.read_bytes() for path in paperdesk.folder.iterdir()}

    result, data = paperdesk("verify"), paperdesk("verify", "--json")

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Replayed 0 trades, 1 cash movements")
    assert result.out.endswith("The books are proven.\n")
    answer = json.loads(data.out)
    assert (answer["ok"], answer["problems"], len(answer["state_hash"])) == (True, [], 64)
    assert answer["checked"] == {
        "accounts": 1,
        "trades": 0,
        "cash_movements": 1,
        "position_adjustments": 0,
    }
    assert {path: path.read_bytes() for path in paperdesk.folder.iterdir()} == before


def test_tampered_books_are_told_and_exit_1(paperdesk: Program) -> None:
    paperdesk("seed")
    with unprotected(paperdesk) as connection:
        connection.execute("UPDATE cash_movements SET amount = amount + 1")

    result, data = paperdesk("verify"), paperdesk("verify", "--json")

    assert (result.code, data.code, result.err) == (1, 1, "")
    assert "There are problems." in result.out
    (problem,) = json.loads(data.out)["problems"]
    assert (problem["account"], problem["sequence"]) == ("default", 1)
    assert problem["what"] in result.out


@pytest.mark.parametrize("value", ["x'ff'", "x'c328'"])
def test_text_that_is_no_text_is_found_in_its_entry(paperdesk: Program, value: str) -> None:
    paperdesk("seed")
    with unprotected(paperdesk) as connection:
        connection.execute(f"UPDATE cash_movements SET note = CAST({value} AS TEXT)")

    data = paperdesk("verify", "--json")

    assert data.code == 1
    assert [p["sequence"] for p in json.loads(data.out)["problems"]] == [1]


def test_a_desk_is_proven_while_it_runs(paperdesk: Program) -> None:
    with serving(paperdesk) as desk:
        assert paperdesk("buy", "AAPL", "2", PAPERDESK_URL=desk.url).code == 0
        result = paperdesk("verify")

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Replayed 1 trades")


def test_postgresql_is_proven_too(paperdesk: Program, postgres_url: str) -> None:
    result = paperdesk("verify", DATABASE_URL=postgres_url)

    assert (result.code, result.err) == (0, "")
    assert "The books are proven." in result.out


def test_what_cannot_be_read_exits_4(paperdesk: Program) -> None:
    (paperdesk.folder / "notes.txt").write_text("shopping list")
    nothing = paperdesk("verify")
    foreign = paperdesk("verify", DATABASE_URL=str(paperdesk.folder / "notes.txt"))
    nobody = paperdesk("verify", DATABASE_URL="postgresql://me@127.0.0.1:1/desk")

    assert {each.code for each in (nothing, foreign, nobody)} == {4}
    assert all(len(each.err.splitlines()) == 1 for each in (nothing, foreign, nobody))
    assert "`paperdesk serve` makes it" in nothing.err


def test_an_older_revision_asks_for_its_migration(paperdesk: Program) -> None:
    paperdesk("seed")
    with unprotected(paperdesk) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")

    result = paperdesk("verify")

    assert result.code == 4
    assert "`paperdesk migrate` brings it there" in result.err


def test_the_operator_decides_without_a_desk(paperdesk: Program) -> None:
    paperdesk("seed")
    with unprotected(paperdesk) as connection:
        connection.execute("UPDATE users_profile SET cash_balance = cash_balance - 1")

    refused = paperdesk("reopen")
    looked = paperdesk("doctor")
    accepted, again = paperdesk("reopen", "--accept", "--json"), paperdesk("reopen")

    assert (refused.code, refused.err) == (1, "")
    assert "paperdesk reopen --accept" in refused.out
    assert looked.code == 1
    assert "The desk is read-only since" in looked.out
    assert (accepted.code, json.loads(accepted.out)["read_only"]) == (0, None)
    assert (again.code, paperdesk("verify").code, paperdesk("doctor").code) == (0, 1, 0)


def test_the_operator_decides_with_a_desk_running(paperdesk: Program) -> None:
    paperdesk("seed")
    with unprotected(paperdesk) as connection:
        connection.execute("UPDATE users_profile SET cash_balance = cash_balance - 1")
    with serving(paperdesk) as desk:
        here = paperdesk.with_environment(PAPERDESK_URL=desk.url)
        bought, refused, accepted = (
            here("buy", "AAPL", "1"),
            here("reopen"),
            here("reopen", "--accept"),
        )
        again = here("buy", "AAPL", "1")

    assert (bought.code, "READ_ONLY" in bought.err) == (1, True)
    assert (refused.code, accepted.code, again.code) == (1, 0, 0)
    assert "The desk takes changes." in accepted.out
