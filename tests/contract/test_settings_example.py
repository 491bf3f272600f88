"""`.env.example` is the reference of the settings, so it may not drift from them."""

import re
from pathlib import Path

import pytest

from paperdesk.settings import Settings, env_name
from support.processes import ROOT

EXAMPLE = ROOT / ".env.example"
ASSIGNMENT = re.compile(r"#(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")


def shown() -> dict[str, str]:
    """Return the names of the example with their values, as they stand there."""
    found = [ASSIGNMENT.fullmatch(line) for line in EXAMPLE.read_text().splitlines()]
    return {match["name"]: match["value"] for match in found if match}


def test_example_names_exactly_the_settings() -> None:
    names = [
        match["name"]
        for line in EXAMPLE.read_text().splitlines()
        if (match := ASSIGNMENT.fullmatch(line))
    ]
    assert sorted(names) == sorted(env_name(field) for field in Settings.model_fields)


def test_each_paragraph_of_the_example_begins_with_an_explanation() -> None:
    paragraphs = EXAMPLE.read_text().strip().split("\n\n")
    bare = [text for text in paragraphs if not re.match(r"# [A-Z\d].{20,}", text, re.IGNORECASE)]
    assert bare == []


def test_values_shown_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    defaults = Settings.load()
    (tmp_path / ".env").write_text("".join(f"{n}={v}\n" for n, v in shown().items()))
    assert Settings.load() == defaults


def test_no_default_is_left_out() -> None:
    empty = {name for name, value in shown().items() if not value}
    without = {
        env_name(name)
        for name, field in Settings.model_fields.items()
        if field.default_factory or field.default in (None, ())
    }
    assert empty == without


def test_nothing_is_set_by_copying_the_example() -> None:
    assert [line for line in EXAMPLE.read_text().splitlines() if line and line[0] != "#"] == []
