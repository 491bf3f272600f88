"""The queue of writers: first come, first served, over tasks and threads, whoever gives up."""

import asyncio
import contextlib
import gc
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future

import pytest

from paperdesk.db.lock import WriteLock
from paperdesk.errors import Busy


@contextlib.asynccontextmanager
async def turn(lock: WriteLock, patience: float = 5) -> AsyncIterator[None]:
    await lock.acquire_async(patience)
    try:
        yield
    finally:
        lock.release()


async def queued(lock: WriteLock, count: int) -> None:
    """Wait until so many wait."""
    async with asyncio.timeout(5):
        while len(lock._waiting) < count:  # noqa: ASYNC110 - the lock tells nobody
            await asyncio.sleep(0.001)


async def test_turns_come_in_the_order_of_asking_over_tasks_and_threads() -> None:
    lock, order = WriteLock(), list[int]()
    await lock.acquire_async(1)

    async def as_task(number: int) -> None:
        async with turn(lock):
            order.append(number)

    def as_thread(number: int) -> None:
        lock.acquire(5)
        order.append(number)
        lock.release()

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            if number % 2:
                group.create_task(as_task(number))
            else:
                group.create_task(asyncio.to_thread(as_thread, number))
            await queued(lock, number + 1)
            await asyncio.sleep(0)
        lock.release()
    assert order == list(range(10))


async def test_only_one_has_the_turn_at_a_time() -> None:
    lock, inside, most = WriteLock(), 0, 0
    count = threading.Lock()

    def enter() -> None:
        nonlocal inside, most
        with count:
            inside += 1
            most = max(most, inside)

    def leave() -> None:
        nonlocal inside
        with count:
            inside -= 1

    async def as_task() -> None:
        for _ in range(20):
            async with turn(lock):
                enter()
                await asyncio.sleep(0)
                leave()

    def as_thread() -> None:
        for _ in range(20):
            lock.acquire(5)
            enter()
            time.sleep(0)
            leave()
            lock.release()

    await asyncio.gather(
        *(as_task() for _ in range(6)), *(asyncio.to_thread(as_thread) for _ in range(3))
    )
    assert most == 1


@pytest.mark.parametrize("victims", [[0], [1], [0, 1], [0, 2], [0, 1, 2]])
async def test_waiter_that_is_cancelled_does_not_hold_up_the_others(victims: list[int]) -> None:
    lock, served = WriteLock(), list[int]()
    await lock.acquire_async(1)

    async def wait(number: int) -> None:
        async with turn(lock):
            served.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await queued(lock, 3)
    for victim in victims:
        tasks[victim].cancel()
    lock.release()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [number for number in range(3) if number not in victims]
    async with asyncio.timeout(1), turn(lock):
        pass


async def test_turn_that_comes_in_the_moment_of_cancellation_is_passed_on() -> None:
    lock = WriteLock()
    for _ in range(50):
        await lock.acquire_async(1)
        task = asyncio.create_task(lock.acquire_async(5))
        await queued(lock, 1)
        lock.release()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
            lock.release()
        async with asyncio.timeout(1), turn(lock):
            pass


@pytest.mark.parametrize("steps", range(5))
async def test_cancellation_that_comes_with_the_turn_is_not_lost(steps: int) -> None:
    lock = WriteLock()
    await lock.acquire_async(1)
    task = asyncio.create_task(lock.acquire_async(5))
    await queued(lock, 1)
    lock.release()
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        lock.release()
    async with asyncio.timeout(1), turn(lock):
        pass


async def test_task_that_waits_too_long_is_told_that_the_desk_is_busy() -> None:
    lock = WriteLock()
    async with turn(lock):
        with pytest.raises(Busy):
            await lock.acquire_async(0.02)
    async with asyncio.timeout(1), turn(lock):
        pass


async def test_thread_that_waits_too_long_is_told_that_the_desk_is_busy() -> None:
    lock = WriteLock()
    async with turn(lock):
        with pytest.raises(Busy):
            await asyncio.to_thread(lock.acquire, 0.02)
    async with asyncio.timeout(1), turn(lock):
        pass


async def test_those_who_gave_up_are_passed_over() -> None:
    lock = WriteLock()
    await lock.acquire_async(1)
    impatient = [asyncio.create_task(lock.acquire_async(0.02)) for _ in range(3)]
    patient = asyncio.create_task(lock.acquire_async(5))
    for outcome in await asyncio.gather(*impatient, return_exceptions=True):
        assert isinstance(outcome, Busy)
    assert not patient.done()
    lock.release()
    await asyncio.wait_for(patient, 1)
    lock.release()


class Forgotten:
    """Holds the turn until the garbage collector finds it."""

    def __init__(self, lock: WriteLock) -> None:
        self._lock = lock
        self._itself = self

    def __del__(self) -> None:
        self._lock.release()


@pytest.fixture
def little_to_collect() -> Iterator[None]:
    """Set aside all that there is: to look through it takes seconds where many tests ran."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_to_collect")
async def test_turn_may_come_back_in_the_middle_of_asking_for_one() -> None:
    class Collecting(deque[Future[None]]):
        """A queue in whose steps the garbage collector strikes."""

        def append(self, item: Future[None]) -> None:
            gc.collect()
            super().append(item)
            gc.collect()

    lock = WriteLock()
    lock._waiting = Collecting()
    await lock.acquire_async(1)
    Forgotten(lock)
    async with asyncio.timeout(5), turn(lock):
        with pytest.raises(Busy):
            await lock.acquire_async(0.02)
    async with asyncio.timeout(5), turn(lock):
        pass
