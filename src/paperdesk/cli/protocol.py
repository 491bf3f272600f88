"""uvicorn's fast HTTP protocol, with limits on what comes outside of bodies, and on slowness.

A request has ten seconds to arrive, headers and body. A form with a file may take as long as it
needs, if some of it comes in every ten seconds. How long an answer takes is no matter: streams go
on for ever.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LIMIT: Final = 64 * 1024
"""Bytes of a request line and headers, or of trailers, that a request may have."""

ARRIVAL: Final = 10.0
"""Seconds that a request may take to arrive."""

LEAST: Final = 10 * 1024
"""Bytes of a form that must come in that time."""

_FORM: Final = b"multipart/form-data"

_PIECE: Final = 16 * 1024
"""Bytes that the parser gets at once. So much more than the limit may pass."""

_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: 36\r\n"
    b"connection: close\r\n\r\n"
    b"The headers may have 64 KiB at most."
)


_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: 48\r\n"
    b"connection: close\r\n\r\n"
    b"The request did not arrive in 10 s. Send faster."
)


class LimitedProtocol(HttpToolsProtocol):
    """Refuses endless headers, which the parser would collect in memory."""

    _outside = 0
    """Bytes since headers or a part of a body were complete."""

    _timer: asyncio.TimerHandle | None = None
    """Ends the connection when what is on its way does not arrive."""

    _is_arriving = False

    _is_form = False

    _arrived = 0
    """Bytes of a form since it was looked at."""

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and answer 431 when headers do not end."""
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            self._outside += len(piece)
            super().data_received(piece)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self._outside > LIMIT:
                self._refuse()
                return
        if self._is_arriving and self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        """Have the request arrive in time: nearly all are here at once, and need no timer."""
        self._is_arriving = True
        self._stop_waiting()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count anew, and go on."""
        self._outside = self._arrived = 0
        self._is_form = any(
            name == b"content-type" and value.lower().startswith(_FORM)
            for name, value in self.headers
        )
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count anew, and go on."""
        self._outside = 0
        self._arrived += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is here."""
        self._is_arriving = self._is_form = False
        self._stop_waiting()
        super().on_message_complete()

    def _wait(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(ARRIVAL, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        is_moving = self._is_form and self._arrived >= LEAST
        if self.flow.read_paused or is_moving:
            # It is the desk that is slow, or a long file on its way.
            self._arrived = 0
            self._wait()
            return
        # Into the middle of another answer it would be taken for a part of that.
        if not self.cycle or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_SLOW)
        self.transport.close()

    def _refuse(self) -> None:
        # Into the middle of another answer it would be taken for a part of that.
        if not self.cycle or self.cycle.response_complete:
            self.transport.write(_REFUSAL)
        self.transport.close()
