"""Whose turn it is: in order, past who has to wait, and at a cost that is not what waits behind."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text, update

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.models import Signal, SignalStatus, Webhook, WebhookMode
from paperdesk.signals.queue import AT_ONCE, turns_in
from support.databases import START

BLOCKED = ("a", "WAIT")
LATER = START + timedelta(seconds=1)


async def put(database: Database, queues: Iterable[tuple[str, str]], **first: Any) -> None:
    """Queue signals up, each of a webhook and ticker; set some fields of the first."""
    rows = [
        {
            "signal_id": f"{n:064x}",
            "webhook_id": webhook,
            "ticker": ticker,
            "status": SignalStatus.queued,
            "received_at": START,
        }
        for n, (webhook, ticker) in enumerate(queues, 1)
    ]
    async with database.write() as session:
        session.add_all(
            Webhook(id=name, name="w", mode=WebhookMode.execute, token_hash=name, limits={})
            for name in {row["webhook_id"] for row in rows}
        )
        await session.flush()
        await session.execute(insert(Signal), rows)
        if first:
            await session.execute(update(Signal).where(Signal.id == 1).values(**first))


async def turns(database: Database, now: datetime = START) -> list[int]:
    async with database.read() as session:
        return list(await session.scalars(turns_in(database.dialect), {"now": now}))


BLOCKS: list[dict[str, Any]] = [{"next_attempt_at": LATER}, {"lease": "somebody"}]


@pytest.mark.parametrize("why", BLOCKS, ids=["early", "leased"])
async def test_who_stands_behind_one_that_waits_is_passed_over_and_no_other(
    database: Database, why: dict[str, Any]
) -> None:
    others = [
        ("a", "AAPL"),
        ("b", "WAIT"),
        BLOCKED,
        ("a", "AAPL"),
        ("b", "ZZZ"),
        ("a", "WAIT.A"),
        ("a", "WAITS"),
    ]
    await put(database, [BLOCKED, *others], **why)
    assert await turns(database) == [2, 3, 5, 6, 7, 8]


async def test_what_waited_long_enough_is_next_with_all_behind_it(database: Database) -> None:
    await put(database, [BLOCKED, ("b", "AAPL"), BLOCKED], next_attempt_at=LATER)
    assert await turns(database, LATER) == [1, 2, 3]


async def test_the_oldest_are_next_however_many_queues_there_are(database: Database) -> None:
    queues = [(f"w{n % 7}", f"T{n * 31 % 97}") for n in range(4 * AT_ONCE)]
    await put(database, queues, lease="somebody")
    free = [n for n, queue in enumerate(queues, 1) if queue != queues[0]]
    assert await turns(database) == free[:AT_ONCE]


async def test_a_long_queue_starves_no_short_one_and_keeps_its_order(database: Database) -> None:
    await put(database, [*[("a", "AAPL")] * 3 * AT_ONCE, ("b", "AAPL")])
    assert await turns(database) == list(range(1, AT_ONCE + 1))
    async with database.write() as session:
        # As they are while they are tried.
        await session.execute(update(Signal).where(Signal.id <= AT_ONCE).values(lease="mine"))
    assert await turns(database) == [3 * AT_ONCE + 1]


async def test_what_is_done_or_came_through_no_webhook_is_not_in_the_queue(
    database: Database,
) -> None:
    await put(database, [BLOCKED, BLOCKED, BLOCKED], status=SignalStatus.executed)
    async with database.write() as session:
        await session.execute(update(Signal).where(Signal.id == 2).values(webhook_id=None))
    assert await turns(database) == [3]
    async with database.write() as session:
        await session.execute(update(Signal).values(status=SignalStatus.failed))
    assert await turns(database) == []


def steps(connection: Connection, now: datetime) -> int:
    """Return how much a database does for one look: rows of PostgreSQL, operations of SQLite."""
    query = turns_in(connection.dialect.name).params(now=now)
    if connection.dialect.name == "sqlite":
        counted: Counter[None] = Counter()
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: counted.update([None]), 1)
        connection.execute(query).all()
        driver.set_progress_handler(None, 1)
        return counted.total()
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}".replace(":", "\\:"))
    (plan,) = connection.execute(explain).scalars()
    return _rows((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _rows(node: dict[str, Any]) -> int:
    own = 0
    if node.get("Relation Name") == "signals":
        removed = node.get("Rows Removed by Filter", 0)
        own = round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return own + sum(_rows(each) for each in node.get("Plans", []))


async def test_a_look_costs_the_same_however_many_wait_behind_one_that_has_to(
    database: Database, clock: ManualClock
) -> None:
    others = [("b", f"T{n}") for n in range(10)]
    await put(database, [*[BLOCKED] * 20, *others], next_attempt_at=LATER)

    def look() -> int:
        with database.sync_engine.connect() as connection:
            return steps(connection, clock.now())

    few = await asyncio.to_thread(look)
    more = [
        {
            "signal_id": f"{n:064x}",
            "webhook_id": BLOCKED[0],
            "ticker": BLOCKED[1],
            "status": SignalStatus.queued,
            "received_at": START,
        }
        for n in range(100, 5_100)
    ]
    async with database.write() as session:
        await session.execute(insert(Signal), more)
    assert await turns(database) == list(range(21, 31))
    assert 0 < await asyncio.to_thread(look) <= few * 1.1
