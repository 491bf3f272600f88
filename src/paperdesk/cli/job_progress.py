"""Watching a job: a bar with rows or bytes, rate, failures and the time left, on a terminal."""

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
import msgspec
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn

from paperdesk.cli.client import Desk
from paperdesk.cli.job_table import Job

_PATIENCE: Final = 30
"""Seconds for which a desk that went away is waited for."""
_MINUTE: Final = 60
_DOING: Final = {
    "load": "Loading",
    "preview": "Estimating",
    "run": "Booking",
    "undo": "Taking back",
}
_RUNNING: Final = {"basket": "Booking", "import_trades": "Booking"}
"""What is done in the phase `run` by kinds that book."""

Enough = Callable[[Job], bool]


def watch(desk: Desk, path: str, enough: Enough = lambda _: False) -> Job:
    """Show how far a job is until it has ended, or until it is `enough`; return it then."""
    job = desk.get(path).read(Job)
    with _bar() as show:
        for job in _events(desk, path):
            show(job)
            if enough(job):
                break
    return job


def _events(desk: Desk, path: str) -> Iterator[Job]:
    """Give the job as it changes; when the desk goes away, wait for it to come back."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        reason: Exception = EOFError("it ended the stream")
        try:
            with desk.stream(f"{path}/stream") as events:
                for event in events:
                    job = msgspec.json.decode(event, type=Job)
                    deadline = time.monotonic() + _PATIENCE
                    yield job
                    if job.status in {"completed", "failed", "cancelled"}:
                        return
        except httpx2.TransportError as error:
            reason = error
        if time.monotonic() > deadline:
            raise desk.unreachable(reason)
        time.sleep(1)


@contextmanager
def _bar() -> Generator[Callable[[Job], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[far]}"),
        TextColumn("{task.fields[said]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, far="", said="")

        def show(job: Job) -> None:
            done, total = _far(job)
            shown = f"{_amount(job, done)} of {_amount(job, total)}"
            bar.update(
                task,
                description=_doing(job),
                completed=done,
                total=total,
                far=shown,
                said=_said(job),
            )

        yield show


def _doing(job: Job) -> str:
    """Return what is done with a job; where nothing is, its status."""
    if job.status not in {"pending", "running"} or job.phase not in _DOING:
        return job.status.capitalize()
    if job.phase == "run":
        return _RUNNING.get(job.kind, "Working") if job.status == "running" else "Waiting"
    return _DOING[job.phase]


def _far(job: Job) -> tuple[int, int]:
    """Return how far a job is, and of how much: in steps of its own where it says them."""
    if job.steps_done is None or job.steps_total is None:
        return job.processed_rows, job.total_rows
    return job.steps_done, job.steps_total


def _amount(job: Job, amount: int) -> str:
    """Return rows or steps as a number; those of a file that is loaded are bytes."""
    is_bytes = job.phase == "load" and job.steps_total is not None
    return decimal(amount) if is_bytes else f"{amount:,}"


def _said(job: Job) -> str:
    said = [f"{job.failed_rows:,} failed"]
    if job.rate is not None:
        said.insert(0, f"{_amount(job, round(job.rate))}/s")
    if job.seconds_left is not None:
        minutes, seconds = divmod(job.seconds_left, _MINUTE)
        said.append(f"{minutes}:{seconds:02} left")
    return ", ".join(said)
