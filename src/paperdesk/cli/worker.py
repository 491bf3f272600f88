"""`paperdesk worker`: one more process that works on jobs, beside those that serve."""

import asyncio
import signal
from importlib import import_module
from typing import Any, Final

from paperdesk.cli.config import place
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.output import say
from paperdesk.clock import SystemClock
from paperdesk.logs import configure_logging
from paperdesk.settings import Settings, sqlite_path

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def worker() -> None:
    """Work on jobs until Ctrl-C or SIGTERM; the rows that are being booked are finished."""
    settings = Settings.load()
    if sqlite_path(settings.database_url):
        raise CommandFailed(
            "One process owns a SQLite file: `paperdesk serve` works on its jobs by itself. More "
            "workers need PostgreSQL.",
            Exit.USAGE,
        )
    configure_logging(settings.log_level)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    # By name: loading it takes long, and what is refused is refused before.
    desk: Any = import_module("paperdesk.desk").Desk(settings, SystemClock(), None)
    state: Any = import_module("starlette.datastructures").State()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    async with desk.running(state):
        say(f"Database: {place(settings)}")
        await desk.worker.started.wait()
        say("The worker is ready. Stop: Ctrl-C")
        await stopping.wait()
        desk.worker.stop()
        await desk.worker.stopped.wait()
