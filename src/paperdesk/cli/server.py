"""The HTTP server of `paperdesk serve`: uvicorn, ended and started our way.

It ends the streams before it waits for open connections, exits 0 on SIGTERM and Ctrl-C, and gives
back the error of a start-up that failed instead of printing a traceback.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator, MutableMapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from paperdesk.cli.failures import Exit
from paperdesk.cli.protocol import LimitedProtocol

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_COLLECT_AFTER: Final = 10_000
"""New objects until the collector looks; Python's own 700 means several times in each batch."""
_log = logging.getLogger("uvicorn.error")


class StartupWatch:
    """The application, with a look at what its start-up raises."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and keep the error of a lifespan."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return

        async def without_traceback(message: MutableMapping[str, Any]) -> None:
            # uvicorn would print the traceback that Starlette puts in here.
            await send({name: value for name, value in message.items() if name != "message"})

        try:
            await self.app(scope, receive, without_traceback)
        except BaseException as error:
            self.error = error
            raise


class DeskServer(uvicorn.Server):
    """uvicorn that ends the desk's streams first, and exits 0 when it is told to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle the signals; unlike uvicorn, do not raise them again afterwards."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the second time, by force."""
        if self.should_exit and not self.started:
            # Start-up waits for something, perhaps in a thread that would outlive a polite exit.
            os._exit(Exit.REFUSED)
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, quietly where it fails: the caller tells why, in one line."""
        level = _log.level
        _log.setLevel(logging.CRITICAL)
        try:
            await super().startup(sockets)
        finally:
            _log.setLevel(level)
        if not self.should_exit:
            _spare_the_collector()
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then wait for what is being answered, then close the desk."""
        desk = getattr(self._app.state, "desk", None)
        if desk is not None:
            desk.stop_streams()
        await super().shutdown(sockets)


def run(app: FastAPI, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve on the socket until told to stop. Raises what start-up raised, or closing the desk."""
    _log.addFilter(_is_news)
    if _log.getEffectiveLevel() == logging.INFO:
        _log.setLevel(logging.WARNING)
    watch = StartupWatch(app)
    config = uvicorn.Config(
        watch,
        http=LimitedProtocol,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Nothing here asks where a request came from.
        proxy_headers=False,
        # What is half sent may come in that time; five seconds are promised for the whole stop.
        timeout_graceful_shutdown=3,
        timeout_keep_alive=5,
        workers=1,
    )
    try:
        DeskServer(config, app, ready).run([listener])
    except SystemExit:
        if watch.error is None:
            raise
    if watch.error is not None:
        raise watch.error


def _spare_the_collector() -> None:
    """Keep what start-up made out of every later garbage collection, and collect less often.

    Nearly all of it lives as long as the process. To look through it again and again took a fifth
    of the writer's time, in pauses of a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def phase(app: FastAPI) -> str:
    """Return what start-up is doing: `app.state.phase`, where the application says so."""
    return str(getattr(app.state, "phase", "opening the database"))


def _is_news(record: logging.LogRecord) -> bool:
    # A request cut off at the end of a stop, about which uvicorn has said a line already.
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)
