"""Server processes: started on a free port, looked at from outside, stopped again."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.failures import Failed
from bench.rivals import READY

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "bench"
"""Where results and big databases stay. On the disk of the checkout: a memory disk has no fsync."""

_DESK_READY = "Paperdesk is ready at"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves."""

    url: str
    process: subprocess.Popen[str]

    def resident(self) -> float:
        """Return how much memory it holds, in MB (RSS); 0 where the system does not tell."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0.0
        return next(
            int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")
        )

    def cpu(self) -> float:
        """Return the seconds of processor time it has used; 0 where the system does not tell."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return 0.0
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS

    def loop_cpu(self) -> float:
        """Return the seconds that its first thread, which runs the event loop, has used."""
        pid = self.process.pid
        try:
            return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9
        except OSError:
            return 0.0


@contextmanager
def scratch() -> Generator[Path]:
    """Give a folder on the disk that is measured, removed at the end."""
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=BUILD))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def desk(database: str | Path, **settings: str) -> Generator[Server]:
    """Run the real `paperdesk serve` on a database; stopped with SIGTERM, which must exit 0."""
    command = ["-m", "paperdesk", "serve", "--port", "0", "--log-level", "warning"]
    with _running(command, environment(database, **settings), _DESK_READY) as server:
        yield server
    if server.process.returncode:
        raise Failed(f"paperdesk serve ended with {server.process.returncode}.")


@contextmanager
def desk_on(port: int, database: str | Path) -> Generator[subprocess.Popen[str]]:
    """Run a desk on a port without waiting until it is ready."""
    command = [sys.executable, "-m", "paperdesk", "serve", "--port", str(port)]
    with process(command, environment(database)) as started:
        yield started


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def rival(application: str, **settings: str) -> Generator[Server]:
    """Run an application of `bench.rivals` as the desk is run."""
    command = ["-m", "bench.rivals.serve", f"bench.rivals.{application}"]
    with _running(command, dict(os.environ) | settings, READY) as server:
        yield server


def environment(database: str | Path, **settings: str) -> dict[str, str]:
    """Return the environment of a desk on a database: nothing of the person who measures."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PAPERDESK_") and name != "DATABASE_URL"
    }
    return kept | {"DATABASE_URL": str(database)} | settings


def paperdesk(database: str | Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the desk to its end."""
    return subprocess.run(
        [sys.executable, "-m", "paperdesk", *arguments],
        cwd=BUILD,
        env=environment(database),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def process(
    command: Sequence[str | Path], variables: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[str]]:
    """Run a process while the block lasts; its errors are kept in a file, and shown if it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        started = subprocess.Popen(
            command,
            cwd=BUILD,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield started
        except BaseException:
            errors.seek(0)
            sys.stderr.write(errors.read()[-4000:])
            raise
        finally:
            started.terminate()
            try:
                started.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                started.kill()
                started.communicate()


@contextmanager
def _running(command: Sequence[str], variables: dict[str, str], ready: str) -> Generator[Server]:
    variables["PYTHONPATH"] = str(ROOT)
    with process([sys.executable, *command], variables) as started:
        yield Server(_address(started, ready), started)


def _address(started: subprocess.Popen[str], ready: str) -> str:
    assert started.stdout
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (line := started.stdout.readline()):
        if line.startswith(ready):
            return line.removeprefix(ready).split()[0]
    raise Failed(f"{started.args} did not get ready.")
