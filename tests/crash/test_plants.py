"""The tests of this folder find bugs: each of these is planted in a desk, and reported."""

from pathlib import Path

import psycopg
import pytest

from support.another_program import write_beside
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


async def test_a_deferred_begin_is_found(program: Program, sqlite_url: str, tmp_path: Path) -> None:
    program = program.with_environment(DATABASE_URL=sqlite_url)
    memory = Memory()
    async with desks(sabotaged(program, PLANTED="deferred-begin")) as (desk,):
        await write_beside(tmp_path / "desk.db", memory, Load(memory, [desk.url]))

    with pytest.raises(AssertionError, match="503"):
        await judge(memory, sqlite_url, program)


async def test_a_missing_row_lock_is_found(program: Program, postgres_url: str) -> None:
    program = program.with_environment(DATABASE_URL=postgres_url)
    planted = sabotaged(program, PLANTED="no-row-lock")
    memory = Memory()
    # One after the other: without the lock, two that start at once trip over each other's proofs.
    async with (
        desks(planted) as (one,),
        desks(planted) as (other,),
        Load(memory, [one.url, other.url]),
    ):
        await memory.more(500)

    # The journal's own constraints stop some, and the look after the start finds the others.
    with pytest.raises(AssertionError, match=r"INTERNAL|READ_ONLY"):
        await judge(memory, postgres_url, program)


async def test_a_check_before_the_transaction_is_found(program: Program, postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+asyncpg", "")) as operator:
        operator.execute("ALTER TABLE orders DROP CONSTRAINT uq_orders_user_id_client_order_id")
    program = program.with_environment(DATABASE_URL=postgres_url)
    memory = Memory()
    planted = sabotaged(program, PLANTED="check-then-insert")
    async with desks(planted) as (desk,), Load(memory, [desk.url]):
        await memory.more(500)

    with pytest.raises(AssertionError, match="had the effect"):
        await judge(memory, postgres_url, program)
