"""The documentation is true: its commands and programs are run, its lists are compared."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy

import paperdesk.models as schema
from paperdesk.errors import (
    DatabaseHeld,
    DatabaseUnusable,
    InvalidRequest,
    PaperdeskError,
    Refused,
    SettingsError,
)
from paperdesk.imports.model import Question, UnreadableFile
from paperdesk.jobs.kinds import AlreadyDone, NothingToDo
from paperdesk.settings import Settings, env_name
from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.model import Understood
from support.processes import ROOT
from support.program import Program

DOCS = ROOT / "docs"
WARNINGS = ["-W", "error"]
if sqlalchemy.__version__.startswith("2.0."):
    # It leaves the connection of a cancelled task to the garbage collector, which warns.
    WARNINGS += ["-W", "ignore:<aiosqlite:ResourceWarning"]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
ADDRESS = "http://127.0.0.1:8000"
POSTGRESQL = "postgresql://paperdesk:secret@localhost/paperdesk"
READY = re.compile(r"Paperdesk is ready at (\S+) ")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block of a page."""
    return FENCE.findall(page.read_text())


def commands(block: str) -> list[list[str]]:
    """Return the commands of a `sh` block, split into words as a shell does."""
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who types what stands in the documentation, with a running desk."""

    url: str
    program: Program

    def types(self, words: list[str]) -> str:
        """Run one command, which must succeed or be an answered problem, and return its output."""
        if words[0] == "curl":
            return self._curl(words[1:])
        assert words[0] in {"paperdesk", ".venv/bin/paperdesk"}
        result = self.program(*words[1:], PAPERDESK_URL=self.url)
        assert (result.code, result.err) == (0, "")
        return result.out

    def _curl(self, words: list[str]) -> str:
        """Send what curl would send: not every machine that runs the tests has one."""
        method, url, body = None, "", None
        headers = {}
        rest = iter(words)
        for word in rest:
            match word:
                case "-s":
                    pass
                case "-X":
                    method = next(rest)
                case "-H":
                    name, _, value = next(rest).partition(":")
                    headers[name] = value.strip()
                case "-d":
                    body = next(rest)
                    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
                case _:
                    assert word.startswith(ADDRESS)
                    url = self.url + word.removeprefix(ADDRESS)
        method = method or ("GET" if body is None else "POST")
        return httpx2.request(method, url, headers=headers, content=body, timeout=10).text


@pytest.fixture
def reader(paperdesk: Program) -> Iterator[Reader]:
    """A reader with a fresh desk."""
    process = paperdesk.start("serve", "--port", "0", "--log-level", "warning")
    try:
        assert process.stdout
        url = next((match[1] for line in process.stdout if (match := READY.match(line))), None)
        assert url, process.communicate()[1]
        yield Reader(url, paperdesk)
    finally:
        process.kill()
        process.communicate()


def shape(value: Any) -> Any:
    """Return what a client relies on: the names, and of which kind each value is."""
    match value:
        case dict():
            return {name: shape(member) for name, member in value.items()}
        case list():
            return [shape(value[0])] if value else []
        case bool() | None:
            return str(value)
        case int() | float():
            return "number"
        case _:
            return "text"


def test_first_trade_of_the_readme_leaves_ten_shares_each_way(reader: Reader) -> None:
    over_http, by_command = (text for kind, text in blocks(ROOT / "README.md") if kind == "sh")

    price, bought, portfolio = (json.loads(reader.types(line)) for line in commands(over_http))
    shown, told, table = (reader.types(line) for line in commands(by_command))

    assert price["ticker"] == "AAPL"
    assert (bought["trade"]["side"], bought["trade"]["quantity"]) == ("buy", 10)
    assert [(p["ticker"], p["quantity"]) for p in portfolio["positions"]] == [("AAPL", 10)]
    assert "AAPL" in shown
    assert told.startswith("Bought 10 AAPL at ")
    assert re.search(r"^AAPL +20 ", table, re.MULTILINE)


def test_quick_start_can_be_followed(reader: Reader) -> None:
    outputs = [
        reader.types(line)
        for kind, text in blocks(DOCS / "quickstart.md")
        if kind == "sh"
        for line in commands(text)
    ]

    portfolio = json.loads(outputs[-1])
    held = {position["ticker"]: position["quantity"] for position in portfolio["positions"]}
    assert held == {"AAPL": 6, "MSFT": 0.5}


def test_answers_in_the_http_page_have_the_shape_of_real_ones(reader: Reader) -> None:
    documented, real = [], []
    found = blocks(DOCS / "http.md")

    for (kind, command), (answer_kind, answer) in pairwise([*found, ("", "")]):
        if kind == "sh":
            (line,) = commands(command)
            text = reader.types(line)
            if answer_kind == "json":
                documented.append(shape(json.loads(answer)))
                real.append(shape(json.loads(text)))

    assert len(documented) > 5
    assert real == documented


def test_security_page_makes_a_key_and_opens_the_desk_with_it(reader: Reader) -> None:
    first, *rest = (
        line
        for kind, text in blocks(DOCS / "security.md")
        if kind == "sh"
        for line in commands(text)
    )

    found = re.search(r"pd_\S{61}", reader.types(first))
    assert found
    answers = [
        json.loads(reader.types([word.replace("$PAPERDESK_API_KEY", found[0]) for word in line]))
        for line in rest
    ]

    portfolio, bot = answers
    assert portfolio["cash_balance"] == 10000
    assert (bot["scopes"], bot["account_id"]) == (["trade"], "default")


SECRETS = {
    "TOKEN": re.compile(r"/hooks/([A-Za-z0-9_-]{43})"),
    "WEBHOOK_ID": re.compile(r"^The webhook .* \(([0-9a-f-]{36})\)", re.MULTILINE),
    "SIGNAL_ID": re.compile(r'"signal_id":"([0-9a-f]{64})"'),
    "whsec_…": re.compile(r"(whsec_[0-9a-f]{64})"),
}
"""What the page on webhooks calls what a reader finds in the answers."""


def test_webhooks_page_can_be_followed_and_its_senders_sign(reader: Reader) -> None:
    if not (shutil.which("openssl") and shutil.which("curl")):
        pytest.skip("the example for a shell needs openssl and curl")
    interpreters = {"python": [sys.executable, *WARNINGS, "-c"], "bash": ["bash", "-c"]}
    known: dict[str, str] = {}
    checked: list[str] = []

    for (kind, text), (_, answer) in pairwise([*blocks(DOCS / "webhooks.md"), ("", "")]):
        program = text
        for name, value in known.items():
            program = program.replace(name, value)
        if kind == "sh":
            told = "".join(reader.types(line) for line in commands(program))
            for name, pattern in SECRETS.items():
                if found := pattern.search(told):
                    known.setdefault(name, found[1])
            if told.startswith("{"):
                assert shape(json.loads(told)) == shape(json.loads(answer))
                checked.append(kind)
        elif kind in interpreters:
            done = subprocess.run(
                [*interpreters[kind], program.replace(ADDRESS, reader.url)],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert (done.stdout, done.stderr) == (answer, "")
            checked.append(kind)

    assert checked == ["sh", "python", "bash"]
    shown = json.loads(reader.types(["paperdesk", "signals", "--json"]))
    assert [one["understood"]["intent"] for one in shown][:2] == ["sell", "buy"]
    assert len(shown) == 4
    assert reader.types(["paperdesk", "killswitch"]).startswith("Off")


def test_a_message_for_tradingview_in_the_webhooks_page_is_understood() -> None:
    (message,) = (
        text for kind, text in blocks(DOCS / "webhooks.md") if text.startswith('{"ticker": "{{')
    )
    filled = message.replace("{{ticker}}", "AAPL").replace("{{timenow}}", "2026-11-22T14:30:00Z")

    (said,) = read_body(filled.encode()).signals

    assert isinstance(said, Understood)
    assert (said.intent, said.ticker, said.carries_time) == ("buy", "AAPL", True)


def test_programs_in_the_python_page_print_what_it_says(tmp_path: Path, postgres_url: str) -> None:
    found = blocks(DOCS / "python.md")
    server = postgres_url.replace("+asyncpg", "")
    programs = 0

    for (kind, program), (next_kind, output) in pairwise(found):
        if kind != "python":
            continue
        done = subprocess.run(
            [sys.executable, *WARNINGS, "-c", program.replace(POSTGRESQL, server)],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        programs += 1
        assert (next_kind, done.stdout, done.stderr) == ("text", output, "")

    assert programs == sum(kind == "python" for kind, _ in found)
    assert (tmp_path / "desk.db").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = [match["target"].partition("#")[0] for match in LINK.finditer(page.read_text())]
    local = [target for target in targets if target and "://" not in target]

    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {match["target"] for match in LINK.finditer((ROOT / "README.md").read_text())}

    assert {str(page.relative_to(ROOT)) for page in PAGES} - linked == {"README.md"}


def test_configuration_names_exactly_the_settings_with_their_defaults() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| ([^|]+) \|", (DOCS / "configuration.md").read_text(), re.MULTILINE
    )

    plain = {
        env_name(name): "none" if field.default in {None, ()} else f"`{field.default}`"
        for name, field in Settings.model_fields.items()
        if name != "database_url"
    }
    said = dict(rows)
    assert "paperdesk/paperdesk.db" in said.pop("DATABASE_URL")
    assert len(rows) == len(said) + 1
    assert {name: value.lower() for name, value in said.items()} == {
        name: value.lower().replace(".0`", "`") if "http" not in value else value
        for name, value in plain.items()
    }


def test_http_page_names_exactly_the_error_codes() -> None:
    def codes(error: type[PaperdeskError]) -> Iterator[tuple[str, str]]:
        if error not in {SettingsError, DatabaseUnusable, DatabaseHeld}:
            yield (str(error.status), error.code)
        for child in error.__subclasses__():
            yield from codes(child)

    # A class is known once its module is: all others have the app's modules below them.
    assert {Question, UnreadableFile} <= set(InvalidRequest.__subclasses__())
    assert {NothingToDo} <= set(Refused.__subclasses__())
    assert {AlreadyDone} <= set(NothingToDo.__subclasses__())
    said = re.findall(
        r"^\| (\d{3}) \| `([A-Z_]+)` \|", (DOCS / "http.md").read_text(), re.MULTILINE
    )

    assert sorted(said) == sorted(set(codes(PaperdeskError)))


def test_architecture_shows_the_layers_that_are_enforced() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    enforced = settings["tool"]["importlinter"]["contracts"][0]["layers"]

    (shown,) = (text for kind, text in blocks(DOCS / "architecture.md") if kind == "layers")

    assert shown.splitlines() == enforced


def test_python_page_names_every_model_and_enum() -> None:
    text = (DOCS / "python.md").read_text()

    classes = [name for name in schema.__all__ if isinstance(getattr(schema, name), type)]
    assert [name for name in classes if f"`{name}`" not in text and name != "Base"] == []
