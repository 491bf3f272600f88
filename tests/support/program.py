"""The `paperdesk` command as a user runs it: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from support.forking import ForkedProcess, can_fork

COMMAND = (sys.executable, "-m", "paperdesk")


class Process(Protocol):
    """What the tests use of `subprocess.Popen`."""

    pid: int
    returncode: int | Any
    stdout: IO[str] | None
    stderr: IO[str] | None

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
        /,
    ) -> None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def communicate(self, *, timeout: float | None = None) -> tuple[str, Any]: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


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
        with self._started(arguments, more, None) as process:
            try:
                out, err = process.communicate(timeout=60)
            except BaseException:
                process.kill()
                raise
        return Result(process.wait(), out, err or "")

    def start(self, *arguments: str, log: Path | None = None, **more: str) -> Process:
        """Start a command that goes on; the caller ends it.

        Give a `log` for what it says on standard error, where that may be much: a process stands
        still whose pipe nobody reads.
        """
        if log is not None:
            with log.open("w") as errors:
                return self._started(arguments, more, errors)
        return self._started(arguments, more, None)

    def _started(
        self, arguments: Sequence[str], more: Mapping[str, str], errors: IO[str] | None
    ) -> Process:
        environment = self._environment(more)
        if can_fork(self.command, environment):
            module = self.command[2]
            return ForkedProcess(module, arguments, self.folder, environment, errors)
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors or subprocess.PIPE,
            text=True,
        )

    def with_environment(self, **more: str) -> "Program":
        """Return the same program with further variables."""
        return replace(self, environment=self.environment | more)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return dict(os.environ) | self.environment | dict(more)
