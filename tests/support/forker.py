"""The other end of `support.forking`: imports all of the desk, then forks whenever it is asked.

`python -m support.forker ADDRESS` listens there until its standard input is closed.
"""

import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Final

NUMBER: Final = struct.Struct("=q")
"""The size of a request, and both answers to it: the process, and how it ended."""

_BESIDE: Final = (
    "alembic.autogenerate",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
)
"""What is imported by its name when a desk starts."""


def main(address: str) -> tuple[str, list[str]] | None:
    """Serve requests; in a fork, return the module to run and its arguments."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(128)
        _import_all()
        os.write(1, b"ready\n")
        # The system buries the forks in between; their own children they wait for.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return None
            line, _ = listener.accept()
            with line:
                if os.fork() == 0:
                    listener.close()
                    return _keep(line)


def _import_all() -> None:
    import paperdesk  # noqa: PLC0415 - the socket is there first

    for module in pkgutil.walk_packages(paperdesk.__path__, "paperdesk."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            import_module(module.name)
    for name in _BESIDE:
        import_module(name)
    gc.collect()
    gc.freeze()


def _keep(line: socket.socket) -> tuple[str, list[str]]:
    """Fork the process that was asked for, wait for it and tell; return only in that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, outputs, _, _ = socket.recv_fds(line, NUMBER.size, 2)
    [size] = NUMBER.unpack(head)
    request = b""
    while len(request) < size:
        request += line.recv(size - len(request))
    module, arguments, folder, environment = json.loads(request)
    process = os.fork()
    if process == 0:
        line.close()
        _become(folder, environment, outputs)
        return module, arguments
    for output in outputs:
        os.close(output)
    # Killed before it could be told of, it is told of all the same.
    line.sendall(NUMBER.pack(process))
    _, status = os.waitpid(process, 0)
    with suppress(BrokenPipeError):  # Nobody may wait for it any more.
        line.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(folder: str, environment: dict[str, str], outputs: list[int]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, opened in enumerate([nothing, *outputs]):
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )


if __name__ == "__main__" and (asked := main(sys.argv[1])):
    sys.argv[1:] = asked[1]
    runpy.run_module(asked[0], run_name="__main__", alter_sys=True)
