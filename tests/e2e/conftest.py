"""A program to run, and a desk for it to speak with."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fake_desk import FakeDesk, running_fake_desk
from support.program import Program


@pytest.fixture
def paperdesk(tmp_path: Path) -> Program:
    """The command, with its database in the test's folder and no desk where it looks for one."""
    return Program(
        tmp_path,
        {
            "DATABASE_URL": str(tmp_path / "desk.db"),
            "PAPERDESK_URL": "http://127.0.0.1:1",
            "XDG_DATA_HOME": str(tmp_path),
        },
    )


@pytest.fixture
def desk() -> Iterator[FakeDesk]:
    """A desk that answers what the test tells it."""
    with running_fake_desk() as desk:
        yield desk


@pytest.fixture
def cli(paperdesk: Program, desk: FakeDesk) -> Program:
    """The command, set up to speak with the fake desk."""
    return paperdesk.with_environment(PAPERDESK_URL=desk.url)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tell whoever asked for a number of rows how it went."""

    def say(text: str) -> None:
        if "JOB_ROWS" in os.environ:
            with capsys.disabled():
                sys.stdout.write(f"\n{text}\n")

    return say
