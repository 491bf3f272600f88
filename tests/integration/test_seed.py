"""The first data, exactly as the design lists it, once and never again."""

import asyncio
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select, update

from paperdesk.bootstrap import close_db, init_db
from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.db.lock import Ownership
from paperdesk.ledger import journal
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    DeskMeta,
    Domain,
    Stock,
    UserProfile,
    Watchlist,
    WatchlistEntry,
)
from support.databases import START, make_ready
from support.rows import everything

WATCHLIST = "AAPL GOOGL MSFT AMZN TSLA NVDA META JPM V NFLX"
STOCKS = {
    ("AI/Tech", "AAPL", "Apple Inc."),
    ("AI/Tech", "MSFT", "Microsoft Corp."),
    ("AI/Tech", "NVDA", "NVIDIA Corp."),
    ("AI/Tech", "AMD", "Advanced Micro Devices"),
    ("AI/Tech", "GOOGL", "Alphabet Inc."),
    ("EV", "TSLA", "Tesla Inc."),
    ("EV", "RIVN", "Rivian Automotive"),
    ("Finance", "JPM", "JPMorgan Chase"),
    ("Finance", "GS", "Goldman Sachs"),
}


async def contents(database: Database) -> dict[str, list[dict[str, Any]]]:
    async with database.reader.connect() as connection:
        return await connection.run_sync(everything)


async def test_one_account_opens_with_ten_thousand_dollars(database: Database) -> None:
    async with database.read() as session:
        (account,) = (await session.scalars(select(UserProfile))).all()
    assert (account.id, account.cash_balance) == ("default", Decimal(10_000))
    assert (account.realized_pnl, account.created_at) == (0, START)


async def test_watchlist_has_the_ten_tickers_in_their_order(database: Database) -> None:
    async with database.read() as session:
        (named,) = (await session.scalars(select(Watchlist))).all()
        entries = (await session.scalars(select(WatchlistEntry).order_by(WatchlistEntry.id))).all()
    assert (named.user_id, named.id) == ("default", "primary")
    assert [entry.ticker for entry in entries] == WATCHLIST.split()
    assert {(entry.user_id, entry.list_id) for entry in entries} == {("default", "primary")}


async def test_stocks_stand_in_their_domains(database: Database) -> None:
    query = select(Domain.name, Stock.ticker, Stock.name).join(Stock.domain)
    async with database.read() as session:
        assert {tuple(one) for one in await session.execute(query)} == STOCKS


async def test_opening_deposit_is_the_first_journal_entry_and_its_hash_recomputes(
    database: Database,
) -> None:
    async with database.read() as session:
        (account,) = (await session.scalars(select(UserProfile))).all()
        (entry,) = (await session.scalars(select(CashMovement))).all()
    assert (entry.kind, entry.amount) == (CashMovementKind.deposit, Decimal(10_000))
    assert (entry.user_id, entry.sequence) == ("default", 1)
    assert entry.hash == journal.chained_hash("0" * 64, entry)
    assert (account.head_sequence, account.head_hash) == (1, entry.hash)


async def test_nothing_else_is_seeded(database: Database) -> None:
    found = await contents(database)
    full = {
        "users_profile",
        "watchlists",
        "watchlist",
        "cash_movements",
        "domains",
        "stocks",
        "desk_meta",
        "audit_logs",
    }
    assert {table for table, rows in found.items() if rows} == full


async def test_seeding_again_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    before = await contents(database)
    make_ready(database_url)
    assert await contents(database) == before
    await database.close()


async def test_what_the_user_changed_since_is_not_brought_back(database_url: str) -> None:
    database = Database(database_url)
    async with database.write() as session:
        await session.execute(update(UserProfile).values(cash_balance=Decimal("12.34")))
        await session.execute(delete(WatchlistEntry).where(WatchlistEntry.ticker == "TSLA"))
        await session.execute(delete(Stock).where(Stock.ticker == "GS"))
    before = await contents(database)
    again = await init_db(database_url, clock=ManualClock(START))
    assert await contents(again) == before
    await close_db()
    await database.close()


async def test_opening_a_desk_twice_gives_the_same_one(database_url: str) -> None:
    first = await init_db(database_url)
    assert await init_db(database_url) is first
    await close_db(first)
    await close_db(first)
    await close_db()
    # Closed means closed: the next one is new and works.
    second = await init_db(database_url)
    assert second is not first
    async with second.read() as session:
        assert await session.get(DeskMeta, "seeded_at")
    await close_db()


async def test_tasks_that_open_a_desk_at_once_share_it(database_url: str) -> None:
    first, second = await asyncio.gather(init_db(database_url), init_db(database_url))
    assert first is second
    await close_db()
    assert not Ownership._owned
