"""The examples in docs/signals.md, read as the table says."""

from pathlib import Path

import pytest

from paperdesk.signals.reading.model import Form
from support.alerts import understood

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"


def examples() -> list[tuple[str, str]]:
    table = PAGE.read_text().partition("| form | example |")[2].partition("\n\n")[0]
    rows = [line.replace(r"\|", "\0").strip("|").split("|") for line in table.splitlines()[2:]]
    return [
        (example.replace("\0", "|").strip(" `"), meaning.strip(" `"))
        for _, example, meaning in rows
    ]


@pytest.mark.parametrize(("example", "intent"), examples())
def test_example_is_understood_as_the_page_says(example: str, intent: str) -> None:
    assert understood(example).intent == intent


def test_every_form_has_an_example() -> None:
    assert {understood(example).form for example, _ in examples()} == set(Form)
