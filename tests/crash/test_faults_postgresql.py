"""PostgreSQL cuts connections off or is started anew: documented answers, then the desk goes on."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from support.databases import make_ready
from support.kills import desks, end, hold_to_promises
from support.load import Load, Memory
from support.postgres import PostgresServer, running_server
from support.program import Program

pytestmark = pytest.mark.timeout(300)

BEARABLE = frozenset({"BUSY", "UNKNOWN_OUTCOME"})


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of this test alone, which may be started anew."""
    with running_server(None) as server:
        yield server


async def test_connections_that_are_cut_off_cost_no_trade(
    program: Program, postgres_url: str
) -> None:
    memory = Memory(bearable=BEARABLE)
    program = program.with_environment(DATABASE_URL=postgres_url)
    async with desks(program) as (desk,):
        with psycopg.connect(postgres_url.replace("+asyncpg", ""), autocommit=True) as operator:
            async with Load(memory, [desk.url]):
                for _ in range(10):
                    await memory.more(5)
                    operator.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                await memory.more(50)
        assert memory.broken == []
        await end(desk, memory)
    await hold_to_promises(memory, postgres_url)


async def test_a_server_that_is_started_anew_costs_no_trade(
    program: Program, own_server: PostgresServer
) -> None:
    memory = Memory(bearable=BEARABLE)
    url = own_server.url(own_server.create())
    make_ready(url)
    async with desks(program.with_environment(DATABASE_URL=url)) as (desk,):
        async with Load(memory, [desk.url]):
            await memory.more(20)
            await asyncio.to_thread(own_server.restart)
            await memory.more(50)
        assert memory.answers.keys() & BEARABLE
        assert memory.broken == []
        await end(desk, memory)
    await hold_to_promises(memory, url)
