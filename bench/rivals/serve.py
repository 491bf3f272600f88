"""Serves an application as `paperdesk serve` does: uvicorn with uvloop and httptools, one process.

python -m bench.rivals.serve bench.rivals.empty:app
"""

import socket
import sys

import uvicorn

from bench.rivals import READY

BACKLOG = 2048


class Announced(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address."""
        await super().startup(sockets)
        if sockets:
            port = sockets[0].getsockname()[1]
            sys.stdout.write(f"{READY} http://127.0.0.1:{port}\n")
            sys.stdout.flush()


def main() -> None:
    """Serve the application named on the command line on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    config = uvicorn.Config(
        sys.argv[1],
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    Announced(config).run([listener])


if __name__ == "__main__":
    main()
