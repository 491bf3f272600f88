"""Who leads: one of all, and nobody who lost the lock writes anything any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError

from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db import dedicated
from paperdesk.db.dedicated import ConnectionLost
from paperdesk.db.engine import Database
from paperdesk.db.prepared import Prepared
from paperdesk.errors import Busy
from paperdesk.models import DeskMeta
from paperdesk.runtime import leader
from paperdesk.runtime.leader import Election, Leadership, leadership_of
from support.databases import START
from support.electing import candidate, cut_off, holder, until
from support.pricing import SleeplessClock

_WRITE = Prepared(insert(DeskMeta), ["key", "value"])


class Process:
    """A candidate with one task a role, which is in `leading` while it leads."""

    def __init__(self, election: Election, leading: set["Process"]) -> None:
        self.election = election
        self.leading = leading
        self.follows = False
        election.while_leading("work", self.lead)
        election.while_following("watch", self.follow)

    async def begin(self, tasks: AsyncExitStack) -> None:
        await self.election.elect()
        self.election.start()
        self.running = asyncio.create_task(self.election.run())
        tasks.push_async_callback(self.stop)

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.election.stop()
        await self.election.close()

    async def lead(self) -> None:
        self.leading.add(self)
        try:
            await asyncio.Event().wait()
        finally:
            self.leading.discard(self)

    async def follow(self) -> None:
        self.follows = True
        try:
            await asyncio.Event().wait()
        finally:
            self.follows = False


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "ROUND", 0.05)


@pytest.fixture
async def processes(postgres_url: str) -> AsyncIterator[list[Process]]:
    """Three that run; the first leads."""
    leading: set[Process] = set()
    async with AsyncExitStack() as stack:
        made: list[Process] = []
        for _ in range(3):
            election = await stack.enter_async_context(candidate(postgres_url, SystemClock()))
            made.append(Process(election, leading))
            await made[-1].begin(stack)
        await until(lambda: made[0] in leading and made[1].follows and made[2].follows)
        yield made


async def test_one_of_three_leads(processes: list[Process]) -> None:
    assert [p.election.leads for p in processes] == [True, False, False]
    assert processes[0].leading == {processes[0]}


async def test_when_the_leader_stops_another_leads(processes: list[Process]) -> None:
    first, *others = processes
    await first.stop()
    await until(lambda: any(p.election.leads for p in others))
    await until(lambda: len(first.leading) == 1)


async def test_a_leader_that_is_cut_off_follows_and_one_leads_again(
    processes: list[Process], postgresql: Database
) -> None:
    for _ in range(3):
        (leads,) = processes[0].leading
        before = await holder(postgresql)
        await cut_off(postgresql, before)
        await until(lambda leads=leads: leads not in leads.leading)  # type: ignore[misc]
        await until(lambda: len(processes[0].leading) == 1)
        assert await holder(postgresql) != before
    await until(lambda: sum(p.follows for p in processes) == 2)
    assert len(processes[0].leading) == 1
    await until(lambda: all(p.election.in_trouble() == [] for p in processes))


async def test_who_no_longer_holds_the_lock_stops_leading(processes: list[Process]) -> None:
    first, second = processes[0], processes[1]
    mine, other = first.election._connection, second.election._connection
    assert mine
    assert other
    won = False
    while not won:
        async with mine._turn:
            await mine._driver.execute("SELECT pg_advisory_unlock_all()")
        won = await other.try_lock(leader._LOCK)
    await until(lambda: first.leading == {second})
    assert (first.election.leads, second.election.leads) == (False, True)


@pytest.mark.parametrize("delay", [0, 0.001, 0.003, 0.01])
async def test_a_leader_that_is_cut_off_while_it_writes_lost_its_connection(
    postgres_url: str, postgresql: Database, delay: float
) -> None:
    rows = [{"key": f"key {n}", "value": "written"} for n in range(2_000)]

    async def write_on(election: Election) -> None:
        while True:
            async with election.write() as session:
                connection = await session.connection()
                await connection.exec_driver_sql("DELETE FROM desk_meta WHERE value = 'written'")
                await connection.run_sync(_WRITE.run, [(row["key"], row["value"]) for row in rows])

    async with candidate(postgres_url, SystemClock()) as election:
        await election.elect()
        writing = asyncio.create_task(write_on(election))
        await asyncio.sleep(0.1 + delay)
        await cut_off(postgresql, await holder(postgresql))
        with pytest.raises(ConnectionLost):
            await writing


async def test_what_a_leader_writes_ends_with_its_lock(
    postgres_url: str, postgresql: Database
) -> None:
    async with candidate(postgres_url, SystemClock()) as election:
        await election.elect()
        async with election.write() as session:
            session.add(DeskMeta(key="while", value="leading"))
        with pytest.raises(ConnectionLost):  # noqa: PT012 - cut off within it
            async with election.write() as session:
                session.add(DeskMeta(key="after", value="the lock was lost"))
                await session.flush()
                await cut_off(postgresql, await holder(postgresql))
        for _ in range(2):
            with pytest.raises((DBAPIError, Busy)):
                await write(election)
    async with postgresql.read() as session:
        keys = await session.scalars(select(DeskMeta.key))
        assert {"while", "after"} & set(keys) == {"while"}


async def write(election: Election) -> None:
    async with election.write() as session:
        session.add(DeskMeta(key="after", value="the lock was lost"))


async def test_who_follows_cannot_write(postgres_url: str) -> None:
    async with (
        candidate(postgres_url, SystemClock()) as first,
        candidate(postgres_url, SystemClock()) as second,
    ):
        await first.elect()
        await second.elect()
        with pytest.raises(Busy):
            await write(second)


async def test_a_process_that_hangs_loses_the_lock(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dedicated._SETTINGS, "idle_session_timeout", "200ms")
    async with candidate(postgres_url, SystemClock()) as hanging, AsyncExitStack() as stack:
        await hanging.elect()
        assert hanging.leads
        election = await stack.enter_async_context(candidate(postgres_url, SystemClock()))
        other = Process(election, set())
        await other.begin(stack)
        await until(lambda: election.leads)
        with pytest.raises(ConnectionLost):
            await write(hanging)


async def test_a_leader_goes_on_where_the_clock_stands_still(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(dedicated._SETTINGS, "idle_session_timeout", "500ms")
    leading: set[Process] = set()
    async with (
        AsyncExitStack() as tasks,
        candidate(postgres_url, SleeplessClock(START)) as election,
    ):
        await Process(election, leading).begin(tasks)
        await until(lambda: bool(leading))
        await asyncio.sleep(1.5)

        assert not election.in_trouble()
        assert leading


async def test_a_pooler_that_changes_the_session_is_noticed(postgres_url: str) -> None:
    async with candidate(postgres_url, SystemClock()) as election:
        await election.elect()
        assert election._connection
        election._connection._server_process += 1
        with pytest.raises(ConnectionLost, match="pool sessions"):
            await election._connection.try_lock(1)


async def test_every_process_hears_what_one_says(postgres_url: str, postgresql: Database) -> None:
    heard: list[str] = []
    async with candidate(postgres_url, SystemClock()) as election:
        election.listen("a_channel", heard.append)
        await election.elect()
        async with postgresql.write() as session:
            await session.execute(select(func.pg_notify("a_channel", "hello")))
        await until(lambda: heard == ["hello"])


async def test_the_owner_of_a_file_always_leads(sqlite: Database, clock: ManualClock) -> None:
    leadership = leadership_of(sqlite, clock)
    assert type(leadership) is Leadership
    await leadership.elect()
    assert leadership.leads
    async with leadership.write() as session:
        session.add(DeskMeta(key="while", value="leading"))
    await leadership.close()
