"""`paperdesk serve`: run a desk in this process until it is told to stop.

This module is light on purpose: what can be refused is refused before the application is loaded.
"""

import logging
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter, validators

from paperdesk.cli.client import url_of
from paperdesk.cli.config import place
from paperdesk.cli.failures import CommandFailed, Exit, complain
from paperdesk.cli.output import say
from paperdesk.logs import configure_logging
from paperdesk.settings import Settings, is_loopback

BACKLOG: Final = 2048
_QUIET: Final = 2.5
"""Seconds of starting after which it says what it is doing."""

Port = Annotated[
    int | None,
    Parameter(
        validator=validators.Number(gte=0, lte=65535),
        help="The port; 0 takes a free one. Default: PAPERDESK_PORT, else 8000.",
    ),
]


def serve(
    *,
    host: Annotated[
        str | None, Parameter(help="Where to listen. Default: PAPERDESK_HOST, else 127.0.0.1.")
    ] = None,
    port: Port = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        Parameter(help="How much to log, on standard error. Default: PAPERDESK_LOG_LEVEL."),
    ] = None,
) -> int:
    """Run the desk until Ctrl-C or SIGTERM."""
    started = time.monotonic()
    given = {"host": host, "port": port, "log_level": log_level}
    settings = Settings.load().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    configure_logging(settings.log_level)
    if not may_listen(settings.host, has_key=False) and not may_listen(
        settings.host, has_key=_has_key(settings)
    ):
        raise CommandFailed(
            f"Refusing to listen on {settings.host}: anybody who reaches it could trade, and this "
            "desk has no API key with the scope admin. Make one with `paperdesk key create NAME`, "
            "or listen on 127.0.0.1.",
            Exit.USAGE,
        )
    listener = listen(settings.host, settings.port)
    address = url_of(settings.host, listener.getsockname()[1])
    say(f"Database: {place(settings)}")
    progress = Progress(started)

    def ready() -> None:
        progress.stop()
        say(f"Paperdesk is ready at {address} ({time.monotonic() - started:.1f} s)")
        trade = f"{_prefix(address)}{_command()} buy AAPL 10"
        say(f"Trade: {trade}   Help: {address}/docs   Stop: Ctrl-C")

    try:
        with listener, progress.shown():
            # By name, as `uvicorn module:app` does: loading it takes longer than all of the above.
            server: Any = import_module("paperdesk.cli.server")
            app: Any = import_module("paperdesk.app").create_app(settings)
            progress.doing = partial(server.phase, app)
            server.run(app, listener, ready)
    except Exception as error:
        logging.getLogger(__name__).debug("start-up failed", exc_info=error)
        return complain(error)
    say("Paperdesk has stopped.")
    return Exit.OK


def may_listen(host: str, *, has_key: bool) -> bool:
    """Say whether a desk may listen there: beyond this machine only with an API key."""
    return has_key or is_loopback(host)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, so that a port in use is known before anything starts."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # `localhost` has both: clients try IPv4 in any case.
        family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise CommandFailed(
            f"Port {port} on {host} cannot be used: {error.strerror}. Is a desk running there "
            "already? Choose another port with --port.",
            Exit.REFUSED,
        ) from error
    return listener


class Progress:
    """Says on standard error what a slow start is doing."""

    def __init__(self, started: float) -> None:
        self.doing: Callable[[], str] | None = None
        self._started = started
        self._over = threading.Event()

    def stop(self) -> None:
        """Say nothing more."""
        self._over.set()

    @contextmanager
    def shown(self) -> Generator[None]:
        """Speak up while the block runs, until `stop`."""
        # A thread, because a start-up step may keep the event loop busy.
        threading.Thread(target=self._speak, daemon=True).start()
        try:
            yield
        finally:
            self.stop()

    def _speak(self) -> None:
        wait = max(0.0, _QUIET - (time.monotonic() - self._started))
        while not self._over.wait(wait):
            doing = self.doing() if self.doing else "loading the program"
            passed = time.monotonic() - self._started
            sys.stderr.write(f"Still starting ({passed:.1f} s): {doing} ...\n")
            sys.stderr.flush()
            wait = _QUIET


def _has_key(settings: Settings) -> bool:
    reading: Any = import_module("paperdesk.cli.reading")
    return bool(reading.has_key(settings.database_url))


def _command() -> str:
    """Return what a person types here to run the program: its path, where no PATH leads to it."""
    typed = Path(sys.argv[0])
    is_the_command = typed.name == "paperdesk" and not shutil.which("paperdesk")
    return str(typed) if is_the_command else "paperdesk"


def _prefix(address: str) -> str:
    return "" if address == Settings.model_fields["url"].default else f"PAPERDESK_URL={address} "
