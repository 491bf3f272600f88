"""Where the desk's time goes: py-spy beside a server under load, summed up by thread."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.load import drive
from bench.servers import Server, desk, scratch
from bench.trading import trader_of

_RATE = 400
_LINES = 25
_WAITS = ("futures/thread.py", "aiosqlite/core.py", "runners.py", "threading.py")


def profile(clients: int, seconds: float, *, gil: bool) -> str:
    """Return what each thread of a desk does while it books trades, as text.

    With `gil` only what ran Python is counted: what waits for the disk, the network or the other
    thread is left out, so the shares are those of the one core that Python has.
    """
    with scratch() as folder, desk(folder / "desk.db") as server:
        trader = trader_of(server)
        raw = folder / "raw.txt"
        drive(server.url, trader.ask, clients=clients, seconds=1)
        with _sampling(server, raw, seconds, gil=gil) as sampler:
            load = drive(server.url, trader.ask, clients=clients, seconds=seconds + 1)
            sampler.wait()
        title = f"{clients} clients, {load.all_good().rate:,.0f} trades/s while sampled\n"
        return title + _summary(raw)


def _sampling(server: Server, raw: Path, seconds: float, *, gil: bool) -> "subprocess.Popen[bytes]":
    sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if sampler is None:
        raise FileNotFoundError("There is no py-spy here: `make .venv-bench/.bench` installs it.")
    asked = ["--pid", str(server.process.pid), "--duration", str(max(1, round(seconds)))]
    shape = [
        "--rate",
        str(_RATE),
        "--format",
        "raw",
        "--threads",
        "--function",
        "--output",
        str(raw),
    ]
    if gil:
        shape.append("--gil")
    return subprocess.Popen([sampler, "record", *asked, *shape], stdout=subprocess.DEVNULL)


def _summary(raw: Path) -> str:
    busy: Counter[str] = Counter()
    own: dict[str, Counter[str]] = {}
    within: dict[str, Counter[str]] = {}
    for thread, frames, count in _samples(raw):
        if any(wait in frames[-1] for wait in _WAITS):
            continue
        busy[thread] += count
        own.setdefault(thread, Counter())[frames[-1]] += count
        for frame in set(frames):
            within.setdefault(thread, Counter())[frame] += count
    lines: list[str] = []
    for thread, total in busy.most_common():
        lines += ["", f"== {thread}: {total} busy samples, {total / busy.total():.0%}"]
        lines += ["own time:", *_shares(own[thread], total)]
        lines += ["with what it calls:", *_shares(_interesting(within[thread]), total)]
    return "\n".join(lines) + "\n"


def _samples(raw: Path) -> Iterator[tuple[str, list[str], int]]:
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if frames:
            yield thread.partition(": ")[2] or thread, frames, int(count)


def _interesting(frames: Counter[str]) -> Counter[str]:
    ours = {f: n for f, n in frames.items() if "paperdesk/" in f or "sqlalchemy/orm" in f}
    return Counter(ours)


def _shares(frames: Counter[str], total: int) -> list[str]:
    return [f"  {count / total:6.1%}  {frame}" for frame, count in frames.most_common(_LINES)]
