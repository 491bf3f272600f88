"""A desk that really serves: `paperdesk serve` in a process of its own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.program import Process, Program

READY = re.compile(r"Paperdesk is ready at (http://127\.0\.0\.1:\d+) \(\d+\.\d s\)")


class Served:
    """A desk that is ready."""

    def __init__(self, process: Process, url: str, log: Path | None = None) -> None:
        self.process = process
        self.url = url
        self._log = log

    @property
    def errors(self) -> str:
        """What it said on standard error, where that has a log of its own."""
        return self._log.read_text() if self._log else ""


@contextmanager
def serving(paperdesk: Program) -> Iterator[Served]:
    """Serve on a free port; the block starts when the desk is ready."""
    process = paperdesk.start("serve", "--port", "0", "--log-level", "warning")
    try:
        yield Served(process, ready_at(process))
    finally:
        process.kill()
        process.communicate()


def ready_at(process: Process, log: Path | None = None) -> str:
    """Wait until the desk says where it is."""
    assert process.stdout
    for line in process.stdout:
        if found := READY.match(line):
            return found[1]
    _, errors = process.communicate()
    raise AssertionError(f"the desk did not start: {log.read_text() if log else errors}")


def complaints(errors: str) -> list[str]:
    """Return what standard error says, without the progress of a start on a busy machine."""
    return [line for line in errors.splitlines() if not line.startswith("Still starting")]
