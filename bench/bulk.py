"""A file of trades, booked by `paperdesk replay` and proven by `paperdesk verify`."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.failures import Failed
from bench.report import Figure, Part, say
from bench.servers import BUILD, environment, scratch
from bench.trading import TICKERS
from paperdesk.clock import SystemClock

ROWS = 300_000
_RATE_AIM = 30_000
"""Trades a second."""
_PROOF_AIM, _PROOF_OF = 60.0, 1_000_000
"""Seconds for that many trades."""
_SPAN = timedelta(days=365)
_COUNTS = """
SELECT (SELECT count(*) FROM trades),
       (SELECT count(DISTINCT sequence) FROM trades),
       (SELECT head_sequence - 1 FROM users_profile WHERE id = 'default'),
       (SELECT count(*) FROM positions)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ran to its end."""

    out: str
    seconds: float
    memory: float
    """The most it held at once, in MB."""


def bulk(count: int = ROWS) -> Part:
    """Replay a generated file into a fresh SQLite file, count, prove, and replay it again."""
    part = Part(
        "Replay and proof",
        f"a CSV of {count:,} trades of ten tickers by `paperdesk replay` into a fresh SQLite file, "
        "synchronous=FULL, one account; then `paperdesk verify` of them all; then the file again",
    )
    with scratch() as folder:
        database, file = folder / "desk.db", folder / "trades.csv"
        say(f"Writing a file of {count:,} trades")
        _write(file, count)
        _run(database, "migrate")
        first = _run(database, "replay", str(file), "--json")
        told = json.loads(first.out)
        _check(database, count, told)
        proof = _run(database, "verify")
        again = _run(database, "replay", str(file), "--json")
        if json.loads(again.out)["booked_before"] != count:
            raise Failed(f"Replayed again, the file was not known: {again.out}")
    scaled = proof.seconds * _PROOF_OF / count
    said = f"the {proof.seconds:.1f} s of {count:,}, scaled: not measured at a million"
    part.figures = [
        Figure("trades replayed", count / told["seconds"], "/s", aim=_RATE_AIM),
        Figure("whole command", first.seconds, "s", note="with its start and the first read"),
        Figure("memory of the replay, peak", first.memory, "MB"),
        Figure("the file again, all known", again.seconds, "s"),
        Figure("verify", proof.seconds, "s", note=f"{count / proof.seconds:,.0f} trades/s"),
        Figure("verify of a million", scaled, "s", aim=_PROOF_AIM, wish="at most", note=said),
        Figure("memory of verify, peak", proof.memory, "MB"),
    ]
    part.checks.append(
        f"{count:,} trades and sequence numbers = {count:,} rows, proven by paperdesk verify; "
        "replayed again, none was booked"
    )
    return part


def _write(file: Path, count: int) -> None:
    """Write trades that can always be booked: each ticker is bought, then sold in two parts."""
    began = SystemClock().now() - _SPAN
    with file.open("w") as out:
        out.write("ticker,side,quantity,price,executed_at,fee,strategy\n")
        for n in range(count):
            ticker = TICKERS[n // 3 % len(TICKERS)]
            said = ("buy,0.3", "sell,0.1", "sell,0.2")[n % 3]
            price = f"{100 + n % 10}.{n * 7919 % 100:02}"
            moment = (began + _SPAN * n / count).isoformat()
            out.write(f"{ticker},{said},{price},{moment},0.000001,bench\n")


def _run(database: Path, *arguments: str) -> Ended:
    """Run a command of the desk, which must exit 0, and note its time and memory."""
    with (database.parent / "out").open("w+") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "paperdesk", *arguments],
            cwd=BUILD,
            env=environment(database),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        # Only whoever waits for the process itself is told how much memory it had.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise Failed(f"paperdesk {arguments[0]} ended with {process.returncode}: {text}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Ended(text, seconds, used.ru_maxrss / unit)


def _check(database: Path, count: int, told: dict[str, object]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        *found, held = connection.execute(_COUNTS).fetchone()
    wrong = told["booked"] != count or set(found) != {count}
    if wrong or held != (1 if count % 3 else 0):
        raise Failed(
            f"{count} rows were replayed; the answer is {told}; trades, sequence numbers and the "
            f"account's sequence are {found}, and {held} positions are open."
        )
