"""Desks to be copied, and what stands in a database: every row, every table."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import Connection, Table, insert

from paperdesk.clock import ManualClock
from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Split
from paperdesk.db import migrate
from paperdesk.db.engine import Database
from paperdesk.db.inspection import read_sqlite
from paperdesk.ledger.accounts import ChangeRules
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.proof.marks import move
from paperdesk.ledger.proof.proving import prove
from paperdesk.models import (
    CashMovementKind,
    ChatMessage,
    ChatRole,
    CostBasis,
)
from paperdesk.settings import sqlite_path
from support import rows
from support.trading import trading

MESSAGES = 2500
"""More than are in memory at once."""

Everything = dict[str, list[dict[str, Any]]]


def ignored(_doing: str, _done: int, _total: int) -> None:
    """Watch nothing."""


async def content_of(url: str) -> Everything:
    """Return all rows of all tables, in an order of our own: databases sort text differently."""
    database = Database(url)
    try:
        async with database.read() as session:
            connection = await session.connection()
            found = await connection.run_sync(rows.everything)
    finally:
        await database.close()
    return {name: sorted(each, key=repr) for name, each in found.items()}


BOOKS = {
    "users_profile",
    "account_rules",
    "positions",
    "position_lots",
    "orders",
    "trades",
    "cash_movements",
    "position_adjustments",
    "proofs",
}
"""Tables whose rows must come from bookings, or they prove nothing."""


async def fill(url: str, clock: ManualClock) -> None:
    """Trade, split and withdraw, prove it, and put rows into every other table."""
    database = Database(url)
    async with trading(database, clock) as desk:
        desk.price("AAPL", "190.123456789")
        await desk.trade("buy", "3.000000001", client_order_id="k", note="ünïcode")
        notice = Notice("default", "split", clock.now(), clock.now())
        await desk.ledger.submit(Split(notice, "AAPL", 2, 1))
        by_lots = {"cost_basis_method": CostBasis.fifo, "volume_percent": Decimal(50)}
        await desk.ledger.submit(ChangeRules("default", by_lots))
        await desk.trade("buy", "0.25")
        await desk.trade("sell", "1")
        withdrawal = CashMovementKind.withdrawal
        await desk.ledger.submit(MoveCash("default", withdrawal, Decimal("0.000001"), clock))
    async with database.write() as session:
        connection = await session.connection()
        for table in rows.TABLES:
            if table.name not in BOOKS:
                await connection.run_sync(add, table, 7)
        await session.run_sync(lambda sync: move(sync, prove(sync).points, clock.now()))
        await connection.execute(
            insert(ChatMessage),
            [
                {"role": ChatRole.user, "content": f"message {n}", "actions": {"b": 1e2, "a": [n]}}
                for n in range(MESSAGES)
            ],
        )
    await database.close()


def add(connection: Connection, table: Table, number: int) -> None:
    """Put a row of the account `default` into a table."""
    changes = {"user_id": "default", "order_id": None}
    rows.add(connection, table, number, **{k: v for k, v in changes.items() if k in table.columns})


def execute(url: str, statement: str) -> None:
    """Run a statement in a database, as an operator would."""
    if path := sqlite_path(url):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executescript(statement)
    else:
        with psycopg.connect(url.replace("+asyncpg", "")) as connection:
            connection.execute(statement.encode())


async def migrated(url: str, revision: str = "head") -> None:
    """Bring a database to a revision."""
    async with migrate.guarded(url, destination=revision) as connection:
        await migrate.upgrade(connection, revision)


@asynccontextmanager
async def unchanged(url: str) -> AsyncIterator[None]:
    """Check that the block leaves every row of a database as it is."""
    before = await content_of(url)
    yield
    assert await content_of(url) == before


def tables_of(url: str) -> set[str]:
    """Return the names of the tables, as somebody finds them who looks in."""
    if path := sqlite_path(url):
        return set(read_sqlite(path).tables)
    with psycopg.connect(url.replace("+asyncpg", "")) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        return {name for (name,) in found}
