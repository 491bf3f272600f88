"""The tests of this folder find bugs: each of these is planted in a desk, and reported."""

from pathlib import Path

import pytest

from support.disk import Disk
from support.kills import desks, die, end, hold_to_promises, sabotaged
from support.load import Load, Memory, ask_again
from support.program import Program

pytestmark = pytest.mark.timeout(300)


async def judge(memory: Memory, url: str, program: Program) -> None:
    """Start a desk without the bug, and hold what the one with the bug promised against it."""
    async with desks(program) as (desk,):
        await ask_again(memory, [desk.url], newest=len(memory.acknowledged))
        await end(desk, memory)
    await hold_to_promises(memory, url)


async def test_an_answer_before_commit_is_found(program: Program, sqlite_url: str) -> None:
    program = program.with_environment(DATABASE_URL=sqlite_url)
    planted = sabotaged(program, PLANTED="answer-before-commit", SABOTAGE="before-commit:9")
    memory = Memory()
    async with desks(planted) as (desk,), Load(memory, [desk.url]):
        await memory.more(20)
        await die(desk, "before-commit", memory)

    with pytest.raises(AssertionError, match="had the effect"):
        await judge(memory, sqlite_url, program)


async def test_synchronous_off_is_found(
    program: Program, sqlite_url: str, tmp_path: Path, disk_library: Path
) -> None:
    disk = Disk(disk_library, tmp_path / "desk.db")
    program = program.with_environment(DATABASE_URL=sqlite_url)
    planted = disk.under(sabotaged(program, PLANTED="synchronous-off"), forgetful=True)
    memory = Memory()
    async with desks(planted) as (desk,), Load(memory, [desk.url]):
        await die(desk, "anywhere", memory)
    assert disk.cut_power()

    with pytest.raises(AssertionError, match="had the effect"):
        await judge(memory, sqlite_url, program)
