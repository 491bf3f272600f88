"""Commands that need no desk: help, settings, migrations, seed, doctor, schema, completion."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from paperdesk import __version__
from support.processes import ROOT
from support.program import Program


def test_help_leads_a_newcomer_and_is_quick(paperdesk: Program) -> None:
    started = time.monotonic()
    result = paperdesk("--help")
    took = time.monotonic() - started

    assert result.code == 0
    for group in ("Run a desk", "Trade", "Look", "Exit codes:"):
        assert group in result.out
    assert "paperdesk buy AAPL 10" in result.out
    # Half a second on an idle machine; tests may share theirs.
    assert took < 2.5


@pytest.mark.parametrize(
    "command", ["buy", "cash", "copy", "journal", "watchlist", "serve", "completion", "prices"]
)
def test_every_command_shows_examples(paperdesk: Program, command: str) -> None:
    result = paperdesk(command, "--help")

    assert result.code == 0
    assert f"  paperdesk {command}" in result.out


def test_the_version_is_printed(paperdesk: Program) -> None:
    assert paperdesk("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["byu", "AAPL", "1"], "Did you mean `buy`?"),
        (["buy", "AAPL"], "requires an argument"),
        (["trades", "--side", "up"], "--side"),
        (["prices", "--nonsense"], "--nonsense"),
        (["serve", "--port", "70000"], "65535"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_2(
    paperdesk: Program, arguments: list[str], message: str
) -> None:
    result = paperdesk(*arguments)

    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert message in result.err


def test_migrate_and_seed_say_what_they_did(paperdesk: Program) -> None:
    made, again = paperdesk("migrate"), paperdesk("migrate")
    seeded, unchanged = paperdesk("seed"), paperdesk("seed", "--json")

    assert made.out.startswith("Made the database at revision 0")
    assert again.out.startswith("Already at revision 0")
    assert seeded.out.startswith("Seeded with the account `default`")
    assert json.loads(unchanged.out)["seeded"] is False
    assert {each.code for each in (made, again, seeded, unchanged)} == {0}


@pytest.mark.parametrize("command", ["migrate", "seed"])
def test_a_file_that_is_no_database_is_refused(paperdesk: Program, command: str) -> None:
    target = paperdesk.folder / "notes.txt"
    target.write_text("shopping list")

    result = paperdesk(command, DATABASE_URL=str(target))

    assert (result.code, result.out) == (4, "")
    assert len(result.err.splitlines()) == 1
    assert target.read_text() == "shopping list"


def test_settings_are_shown_with_their_source_and_without_secrets(paperdesk: Program) -> None:
    (paperdesk.folder / ".env").write_text("PAPERDESK_PORT=9000\nPAPERDESK_API_KEY=hush-1\n")

    result = paperdesk(
        "config",
        "show",
        "--json",
        DATABASE_URL="postgresql://me:hush-2@db/desk?password=hush-3",
        OPENROUTER_API_KEY="hush-4",
    )

    shown = json.loads(result.out)
    assert "hush" not in result.out
    assert shown["port"] == {
        "variable": "PAPERDESK_PORT",
        "value": 9000,
        "source": ".env",
        "used": True,
    }
    assert shown["database_url"]["source"] == "environment"
    assert shown["database_url"]["value"].startswith("postgresql+asyncpg://me@db/desk")
    assert shown["openrouter_api_key"]["variable"] == "OPENROUTER_API_KEY"
    assert shown["host"] == {
        "variable": "PAPERDESK_HOST",
        "value": "127.0.0.1",
        "source": "default",
        "used": True,
    }


def test_settings_that_nothing_reads_yet_are_marked(paperdesk: Program) -> None:
    text, data = paperdesk("config", "show"), paperdesk("config", "show", "--json")

    marked = {line.split()[0] for line in text.out.splitlines() if "not used yet" in line}
    assert marked == {
        "OPENROUTER_API_KEY",
        "LLM_MOCK",
    }
    shown = json.loads(data.out).values()
    assert {each["variable"] for each in shown if not each["used"]} == marked


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("postgresql://me@127.0.0.1:1/desk?sslmode=disable", 4, "PostgreSQL does not answer"),
        ("postgresql://me@127.0.0.1:1/desk?bogus=1", 4, "'bogus'"),
        ("postgresql://me@127.0.0.1:notaport/desk", 2, "a port between"),
    ],
)
def test_an_address_of_postgresql_that_leads_nowhere_is_told_in_one_line(
    paperdesk: Program, address: str, code: int, said: str
) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - it is refused
    cli = paperdesk.with_environment(DATABASE_URL=address)

    served, looked = cli("serve", "--host", everywhere, "--port", "0"), cli("doctor")

    assert served.code == code
    (line,) = served.err.splitlines()
    assert said in line
    assert looked.code == (1 if code == 4 else code)
    assert said in looked.out + looked.err
    assert "Traceback" not in looked.err


def test_the_doctor_makes_no_database(paperdesk: Program) -> None:
    result = paperdesk("doctor")

    assert result.code == 0
    assert "does not exist yet" in result.out
    assert list(paperdesk.folder.iterdir()) == []


def test_the_doctor_changes_no_byte_and_finds_nothing_wrong(paperdesk: Program) -> None:
    paperdesk("seed")
    before = {path: path.read_bytes() for path in paperdesk.folder.iterdir()}

    result = paperdesk("doctor")

    assert result.code == 0
    assert "quick_check ok" in result.out
    assert {path: path.read_bytes() for path in paperdesk.folder.iterdir()} == before


def test_the_doctor_tells_of_orphans_and_exits_1(paperdesk: Program) -> None:
    paperdesk("seed")
    with closing(sqlite3.connect(paperdesk.folder / "desk.db")) as connection, connection:
        connection.execute("UPDATE watchlist SET user_id = 'nobody'")

    result = paperdesk("doctor", "--json")

    assert result.code == 1
    (wrong,) = [each for each in json.loads(result.out)["checks"] if each["state"] == "problem"]
    assert wrong["name"] == "references"
    assert "watchlist" in wrong["found"]


def test_the_doctor_knows_a_damaged_file(paperdesk: Program) -> None:
    paperdesk("seed")
    path = paperdesk.folder / "desk.db"
    content = bytearray(path.read_bytes())
    content[4096:40960] = b"\xa5" * (40960 - 4096)
    path.write_bytes(content)

    result = paperdesk("doctor")

    assert result.code == 1
    assert "Restore it from a backup." in result.out
    assert result.err == ""


def test_the_schema_in_the_documentation_is_that_of_the_migrations(paperdesk: Program) -> None:
    result = paperdesk("schema")

    assert result.code == 0
    assert result.out == (ROOT / "docs" / "schema.sql").read_text()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(result.out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_learns_to_complete(paperdesk: Program, shell: str, tmp_path: Path) -> None:
    result = paperdesk("completion", shell)

    assert result.code == 0
    assert "portfolio" in result.out
    assert "watchlist" in result.out
    assert list(tmp_path.iterdir()) == []
