"""What the figures were measured on."""

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from bench.servers import BUILD, ROOT
from paperdesk.clock import SystemClock

_SYNCS = 50


def facts() -> dict[str, Any]:
    """Return the machine, the versions, the commit, and how busy the machine is."""
    return {
        "measured_at": SystemClock().now().isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: version(name) for name in ("fastapi", "sqlalchemy", "uvicorn")},
        "fsync_ms": round(_fsync() * 1000, 3),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git is there
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _fsync() -> float:
    """Return how long it takes to append 4 KB and have it on the disk, in seconds."""
    BUILD.mkdir(parents=True, exist_ok=True)
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=BUILD) as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    return median(taken)
