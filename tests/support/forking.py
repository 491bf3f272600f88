"""Processes of `paperdesk` that start in milliseconds: forks of one that has imported everything.

To import the desk takes seconds, and the tests start it a thousand times. So each process of the
tests has a forker (`support.forker`), which imports all modules, does nothing with them (nothing
happens at import), and forks for each request. The fork takes over the arguments, folder,
environment and outputs that were sent, and is from then on what `python -m paperdesk` would be.

A fork in between waits for it and tells how it ended: the process of the tests is not its parent.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Final, Self

from support.forker import NUMBER

_TESTS: Final = Path(__file__).resolve().parents[1]
_NEEDS_ANOTHER_START: Final = ("LANG", "LC_", "LD_", "PYTHON")
"""Variables that the loader and the interpreter read when they start."""


class ForkedProcess:
    """A process that runs a module, with what the tests use of `subprocess.Popen`."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        errors: IO[str] | None,
    ) -> None:
        reading, writing = os.pipe()
        self.stdout: IO[str] | None = os.fdopen(reading)
        self.stderr: IO[str] | None = None
        told = errors.fileno() if errors else -1
        if not errors:
            reading, told = os.pipe()
            self.stderr = os.fdopen(reading)
        self.returncode: int | Any = None
        self.args = [module, *arguments]
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(_forker())
        request = json.dumps([module, list(arguments), str(folder), dict(environment)]).encode()
        socket.send_fds(self._line, [NUMBER.pack(len(request))], [writing, told])
        self._line.sendall(request)
        os.close(writing)
        if not errors:
            os.close(told)
        [self.pid] = NUMBER.unpack(_exactly(self._line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes():
            pipe.close()
        self.wait()

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        try:
            return self.wait(timeout=0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its code: minus the signal where one killed it."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                [self.returncode] = NUMBER.unpack(_exactly(self._line))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._line.close()
        return self.returncode

    def communicate(self, *, timeout: float | None = None) -> tuple[str, Any]:
        """Read what it says until its end: on standard output, and on standard error."""
        said: dict[IO[str] | None, str] = {}

        def read(pipe: IO[str]) -> None:
            with pipe:
                said[pipe] = pipe.read()

        readers = [
            threading.Thread(target=read, args=(pipe,), daemon=True)
            for pipe in self._pipes()
            if not pipe.closed
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(timeout)
        return said.get(self.stdout, ""), said.get(self.stderr)

    def _pipes(self) -> list[IO[str]]:
        return [pipe for pipe in (self.stdout, self.stderr) if pipe]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it without a word."""
        self.send_signal(signal.SIGKILL)


def can_fork(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Say whether a fork is what the command would be: a module of Python as it was started."""
    return command[:2] == (sys.executable, "-m") and all(
        value in (os.environ.get(name), str(_TESTS) if name == "PYTHONPATH" else None)
        for name, value in environment.items()
        if name.startswith(_NEEDS_ANOTHER_START)
    )


@cache
def _forker() -> str:
    """Return the address of this process's forker, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="paperdesk-forker-")
    process = subprocess.Popen(
        [sys.executable, "-m", "support.forker", f"{folder.name}/s"],
        cwd=_TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    if not process.stdout.readline():
        raise AssertionError("the forker did not start")
    process.stdout.close()

    def end() -> None:
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    return f"{folder.name}/s"


def _exactly(line: socket.socket) -> bytes:
    # Sent in one piece, and so small that it comes in one.
    if not (read := line.recv(NUMBER.size)):
        raise AssertionError("the forker is gone")
    return read
