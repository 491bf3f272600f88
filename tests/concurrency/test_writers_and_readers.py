"""Writers and readers truly at once: none meets a lock error, and no update is lost."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

from sqlalchemy import func, select

from paperdesk.db.engine import READERS, Database
from paperdesk.models import DeskMeta
from support import counter

WRITERS = 10
TIMES = 10
SUPPORT = Path(counter.__file__).parents[1]
FACTS = select(func.count()).select_from(DeskMeta).where(DeskMeta.key.like("w%"))


class Overlap:
    """How many were at work in the same moment, at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._mutex = threading.Lock()

    def __enter__(self) -> None:
        with self._mutex:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            self.now -= 1


async def test_ten_writers_and_ten_readers_never_meet_a_lock_error(database: Database) -> None:
    writing, reading = Overlap(), Overlap()
    gate = asyncio.Barrier(2 * WRITERS)
    finished = 0

    async def write(number: int) -> None:
        nonlocal finished
        await gate.wait()
        for turn in range(TIMES):
            with writing:
                async with database.write() as session:
                    await session.scalar(FACTS)
                    session.add(DeskMeta(key=f"w{number}-{turn}", value=""))
        finished += 1

    async def read() -> list[int]:
        await gate.wait()
        seen: list[int] = []
        while finished < WRITERS:
            async with database.read() as session:
                with reading:
                    first = await session.scalar(FACTS)
                    await asyncio.sleep(0)
                    assert await session.scalar(FACTS) == first
            seen.append(first or 0)
        return seen

    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(write(number))
        readers = [group.create_task(read()) for _ in range(WRITERS)]
    async with database.read() as session:
        assert await session.scalar(FACTS) == WRITERS * TIMES
    assert writing.most == WRITERS
    assert reading.most >= READERS
    for reader in readers:
        assert reader.result() == sorted(reader.result())
    everything = [count for reader in readers for count in reader.result()]
    assert len(set(everything)) > TIMES, "readers saw the writers at work"


async def test_thread_with_a_plain_session_takes_turns_with_the_tasks(database: Database) -> None:
    await counter.begin(database)
    stop = threading.Event()
    done = 0

    def script() -> None:
        nonlocal done
        while not stop.is_set():
            with database.sync_session() as session:
                counter.add_one(session)
                session.commit()
            done += 1

    thread = asyncio.create_task(asyncio.to_thread(script))
    await asyncio.gather(*(counter.count(database.writer, TIMES) for _ in range(WRITERS)))
    stop.set()
    await thread
    assert done > 1
    assert await counter.value(database) == WRITERS * TIMES + done


async def test_no_update_is_lost_among_many_tasks(database: Database) -> None:
    await counter.begin(database)
    await asyncio.gather(*(counter.count(database.writer, 4) for _ in range(50)))
    assert await counter.value(database) == 200


async def test_ten_writers_and_ten_readers_in_two_processes_lose_no_update(
    database_url: str,
) -> None:
    database = Database(database_url)
    await counter.begin(database)
    await database.close()
    command = [sys.executable, "-m", "support.counter", database_url, "5", "20"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command,
            cwd=SUPPORT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
    results = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [(p.returncode, err) for p, (_, err) in zip(processes, results, strict=True)] == [
        (0, b"")
    ] * 2
    assert all(int(out) > 1 for out, _ in results), "each reader read while others wrote"
    database = Database(database_url)
    assert await counter.value(database) == 200
    await database.close()


async def test_slow_writer_holds_up_writers_but_no_reader(sqlite: Database) -> None:
    async with sqlite.write() as session:
        await session.scalar(FACTS)
        waiting = asyncio.create_task(counter.begin(sqlite))
        started = time.monotonic()
        async with sqlite.read() as reader:
            assert await reader.scalar(FACTS) == 0
        assert time.monotonic() - started < 1
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 2)


async def test_writers_are_served_in_the_order_of_asking(sqlite: Database) -> None:
    served: list[int] = []

    async def as_task(number: int) -> None:
        async with sqlite.write() as session:
            await session.scalar(FACTS)
            served.append(number)

    def as_thread(number: int) -> None:
        with sqlite.sync_session() as session:
            session.scalar(FACTS)
            served.append(number)

    assert sqlite._ownership
    waiting = sqlite._ownership.write_lock._waiting
    async with asyncio.TaskGroup() as group, sqlite.write() as session:
        await session.scalar(FACTS)
        for number in range(8):
            threaded = number in {2, 5}
            work = asyncio.to_thread(as_thread, number) if threaded else as_task(number)
            group.create_task(work)
            while len(waiting) <= number:  # noqa: ASYNC110 - nothing tells that somebody queued up
                await asyncio.sleep(0.001)
        assert served == []
    assert served == list(range(8))


async def test_cancelled_writers_leave_the_lane_open_and_no_half_of_their_work(
    database: Database,
) -> None:
    attempts = 150

    async def work(number: int) -> None:
        async with database.write() as session:
            session.add(DeskMeta(key=f"w{number}-a", value=""))
            await session.flush()
            session.add(DeskMeta(key=f"w{number}-b", value=""))
            await session.flush()

    for number in range(attempts):
        task = asyncio.create_task(work(number))
        await asyncio.sleep(0.0003 * (number % 15))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(2):
        await work(attempts)
    async with database.read() as session:
        keys = set((await session.scalars(select(DeskMeta.key))).all())
    halves = [n for n in range(attempts + 1) if (f"w{n}-a" in keys) != (f"w{n}-b" in keys)]
    assert halves == []
    assert f"w{attempts}-b" in keys
