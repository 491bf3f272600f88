"""Desks under load that are killed and started again, over and over, on one database.

What was promised to a client outlives them all: no acknowledged trade is lost, no key has two
effects, and what was never acknowledged is there at most once.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2
from sqlalchemy import select

from paperdesk.db.engine import Database
from paperdesk.db.inspection import reading
from paperdesk.ledger.accounts import OPENING_KEY
from paperdesk.ledger.proof.proving import Problem, prove
from paperdesk.models import CashMovement, Order, Trade
from support.disk import Disk
from support.load import Memory, ask_again
from support.program import Process, Program
from support.sabotage import LAST_WORDS
from support.served import Served, ready_at
from support.trading import assert_books_hold
from support.wal import half_copied

ROUNDS: Final = int(os.environ.get("CRASH_ROUNDS", "1"))
"""How often the plans of the tests are gone through; one round kills 25 processes."""

ANYWHERE: Final = "anywhere"
POINTS: Final = ("after-begin", "between-inserts", "before-commit", "after-commit")

_TESTS: Final = Path(__file__).resolve().parents[1]
_PATIENCE: Final = 30.0


def sabotaged(program: Program, **environment: str) -> Program:
    """Return the program as `support.sabotage` runs it."""
    return replace(
        program.with_environment(PYTHONPATH=str(_TESTS), **environment),
        command=(sys.executable, "-m", "support.sabotage"),
    )


def trapped(program: Program, point: str) -> Program:
    """Return the program with a trap at a point, which `die` makes it step on."""
    if point == ANYWHERE:
        return program
    return sabotaged(program, SABOTAGE=f"{point}:{random.randrange(1, 10)}")


def plan(random_kills: int) -> list[str]:
    """Return the points of all rounds, each named point and some random ones, in any order."""
    points = ROUNDS * [*POINTS, *random_kills * [ANYWHERE]]
    random.shuffle(points)
    return points


@asynccontextmanager
async def desks(*programs: Program) -> AsyncIterator[list[Served]]:
    """Serve with each program on a port of its own, all started at once; kill what is left."""
    async with AsyncExitStack() as stack:
        started: list[tuple[Process, Path]] = []
        for number, program in enumerate(programs):
            log = program.folder / f"desk-{number}-{time.monotonic_ns()}.log"
            process = program.start("serve", "--port", "0", "--log-level", "warning", log=log)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            started.append((process, log))
        urls = await asyncio.gather(*(asyncio.to_thread(ready_at, *one) for one in started))
        yield [Served(one, url, log) for (one, log), url in zip(started, urls, strict=True)]


async def die(desk: Served, point: str, memory: Memory) -> str:
    """Kill a desk that is under load; return the point at which it died."""
    if point == ANYWHERE:
        await memory.more(random.randrange(1, 200))
        # Between two answers too: the clients would always be told first.
        await asyncio.sleep(random.uniform(0, 0.01))
        desk.process.kill()
    else:
        desk.process.send_signal(signal.SIGUSR1)
    errors = await _last_words(desk)
    return errors.partition(LAST_WORDS)[2].strip() or ANYWHERE


async def die_in_checkpoint(desk: Served, disk: Disk) -> None:
    """Let a desk under load die while it writes a page of the WAL into the main file."""
    disk.control.fatal_write = disk.control.database_writes + random.randrange(2, 40)
    await _last_words(desk)
    disk.mend()
    copied, waiting = half_copied(disk.database)
    assert copied, "it died before the checkpoint"
    assert waiting, "it died after the checkpoint"


async def die_before_sync(desk: Served, disk: Disk) -> None:
    """Let a desk under load die when a commit lies in the WAL and is not yet made safe."""
    disk.control.fatal_sync = disk.control.wal_syncs + random.randrange(2, 40)
    await _last_words(desk)
    disk.mend()


async def _last_words(desk: Served) -> str:
    try:
        await asyncio.to_thread(desk.process.wait, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it did not die at its point: {desk.errors}") from None
    assert desk.process.returncode == -signal.SIGKILL, desk.errors
    return desk.errors


async def assert_proven(url: str) -> None:
    """Prove the books as `paperdesk verify` does, beside a desk or without one."""

    def problems() -> list[Problem]:
        with reading(url) as session:
            return prove(session).problems

    assert await asyncio.to_thread(problems) == []


async def end(desk: Served, memory: Memory) -> None:
    """Ask a desk for everything once more and stop it: it is still the one that was started."""
    # A background task that failed on the way leaves it "degraded" for a minute.
    health = await asyncio.to_thread(httpx2.get, f"{desk.url}/api/health", timeout=_PATIENCE)
    assert health.status_code == 200, health.text
    await ask_again(memory, [desk.url])
    desk.process.terminate()
    await asyncio.to_thread(desk.process.wait, timeout=_PATIENCE)
    assert desk.process.returncode == 0, desk.errors


async def hold_to_promises(memory: Memory, url: str) -> None:
    """Hold the database against what the clients were told. No desk may be running."""
    assert memory.broken == [], memory.broken[:3]
    assert memory.open == set(), memory.open
    await assert_proven(url)
    database = Database(url)
    try:
        async with database.read() as session:
            trades = select(Order.client_order_id, Trade.id).join(Trade, Trade.order_id == Order.id)
            movements = select(CashMovement.key, CashMovement.id).where(
                CashMovement.key != OPENING_KEY
            )
            booked = [*await session.execute(trades), *await session.execute(movements)]
        assert len(booked) == len(memory.acknowledged)
        assert {key: effect for key, effect in booked} == memory.acknowledged  # noqa: C416 - rows
        await assert_books_hold(database)
    finally:
        await database.close()
