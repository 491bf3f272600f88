"""Databases with a long past: made by the desk's own arithmetic and journal, kept for later."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bench.report import say
from bench.servers import BUILD
from bench.trading import TICKERS
from paperdesk.bootstrap import open_database
from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.db.migrate import head_revision
from paperdesk.ids import new_id
from paperdesk.ledger import booking, journal
from paperdesk.ledger.holdings import NOTHING, Holding, Lot, average_cost, closed, opened
from paperdesk.models import (
    DEFAULT_ACCOUNT,
    CostBasis,
    Order,
    OrderStatus,
    OrderType,
    PortfolioSnapshot,
    Position,
    Side,
    TimeInForce,
    Trade,
    UserProfile,
)
from paperdesk.settings import database_url

_SPAN = timedelta(days=365)
_CHUNK = 10_000
_SOURCE = "bench"
_HALF = Decimal("0.5")


def desk_with_past(trades: int, snapshots: int) -> Path:
    """Return a SQLite file with that many trades and snapshots, over a year; made the first time.

    Every other trade sells what the one before it bought, half a share; every ticker keeps one.
    """
    return made_once(
        "past",
        f"{trades}-{snapshots}",
        f"{trades:,} trades and {snapshots:,} snapshots",
        lambda path: _make(path, trades, snapshots),
    )


def made_once(
    kind: str, size: str, what: str, make: Callable[[Path], Coroutine[Any, Any, None]]
) -> Path:
    """Return the SQLite file of a desk of a kind and size; made the first time at a revision."""
    path = BUILD / f"{kind}-{head_revision()}-{size}.db"
    if not path.exists():
        say(f"Making a desk of {what}, this once")
        BUILD.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".making")
        for old in [*BUILD.glob(f"{making.name}*"), *BUILD.glob(f"{kind}-*-{size}.db")]:
            old.unlink()
        asyncio.run(make(making))
        making.rename(path)
    return path


async def _make(path: Path, trades: int, snapshots: int) -> None:
    began = SystemClock().now() - _SPAN
    database = await open_database(database_url(path), ManualClock(began))
    try:
        await asyncio.to_thread(_fill, database, began, trades, snapshots)
    finally:
        await database.close()


def _fill(database: Database, began: datetime, trades: int, snapshots: int) -> None:
    with database.sync_session() as session:
        past = _Past(session, began, _SPAN / (trades + 1))
        for first in range(0, trades, _CHUNK):
            past.trade(first, min(first + _CHUNK, trades))
            session.commit()
        past.close()
        session.commit()
        _snapshots(session, began, _SPAN / (snapshots + 1), snapshots)
        session.commit()


class _Past:
    """The account while its trades are made."""

    def __init__(self, session: Session, began: datetime, step: timedelta) -> None:
        self._session = session
        self._began = began
        self._step = step
        self._account = session.get_one(UserProfile, DEFAULT_ACCOUNT)
        self._held: dict[str, Holding] = dict.fromkeys(TICKERS, NOTHING)
        self._opened_at: dict[str, datetime] = {}

    def trade(self, first: int, end: int) -> None:
        """Write the trades and orders of these numbers, and the account after them."""
        orders: list[dict[str, Any]] = []
        trades: list[dict[str, Any]] = []
        for number in range(first, end):
            values = self._booked(number, new_id())
            trades.append(values)
            orders.append(_order_of(values))
        self._session.execute(insert(Order.__table__), orders)  # pyright: ignore[reportArgumentType]
        self._session.execute(insert(Trade.__table__), trades)  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        """Write what is held at the end."""
        for ticker, held in self._held.items():
            if held.quantity:
                self._session.add(
                    Position(
                        user_id=DEFAULT_ACCOUNT,
                        ticker=ticker,
                        quantity=held.quantity,
                        cost_basis=held.cost_basis,
                        avg_cost=average_cost(held),
                        opened_at=self._opened_at[ticker],
                        updated_at=self._began + _SPAN,
                    )
                )

    def _booked(self, number: int, order_id: str) -> dict[str, Any]:
        account = self._account
        ticker, side, quantity = _what(number)
        price = Decimal(10_000 + number * 7919 % 1000).scaleb(-2)
        executed_at = self._began + (number + 1) * self._step
        if not self._held[ticker].quantity:
            self._opened_at[ticker] = executed_at
        value = booking.value_of(quantity, price)
        realized = Decimal(0)
        if side is Side.buy:
            lot = Lot(number, executed_at, quantity, value)
            self._held[ticker] = opened(self._held[ticker], executed_at, CostBasis.average, lot)
            account.cash_balance -= value
        else:
            since = self._opened_at[ticker]
            sale = closed(self._held[ticker], since, CostBasis.average, quantity)
            self._held[ticker], realized = sale.left, value - sale.cost
            account.cash_balance += value
            account.realized_pnl += realized
        account.head_sequence += 1
        values: dict[str, Any] = {
            "id": new_id(),
            "user_id": DEFAULT_ACCOUNT,
            "order_id": order_id,
            "ticker": ticker,
            "side": side,
            "quantity": quantity,
            "price": price,
            "value": value,
            "fee": Decimal(0),
            "realized_pnl": realized,
            "source": _SOURCE,
            "strategy": None,
            "executed_at": executed_at,
            "sequence": account.head_sequence,
        }
        account.head_hash = journal.chained_hash(account.head_hash, Trade(**values))
        return values | {"hash": account.head_hash}


def _what(number: int) -> tuple[str, Side, Decimal]:
    if number < len(TICKERS):
        return TICKERS[number], Side.buy, Decimal(1)
    side = Side.buy if number % 2 == 0 else Side.sell
    return TICKERS[number // 2 % len(TICKERS)], side, _HALF


def _order_of(trade: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": trade["order_id"],
        "user_id": trade["user_id"],
        "client_order_id": trade["order_id"],
        "ticker": trade["ticker"],
        "side": trade["side"],
        "type": OrderType.market,
        "time_in_force": TimeInForce.day,
        "status": OrderStatus.filled,
        "quantity": trade["quantity"],
        "filled_quantity": trade["quantity"],
        "filled_avg_price": trade["price"],
        "source": _SOURCE,
        "submitted_at": trade["executed_at"],
        "filled_at": trade["executed_at"],
        "closed_at": trade["executed_at"],
        "updated_at": trade["executed_at"],
    }


def _snapshots(session: Session, began: datetime, step: timedelta, count: int) -> None:
    for first in range(0, count, _CHUNK):
        rows: list[dict[str, Any]] = []
        for number in range(first, min(first + _CHUNK, count)):
            shares = Decimal(1000 + number * 7919 % 100)
            cash = Decimal(9000)
            rows.append(
                {
                    "id": new_id(),
                    "user_id": DEFAULT_ACCOUNT,
                    "total_value": cash + shares,
                    "cash_balance": cash,
                    "positions_value": shares,
                    "incomplete": False,
                    "recorded_at": began + (number + 1) * step,
                }
            )
        session.execute(insert(PortfolioSnapshot.__table__), rows)  # pyright: ignore[reportArgumentType]
