"""The `paperdesk` command as a user runs it: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

COMMAND = (sys.executable, "-m", "paperdesk")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Program:
    """Runs `paperdesk` in a folder, with an environment."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    command: tuple[str, ...] = COMMAND

    def __call__(self, *arguments: str, **more: str) -> Result:
        """Run a command to its end; keywords are variables of the environment."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self._environment(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, log: Path | None = None, **more: str) -> subprocess.Popen[str]:
        """Start a command that goes on; the caller ends it.

        Give a `log` for what it says on standard error, where that may be much: a process stands
        still whose pipe nobody reads.
        """
        if log is not None:
            with log.open("w") as errors:
                return self._started(arguments, more, errors)
        return self._started(arguments, more, subprocess.PIPE)

    def _started(
        self, arguments: Sequence[str], more: Mapping[str, str], errors: IO[str] | int
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self._environment(more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def with_environment(self, **more: str) -> "Program":
        """Return the same program with further variables."""
        return replace(self, environment=self.environment | more)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return dict(os.environ) | self.environment | dict(more)
