"""What a slow start says."""

import time

import pytest
from fastapi import FastAPI

from paperdesk.cli import serve, server
from paperdesk.cli.serve import Progress


def test_each_desk_has_its_own_phase() -> None:
    early, late = FastAPI(), FastAPI()
    late.state.phase = "asking for the first prices"

    assert server.phase(early) == "opening the database"
    assert server.phase(late) == "asking for the first prices"


def test_a_slow_start_says_what_it_is_doing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "_QUIET", 0.02)
    progress = Progress(time.monotonic())
    said = ""

    with progress.shown():
        progress.doing = lambda: "counting sheep"
        until = time.monotonic() + 5
        while "counting sheep ..." not in said and time.monotonic() < until:
            time.sleep(0.02)
            said += capsys.readouterr().err

    assert "counting sheep ...\n" in said
