"""Exit codes and the line that tells why."""

import pytest

from paperdesk.cli import main
from paperdesk.cli.failures import EXIT_CODES, CommandFailed, Exit, complain, exit_code, sentence
from paperdesk.errors import Busy, DatabaseHeld, DatabaseUnusable, SettingsError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandFailed("x", Exit.NO_DESK), 5),
        (DatabaseUnusable("x"), 4),
        (ModuleNotFoundError("x", name="asyncpg"), 4),
        (DatabaseHeld("x"), 3),
        (SettingsError("x"), 2),
        (Busy("x"), 1),
        (ValueError("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain(DatabaseHeld("The file\n  is held\x1b[0m."))

    assert capsys.readouterr().err == "paperdesk: The file is held[0m.\n"


def test_a_missing_driver_is_told_with_what_to_install() -> None:
    assert "paperdesk[postgres]" in sentence(ModuleNotFoundError("x", name="asyncpg"))


def test_an_unexpected_error_is_named() -> None:
    assert sentence(ValueError("odd")) == "Unexpected ValueError: odd"


def test_an_unexpected_error_comes_with_a_hint_and_others_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert complain(KeyError("odd")) is Exit.REFUSED
    assert complain(ModuleNotFoundError("x", name="asyncpg")) is Exit.UNUSABLE

    unexpected, expected = capsys.readouterr().err.splitlines()
    assert unexpected.startswith("paperdesk: Unexpected KeyError: 'odd' ")
    assert "PAPERDESK_LOG_LEVEL=debug" in unexpected
    assert "PAPERDESK_LOG_LEVEL" not in expected


@pytest.mark.parametrize("level", ["info", "debug"])
def test_whatever_a_command_raises_ends_in_one_line_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr("paperdesk.cli.app", broken)
    monkeypatch.setenv("PAPERDESK_LOG_LEVEL", level)

    with pytest.raises(SystemExit) as ended:
        main()

    *traceback, line = capsys.readouterr().err.splitlines()
    assert ended.value.code == Exit.REFUSED
    assert bool(traceback) == (level == "debug")
    assert line.startswith("paperdesk: Unexpected ZeroDivisionError: odd")


def test_help_lists_every_exit_code() -> None:
    assert all(f"\n  {code.value}  " in EXIT_CODES for code in Exit)
