"""Real processes: what a user starts in a terminal, with nothing of the developer's around it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.program import Program, Result

ROOT: Final = Path(__file__).resolve().parents[2]
"""The repository."""


def alembic(*arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Result:
    """Run plain `alembic` as the README tells, and wait for it."""
    return Program(cwd, dict(env or {}), tuple(alembic_command()))(*arguments)


def alembic_command(*arguments: str) -> list[str]:
    """Return the command line of plain `alembic`."""
    return [sys.executable, "-m", "alembic", *arguments]


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python program that is given as text."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program beside the test; it has said its first line, and ends with the block."""
    with start(code, *arguments) as process:
        try:
            assert process.stdout
            if not process.stdout.readline():
                raise AssertionError(f"the program ended early: {process.communicate()[1]}")
            yield process
        finally:
            process.kill()


def go_at_once(processes: list[subprocess.Popen[str]]) -> None:
    """Wait until each program says `ready`, then let all of them go on in the same moment.

    Closing their standard input one after the other would run them one after the other.
    """
    for process in processes:
        assert process.stdout
        if (said := process.stdout.readline()) != "ready\n":
            raise AssertionError(f"it said {said!r}: {process.communicate()[1]}")
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def outcomes(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Wait for processes; return the exit code and both outputs of each."""
    results: list[tuple[int, str, str]] = []
    for process in processes:
        out, err = process.communicate(timeout=90)
        results.append((process.returncode, out, err))
    return results
