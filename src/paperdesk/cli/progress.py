"""How far a long command is: a bar on a terminal, and nothing elsewhere."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Show = Callable[[str, int, int], None]
"""Shows what is being done, how far it is, and of how many."""


@contextmanager
def progress() -> Generator[Show]:
    """Give what shows the progress on standard error; the bar goes away at the end."""
    if not sys.stderr.isatty():
        yield lambda _doing, _done, _total: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda doing, done, total: bar.update(
            task, description=doing, completed=done, total=total
        )


@contextmanager
def sending(total: int) -> Generator[Callable[[int], None]]:
    """Give what shows how many bytes of a file are sent; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("Sending", total=total)
        yield lambda done: bar.update(
            task,
            completed=done,
            description="Sending" if done < total else "The desk looks at it",
        )
