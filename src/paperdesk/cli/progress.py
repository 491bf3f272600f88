"""How far a long command is: a bar on a terminal, and nothing elsewhere."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
