"""Watching a job: a bar with rows, rate, failures and the time left, on a terminal."""

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from paperdesk.cli.client import Desk
from paperdesk.cli.job_table import Job

_PATIENCE: Final = 30
"""Seconds for which a desk that went away is waited for."""
_MINUTE: Final = 60

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
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, said="")
        yield lambda job: bar.update(
            task,
            description=job.status if job.status != "running" else job.phase,
            completed=job.processed_rows if job.steps_total is None else job.steps_done,
            total=job.total_rows if job.steps_total is None else job.steps_total,
            said=_said(job),
        )


def _said(job: Job) -> str:
    said = [f"{job.failed_rows:,} failed"]
    if job.rate is not None:
        said.insert(0, f"{job.rate:,.0f}/s")
    if job.seconds_left is not None:
        minutes, seconds = divmod(job.seconds_left, _MINUTE)
        said.append(f"{minutes}:{seconds:02} left")
    return ", ".join(said)
