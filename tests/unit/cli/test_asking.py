"""What is asked before something is done that cannot be undone."""

import sys
from io import StringIO

import pytest

from paperdesk.cli.asking import confirm
from paperdesk.cli.failures import CommandFailed, Exit


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_answer_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("all\nnone\n"))

    confirm("Sure? ", "all", yes=False, what="close them")
    for _ in ("another word", "the end of the input"):
        with pytest.raises(CommandFailed, match="Nothing was changed") as refused:
            confirm("Sure? ", "all", yes=False, what="close them")
        assert refused.value.exit_code == Exit.USAGE

    # Standard output stays for JSON.
    assert capsys.readouterr() == ("", 3 * "Sure? ")


def test_a_script_says_yes_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("all\n"))

    confirm("Sure? ", "all", yes=True, what="close them")
    with pytest.raises(CommandFailed, match="Say --yes to close them"):
        confirm("Sure? ", "all", yes=False, what="close them")
