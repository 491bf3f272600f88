"""`paperdesk key`: on the database of a desk that does not run, and over HTTP of one that does."""

import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest

from support.program import Program
from support.served import serving

KEY = re.compile(r"pd_[0-9A-Za-z]{10}_[0-9A-Za-z_-]{43}_[0-9A-Za-z]{6}")
EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is refused, or listens for a moment
UNREADABLE = "2027-13-01"


def made(program: Program, *arguments: str) -> Any:
    result = program("key", "create", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def listed(program: Program) -> list[Any]:
    return json.loads(program("key", "list", "--json").out)


def test_the_first_key_is_made_without_a_desk_and_opens_the_one_that_starts_then(
    paperdesk: Program,
) -> None:
    result = paperdesk("key", "create", "me")
    (key,) = set(KEY.findall(result.out))

    assert (result.code, result.err) == (0, "")
    assert "admin" in result.out
    with serving(paperdesk) as served:
        cli = paperdesk.with_environment(PAPERDESK_URL=served.url)
        refused = cli("portfolio")
        shown = cli("portfolio", PAPERDESK_API_KEY=key)

    assert (refused.code, "[UNAUTHENTICATED]" in refused.err) == (1, True)
    assert (shown.code, shown.err) == (0, "")


def test_keys_are_made_listed_rotated_and_revoked_without_a_desk(paperdesk: Program) -> None:
    first = made(paperdesk, "me")
    bot = made(
        paperdesk, "bot", "--scopes", "trade", "--account", "default", "--expires-at",
        "2100-01-01T00:00:00Z",
    )  # fmt: skip
    rotated = json.loads(paperdesk("key", "rotate", bot["key_id"], "--grace", "0", "--json").out)
    revoked = paperdesk("key", "revoke", rotated["id"])
    table = paperdesk("key", "list")

    assert first["scopes"] == ["admin"]
    assert (bot["scopes"], bot["account_id"]) == (["trade"], "default")
    assert rotated["key"] != bot["key"]
    assert (revoked.code, revoked.out) == (0, "The key is revoked.\n")
    keys = {key["id"]: key for key in listed(paperdesk)}
    assert [keys[one["id"]]["revoked_at"] is None for one in (first, bot, rotated)] == [
        True,
        True,
        False,
    ]
    assert keys[bot["id"]]["expires_at"] < "2100"
    assert table.out.count("bot") == 2
    assert not KEY.findall(table.out)


def test_beside_a_desk_that_runs_it_asks_the_desk(paperdesk: Program) -> None:
    with serving(paperdesk) as served:
        cli = paperdesk.with_environment(PAPERDESK_URL=served.url)
        first = made(cli, "me")
        as_me = cli.with_environment(PAPERDESK_API_KEY=first["key"])
        refused = cli("key", "list")
        bot = made(as_me, "bot", "--scopes", "read", "trade")
        rotated = json.loads(as_me("key", "rotate", bot["id"], "--json").out)
        revoked = as_me("key", "revoke", rotated["key_id"], "--json")
        keys = listed(as_me)
        with_it = httpx2.get(
            f"{served.url}/api/portfolio", headers={"Authorization": f"Bearer {rotated['key']}"}
        )

    assert "The desk was open until now" in first["notice"]
    assert (refused.code, "[UNAUTHENTICATED]" in refused.err) == (1, True)
    assert bot["scopes"] == ["read", "trade"]
    assert json.loads(revoked.out) == {"revoked": rotated["key_id"]}
    assert [key["name"] for key in keys] == ["bot", "bot", "me"]
    assert with_it.status_code == 401


def test_where_no_database_is_named_it_asks_the_desk_that_answers(paperdesk: Program) -> None:
    with serving(paperdesk) as served:
        elsewhere = {"XDG_DATA_HOME": str(paperdesk.folder), "PAPERDESK_URL": served.url}
        unnamed = Program(paperdesk.folder, elsewhere)
        first = made(unnamed, "me")
        listed_here = listed(unnamed.with_environment(PAPERDESK_API_KEY=first["key"]))
        closed = httpx2.get(f"{served.url}/api/portfolio")

    assert [key["id"] for key in listed_here] == [first["id"]]
    assert closed.status_code == 401
    assert not (paperdesk.folder / "paperdesk").exists()
    assert made(unnamed, "of the desk that is made here")["scopes"] == ["admin"]
    assert (paperdesk.folder / "paperdesk" / "paperdesk.db").exists()


def test_on_postgresql_it_works_on_the_database_while_a_desk_runs(
    paperdesk: Program, postgres_url: str
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=postgres_url.replace("+asyncpg", ""))
    with serving(program) as served:
        assert httpx2.get(f"{served.url}/api/portfolio").status_code == 200
        key = made(program, "me")["key"]
        answer = httpx2.get(
            f"{served.url}/api/portfolio", headers={"Authorization": f"Bearer {key}"}
        )
        closed = httpx2.get(f"{served.url}/api/portfolio")

    assert answer.status_code == 200
    assert closed.status_code == 401


def test_what_cannot_be_done_is_told_in_one_line(paperdesk: Program) -> None:
    nothing = paperdesk("key", "list")
    made(paperdesk, "me")
    new = ("key", "create", "x", "--scopes", "read")
    refusals = [
        (2, "--scopes", paperdesk("key", "create", "second")),
        (2, "expires_at", paperdesk(*new, "--expires-at", UNREADABLE)),
        (1, "no such account", paperdesk(*new, "--account", "no")),
        (1, "no such key", paperdesk("key", "revoke", "no")),
        (1, "no such key", paperdesk("key", "rotate", "no")),
    ]

    assert (nothing.code, "There is no desk yet" in nothing.err) == (1, True)
    for code, words, result in refusals:
        assert (result.code, result.out) == (code, ""), result
        assert words in result.err
        assert len(result.err.splitlines()) == 1
    assert len(listed(paperdesk)) == 1


@pytest.mark.parametrize("kept", ["trade", "revoked", "expired"])
def test_beyond_loopback_it_refuses_without_a_live_key_that_may_do_everything(
    paperdesk: Program, kept: str
) -> None:
    key = made(paperdesk, "me", "--scopes", "trade" if kept == "trade" else "admin")
    if kept == "revoked":
        paperdesk("key", "revoke", key["id"])
    if kept == "expired":
        with closing(sqlite3.connect(paperdesk.folder / "desk.db")) as connection, connection:
            connection.execute("UPDATE api_keys SET expires_at = '2020-01-01T00:00:00.000000Z'")

    result = paperdesk("serve", "--host", EVERYWHERE, "--port", "0")

    assert result.code == 2
    assert "paperdesk key create" in result.err


def test_beyond_loopback_it_listens_with_one_and_shows_its_documentation_to_keys_alone(
    paperdesk: Program,
) -> None:
    key = made(paperdesk, "me")["key"]
    process = paperdesk.start("serve", "--host", EVERYWHERE, "--port", "0")
    try:
        assert process.stdout
        ready = next(line for line in process.stdout if "ready at" in line)
        port = re.search(r":(\d+)", ready)
        assert port
        url = f"http://127.0.0.1:{port[1]}"
        with_key = {"Authorization": f"Bearer {key}"}
        statuses = {
            path: (
                httpx2.get(url + path).status_code,
                httpx2.get(url + path, headers=with_key).status_code,
            )
            for path in ("/docs", "/openapi.json", "/api/health", "/api/portfolio")
        }
    finally:
        process.kill()
        process.communicate()

    assert statuses == {
        "/docs": (401, 200),
        "/openapi.json": (401, 200),
        "/api/health": (200, 200),
        "/api/portfolio": (401, 200),
    }
