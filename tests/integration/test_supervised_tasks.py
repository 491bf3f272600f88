"""Supervised tasks: restarted when they fail, ended when they are told to."""

import asyncio

import pytest

from paperdesk.clock import SystemClock
from paperdesk.runtime.tasks import Supervisor


async def test_task_that_fails_is_in_trouble_and_goes_on() -> None:
    supervisor, runs = Supervisor(SystemClock()), 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("once")
        again.set()
        await asyncio.Event().wait()

    supervisor.start("work", work)
    async with asyncio.timeout(5):
        await again.wait()
    assert supervisor.in_trouble() == ["work"]

    # What is no longer run is in no trouble: another process may do it now.
    await supervisor.stop()
    assert supervisor.in_trouble() == []


@pytest.mark.parametrize("lost", [1, 2])
async def test_task_ends_though_a_cancellation_was_lost(lost: int) -> None:
    supervisor, begun = Supervisor(SystemClock()), asyncio.Event()

    async def work() -> None:
        left = lost
        begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not left:
                    raise
                left -= 1

    supervisor.start("work", work)
    await begun.wait()
    async with asyncio.timeout(10):
        await supervisor.stop()
