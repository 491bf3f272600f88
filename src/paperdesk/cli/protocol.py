"""uvicorn's fast HTTP protocol with a limit on what comes outside of bodies."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LIMIT: Final = 64 * 1024
"""Bytes of a request line and headers, or of trailers, that a request may have."""

_PIECE: Final = 16 * 1024
"""Bytes that the parser gets at once. So much more than the limit may pass."""

_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: 36\r\n"
    b"connection: close\r\n\r\n"
    b"The headers may have 64 KiB at most."
)


class LimitedProtocol(HttpToolsProtocol):
    """Refuses endless headers, which the parser would collect in memory."""

    _outside = 0
    """Bytes since headers or a part of a body were complete."""

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

    def on_headers_complete(self) -> None:
        """Count anew, and go on."""
        self._outside = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count anew, and go on."""
        self._outside = 0
        super().on_body(body)

    def _refuse(self) -> None:
        # Into the middle of another answer it would be taken for a part of that.
        if not self.cycle or self.cycle.response_complete:
            self.transport.write(_REFUSAL)
        self.transport.close()
