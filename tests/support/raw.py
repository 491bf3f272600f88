"""Requests byte by byte, as no client library sends them, and what a process uses meanwhile."""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit


def connected(url: str) -> socket.socket:
    """Return a connection to a desk."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def exchange(url: str, request: bytes) -> bytes:
    """Send a request, and return what comes back until the desk hangs up or is silent."""
    with connected(url) as connection:
        connection.settimeout(1)
        connection.sendall(request)
        answer = b""
        with suppress(TimeoutError, ConnectionError):
            while part := connection.recv(65_536):
                answer += part
        return answer


def pour(url: str, head: bytes, part: bytes, most: int) -> tuple[bytes, int]:
    """Send the head, then the part again and again until the desk has had enough.

    Return what it answered and how many bytes it took.
    """
    sent = 0
    answer = b""
    with connected(url) as connection:
        with suppress(ConnectionError, TimeoutError):
            connection.sendall(head)
            deadline = time.monotonic() + 30
            while sent < most and time.monotonic() < deadline:
                sent += connection.send(part)
        with suppress(ConnectionError, TimeoutError):
            answer = connection.recv(65_536)
    return answer, sent


def resident(pid: int) -> int:
    """Return how many bytes of memory a process uses."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
