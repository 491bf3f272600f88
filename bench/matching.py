"""Resting orders: what a tick costs that touches none, and how soon a thousand are filled."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, update

from bench.failures import Failed
from bench.report import Figure, Part
from bench.servers import scratch
from paperdesk.bootstrap import open_database
from paperdesk.clock import SystemClock
from paperdesk.db.engine import Database
from paperdesk.ids import new_id
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.market.hours import RoundTheClock
from paperdesk.market.quotes import QuoteBoard, Tick
from paperdesk.models import Order, OrderStatus, OrderType, Side, TimeInForce, Trade, UserProfile
from paperdesk.orders.matching.matcher import Matcher
from paperdesk.orders.venue import Venue
from paperdesk.settings import database_url

ORDERS: Final = 100_000
TICKERS: Final = 500
ACCOUNTS: Final = 20
TICKS: Final = 20
TOUCHED: Final = 1_000
INTERVAL: Final = 0.5
"""Seconds between two ticks of the simulator."""

CPU_AIM, FILL_AIM = 0.5, INTERVAL
_PRICE: Final = Decimal(100)


def matching(orders: int = ORDERS) -> Part:
    """Measure the matching of a desk on SQLite, in this process."""
    part = Part(
        "Matching",
        f"{orders} resting orders of {ACCOUNTS} accounts on {TICKERS} tickers: limits, stops and "
        f"trailing stops; {TICKS} ticks of all tickers that touch none, then one that fills "
        f"{TOUCHED}, each of them a durable trade",
    )
    with scratch() as folder:
        asyncio.run(_measure(part, folder / "desk.db", orders))
    return part


async def _measure(part: Part, path: Path, orders: int) -> None:
    clock = SystemClock()
    database = await open_database(database_url(path), clock)
    try:
        await _write_orders(database, orders)
        board = QuoteBoard(clock, timedelta(seconds=INTERVAL))
        venue = Venue(board, clock, RoundTheClock(ZoneInfo("America/New_York")))
        matcher = Matcher(database, venue)
        ledger = Ledger(database, listeners=[matcher.heard_orders])
        _tick(board, matcher, _PRICE, 0)
        started = time.perf_counter()
        await matcher.begin(ledger)
        loaded = time.perf_counter() - started
        await matcher.match(ledger)
        used, took = [], []
        for n in range(TICKS):
            _tick(board, matcher, _PRICE, n)
            cpu, wall = time.process_time(), time.perf_counter()
            await matcher.match(ledger)
            used.append(time.process_time() - cpu)
            took.append(time.perf_counter() - wall)
        # The limits of a few tickers are reached, and with them those of every account.
        touched = [f"T{n}" for n in range(TICKERS)][: max(1, TICKERS * TOUCHED * 2 // orders)]
        now = clock.now()
        for ticker in touched:
            board.put(ticker, Tick(Decimal(80), now), "bench", now)
        matcher.heard_prices(touched)
        started = time.perf_counter()
        await matcher.match(ledger)
        filled_in = time.perf_counter() - started
        async with database.read() as session:
            trades = await session.scalar(select(func.count()).select_from(Trade))
            filled = await session.scalar(
                select(func.count()).select_from(Order).where(Order.status == OrderStatus.filled)
            )
        await ledger.close()
    finally:
        await database.close()
    if not trades or trades != filled:
        raise Failed(f"{filled} orders say that they were filled, and there are {trades} trades.")
    part.checks.append(f"{trades} orders filled once each, by {trades} trades")
    part.figures = [
        Figure(
            "part of a core, 2 ticks a second",
            median(used) / INTERVAL,
            "",
            aim=CPU_AIM,
            wish="at most",
            note=f"a tick takes {median(took) * 1000:.1f} ms, the slowest {max(took) * 1000:.1f}",
        ),
        Figure(
            f"{trades} fills by one tick",
            filled_in,
            "s",
            aim=FILL_AIM,
            wish="at most",
            note=f"{trades / filled_in:.0f} durable fills a second",
        ),
        Figure("orders read into the index at a start", loaded, "s"),
    ]


def _tick(board: QuoteBoard, matcher: Matcher, price: Decimal, n: int) -> None:
    """Give every ticker a price that touches nothing."""
    clock = SystemClock()
    now = clock.now()
    tickers = [f"T{number}" for number in range(TICKERS)]
    for ticker in tickers:
        board.put(ticker, Tick(price + Decimal(n % 3) / 10, now), "bench", now)
    matcher.heard_prices(tickers)


async def _write_orders(database: Database, orders: int) -> None:
    now = SystemClock().now()
    accounts = [f"account-{n}" for n in range(ACCOUNTS)]
    async with database.write() as session:
        for account in accounts:
            await session.run_sync(open_account, account, Decimal(10**9), now, account_id=account)
    rows = list(_rows(accounts, orders))
    for first in range(0, len(rows), 5_000):
        async with database.write() as session:
            await session.execute(insert(Order), rows[first : first + 5_000])
    async with database.write() as session:
        await session.execute(update(UserProfile).values(version=UserProfile.version + 1))


def _rows(accounts: list[str], orders: int) -> Iterator[dict[str, Any]]:
    """Give orders: half limits below the price, a quarter stops above it, a quarter trailing."""
    now = SystemClock().now()
    for n in range(orders):
        order_id = new_id()
        kind = (OrderType.limit, OrderType.stop, OrderType.limit, OrderType.trailing_stop)[n % 4]
        step = Decimal(n // TICKERS % 100) / 10
        limit = kind is OrderType.limit
        trails = kind is OrderType.trailing_stop
        yield {
            "id": order_id,
            "user_id": accounts[n % len(accounts)],
            "client_order_id": order_id,
            "ticker": f"T{n // 4 % TICKERS}",
            "side": Side.buy,
            "type": kind,
            "time_in_force": TimeInForce.gtc,
            "status": OrderStatus.new,
            "quantity": Decimal(1),
            "limit_price": _PRICE - 1 - step if limit else None,
            "stop_price": _PRICE + 30 + step if kind is OrderType.stop else None,
            "trail_price": Decimal(30) + step if trails else None,
            "watermark": _PRICE if trails else None,
            "reserved_cash": _PRICE - 1 - step if limit else Decimal(150),
            "source": "bench",
            "submitted_at": now,
            "updated_at": now,
        }
