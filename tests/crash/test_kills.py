"""Killed at any instant, a desk has lost nothing that it acknowledged and has booked nothing twice.

The desk is the real server under the load of sixteen clients. One round of the tests in this file
and in `test_kills_in_migrations` kills 25 processes; CRASH_ROUNDS says how many rounds there are.
"""

from pathlib import Path

import pytest

from support.disk import Disk
from support.kills import (
    ANYWHERE,
    ROUNDS,
    assert_proven,
    desks,
    die,
    die_before_sync,
    die_in_checkpoint,
    hold_to_promises,
    plan,
    trapped,
)
from support.load import Load, Memory, ask_again
from support.program import Program

pytestmark = pytest.mark.timeout(300 * ROUNDS)


async def test_a_desk_on_sqlite_keeps_its_promises(program: Program, sqlite_url: str) -> None:
    program = program.with_environment(DATABASE_URL=sqlite_url)
    memory = Memory()
    points = plan(random_kills=4)
    killed: list[str] = []
    for point in points:
        async with desks(trapped(program, point)) as (desk,):
            await assert_proven(sqlite_url)
            await ask_again(memory, [desk.url])
            async with Load(memory, [desk.url]):
                killed.append(await die(desk, point, memory))
        assert memory.broken == []
    assert killed == points

    async with desks(program) as (desk,):
        await ask_again(memory, [desk.url])
    await hold_to_promises(memory, sqlite_url)


async def test_two_desks_on_postgresql_keep_their_promises(
    program: Program, postgres_url: str
) -> None:
    """One is killed and started again, over and over; every third time the other one too."""
    program = program.with_environment(DATABASE_URL=postgres_url)
    memory = Memory()
    points = plan(random_kills=2)
    killed: list[str] = []
    for group in (points[n : n + 3] for n in range(0, len(points), 3)):
        async with desks(program) as (other,):
            for n, point in enumerate(group, 1):
                async with desks(trapped(program, point)) as (desk,):
                    await assert_proven(postgres_url)
                    await ask_again(memory, [desk.url, other.url])
                    async with Load(memory, [desk.url, other.url]):
                        killed.append(await die(desk, point, memory))
                        if n == len(group):
                            await die(other, ANYWHERE, memory)
                await ask_again(memory, [other.url])
                assert memory.broken == []
    assert killed == points

    async with desks(program) as (desk,):
        await ask_again(memory, [desk.url])
    await hold_to_promises(memory, postgres_url)


async def test_a_desk_that_dies_in_a_checkpoint_loses_nothing(
    program: Program, sqlite_url: str, tmp_path: Path, disk_library: Path
) -> None:
    disk = Disk(disk_library, tmp_path / "desk.db")
    program = disk.under(program.with_environment(DATABASE_URL=sqlite_url))
    memory = Memory()
    for _ in range(2 * ROUNDS):
        async with desks(program) as (desk,):
            await assert_proven(sqlite_url)
            await ask_again(memory, [desk.url])
            async with Load(memory, [desk.url]):
                await die_in_checkpoint(desk, disk)
        assert memory.broken == []

    async with desks(program) as (desk,):
        await ask_again(memory, [desk.url])
    await hold_to_promises(memory, sqlite_url)


async def test_a_power_cut_takes_nothing_that_was_acknowledged(
    program: Program, sqlite_url: str, tmp_path: Path, disk_library: Path
) -> None:
    """What no fsync has made safe is taken back from the files, as a power cut might."""
    disk = Disk(disk_library, tmp_path / "desk.db")
    program = disk.under(program.with_environment(DATABASE_URL=sqlite_url), forgetful=True)
    memory = Memory()
    for die_in_danger in ROUNDS * [die_before_sync, die_in_checkpoint]:
        async with desks(program) as (desk,):
            await assert_proven(sqlite_url)
            await ask_again(memory, [desk.url])
            async with Load(memory, [desk.url]):
                await die_in_danger(desk, disk)
        assert disk.cut_power()
        assert memory.broken == []

    async with desks(program) as (desk,):
        await ask_again(memory, [desk.url])
    await hold_to_promises(memory, sqlite_url)
