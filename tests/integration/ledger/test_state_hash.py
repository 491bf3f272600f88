"""One hash over the books: the same for the same commands, whatever the database and the ids."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.proof.state import state_hash
from paperdesk.models import OrderType, TimeInForce
from support.databases import START
from support.trading import trading


async def hash_of(database: Database) -> str:
    async with database.read() as session:
        return await session.run_sync(state_hash)


async def after_some_trades(url: str, last: str = "1.5", **details: Any) -> str:
    database, clock = Database(url), ManualClock(START)
    try:
        async with trading(database, clock) as desk:
            desk.price("AAPL", "190.123456789")
            for key in ("b", "A", "é", None):
                clock.advance(timedelta(milliseconds=7))
                await desk.trade("buy", "2.25", client_order_id=key)
            await desk.trade("sell", last, **details)
            await desk.ledger.submit(ChangeRules("default", {"spread_bps": Decimal(4)}))
            await desk.place(
                "buy",
                "1",
                client_order_id="rests",
                type=OrderType.limit,
                time_in_force=TimeInForce.day,
                limit_price="1.5",
            )
        return await hash_of(database)
    finally:
        await database.close()


async def test_both_databases_say_the_same(sqlite_url: str, postgres_url: str) -> None:
    assert await after_some_trades(sqlite_url) == await after_some_trades(postgres_url)


async def test_other_commands_say_something_else(sqlite_template: Any, tmp_path: Path) -> None:
    said = [
        await after_some_trades(str(sqlite_template.copy_to(tmp_path / f"{n}.db")), **how)
        for n, how in enumerate(
            [{}, {"last": "1.500000001"}, {"client_order_id": "c"}, {"strategy": "s"}]
        )
    ]

    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET filled_quantity = filled_quantity + 1 WHERE client_order_id = 'b'",
        "UPDATE positions SET avg_cost = avg_cost + 1",
        "UPDATE users_profile SET cash_balance = cash_balance + 1",
        "UPDATE users_profile SET realized_pnl = realized_pnl + 1",
        "UPDATE orders SET reserved_cash = reserved_cash + 1 WHERE client_order_id = 'rests'",
        "UPDATE orders SET expires_at = NULL WHERE client_order_id = 'rests'",
        "UPDATE account_rules SET spread_bps = spread_bps + 1",
    ],
)
async def test_every_part_of_the_books_counts(sqlite_url: str, statement: str) -> None:
    before = await after_some_trades(sqlite_url)

    database = Database(sqlite_url)
    async with database.write() as session:
        await session.execute(text(statement))
    after = await hash_of(database)
    await database.close()

    assert after != before
