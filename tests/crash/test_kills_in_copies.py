"""Killed in the middle of a copy, the source is whole and the target still takes the copy."""

import random
import signal
from pathlib import Path

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from support.kills import ROUNDS, assert_proven, sabotaged
from support.migrations import contents
from support.postgres import PostgresServer
from support.program import Program
from support.sabotage import LAST_WORDS
from support.trading import trading

pytestmark = pytest.mark.timeout(300 * ROUNDS)


async def test_a_killed_copy_can_be_made_again(
    program: Program,
    database_url: str,
    clock: ManualClock,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> None:
    database = Database(database_url)
    async with trading(database, clock) as desk:
        desk.price("AAPL", "3.25")
        for side in ("buy", "sell", "buy"):
            await desk.trade(side, "1.5")
    await database.close()
    before = await contents(database_url)

    for number in range(ROUNDS):
        with postgres_server.database() as empty:
            target = empty if database.dialect == "sqlite" else str(tmp_path / f"copy-{number}.db")
            arguments = ("copy", "--from", database_url, "--to", target)
            point = f"in-copy:{random.randrange(1, 8)}"
            killed = sabotaged(program, SABOTAGE=point, SABOTAGE_AT_ONCE="1")(*arguments)
            assert killed.code == -signal.SIGKILL, killed.err
            assert f"{LAST_WORDS}in-copy" in killed.err
            assert await contents(database_url) == before

            again = program(*arguments)
            assert (again.code, await contents(target)) == (0, before), again.err
            await assert_proven(database_url)
