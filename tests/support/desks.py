"""Served desks on one database, of which any is killed at any time and another takes its place."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from support.program import Process, Program
from support.served import ready_at


@dataclass(slots=True)
class Desks:
    """Served desks on one database: those that are up, by where they are."""

    program: Program
    processes: dict[str, Process] = field(default_factory=dict[str, Any])
    kills: int = 0

    async def start(self) -> str:
        log = self.program.folder / f"desk-{time.monotonic_ns()}.log"
        process = self.program.start("serve", "--port", "0", "--log-level", "warning", log=log)
        try:
            url = await asyncio.to_thread(ready_at, process, log)
        except BaseException:
            process.kill()
            raise
        self.processes[url] = process
        return url

    async def kill_one(self) -> None:
        """Kill any one of them, without a word, and start another in its place."""
        url = random.choice(list(self.processes))
        process = self.processes.pop(url)
        process.kill()
        await asyncio.to_thread(process.communicate)
        self.kills += 1
        await self.start()

    async def stop(self) -> list[int]:
        """Tell all to stop, and return how they ended."""
        stopping = list(self.processes.values())
        self.processes.clear()
        for process in stopping:
            process.terminate()
        for process in stopping:
            await asyncio.to_thread(process.communicate)
        return [process.returncode for process in stopping]


@asynccontextmanager
async def served(program: Program, count: int) -> AsyncIterator[Desks]:
    desks = Desks(program)
    try:
        for _ in range(count):
            await desks.start()
        yield desks
    finally:
        for process in desks.processes.values():
            process.kill()
            process.communicate()


@asynccontextmanager
async def killed_workers(program: Program, count: int = 2) -> AsyncIterator[None]:
    """Have workers, of which one is killed every one to three seconds, and another started."""

    def start() -> Process:
        log = program.folder / f"worker-{time.monotonic_ns()}.log"
        return program.start("worker", log=log)

    async def kill() -> None:
        while True:
            await asyncio.sleep(random.uniform(1, 3))
            victim = workers.pop(0)
            victim.kill()
            await asyncio.to_thread(victim.communicate)
            workers.append(start())

    workers = [start() for _ in range(count)]
    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        for each in workers:
            each.kill()
            each.communicate()
