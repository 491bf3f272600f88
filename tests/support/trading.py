"""A desk's ledger with a price board that tests write on."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.ledger.journal import FIRST_HASH, canonical_bytes
from paperdesk.ledger.lane.writer import Booked, Ledger
from paperdesk.market.hours import Hours, RoundTheClock
from paperdesk.market.quotes import QuoteBoard, Tick
from paperdesk.models import (
    Base,
    CashMovement,
    Position,
    PositionAdjustment,
    Side,
    Trade,
    UserProfile,
)
from paperdesk.orders.commands.place_order import Placed, PlaceOrder, Sender
from paperdesk.orders.matching.matcher import Matcher
from paperdesk.orders.terms import Terms
from paperdesk.orders.venue import Venue

AMOUNTS = {
    "quantity",
    "notional",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "take_profit",
}


class TradingDesk:
    """A ledger, a board and a clock: what it takes to trade without HTTP."""

    def __init__(self, database: Database, clock: ManualClock, hours: Hours | None = None) -> None:
        self.database = database
        self.clock = clock
        self.board = QuoteBoard(clock, timedelta(seconds=0.5))
        self.venue = Venue(self.board, clock, hours or RoundTheClock(ZoneInfo("America/New_York")))
        self.matcher = Matcher(database, self.venue)
        self._matches = False
        self.ledger = Ledger(database, listeners=[self.matcher.heard_orders])

    def price(self, ticker: str, price: str, volume: str | None = None) -> None:
        now = self.clock.now()
        shares = None if volume is None else Decimal(volume)
        self.board.put(ticker, Tick(Decimal(price), now, shares), "test", now)

    def order(
        self,
        side: str,
        quantity: str | None,
        ticker: str = "AAPL",
        *,
        account_id: str = "default",
        client_order_id: str | None = None,
        strategy: str | None = None,
        note: str | None = None,
        whole: bool = True,
        **terms: Any,
    ) -> PlaceOrder:
        """Return the command for an order; prices may be given as text."""
        exact: dict[str, Any] = {
            name: Decimal(value) if name in AMOUNTS and value is not None else value
            for name, value in {**terms, "quantity": quantity}.items()
        }
        return PlaceOrder(
            Sender(account_id, "test", client_order_id, strategy, note),
            Terms(ticker, Side(side), **exact),
            self.venue,
            whole,
        )

    async def trade(
        self, side: str, quantity: str, ticker: str = "AAPL", **rest: Any
    ) -> Booked[Placed]:
        """Place a market order that is filled at once."""
        return await self.ledger.submit(self.order(side, quantity, ticker, **rest))

    async def place(
        self, side: str, quantity: str | None, ticker: str = "AAPL", **rest: Any
    ) -> Placed:
        """Place an order that may rest."""
        order = self.order(side, quantity, ticker, whole=False, **rest)
        return (await self.ledger.submit(order)).result

    async def move(self, ticker: str, price: str, volume: str | None = None) -> None:
        """Give a ticker a price, and have matched what it means."""
        if not self._matches:
            self._matches = True
            await self.matcher.begin(self.ledger)
        self.price(ticker, price, volume)
        self.matcher.heard_prices([ticker])
        await self.matcher.match(self.ledger)


@asynccontextmanager
async def trading(
    database: Database, clock: ManualClock, hours: Hours | None = None
) -> AsyncIterator[TradingDesk]:
    desk = TradingDesk(database, clock, hours)
    try:
        yield desk
    finally:
        await desk.ledger.close()


async def row_counts(database: Database) -> dict[str, int]:
    async with database.read() as session:
        return {
            table.name: await session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


async def state_of(database: Database, account_id: str = "default") -> dict[str, Any]:
    """Everything that the account's journal leads to, for comparing two ways to the same end."""
    async with database.read() as session:
        account = await session.get_one(UserProfile, account_id)
        positions = await session.scalars(select(Position).where(Position.user_id == account_id))
        return {
            "cash": account.cash_balance,
            "realized": account.realized_pnl,
            "sequence": account.head_sequence,
            "positions": {p.ticker: (p.quantity, p.cost_basis, p.avg_cost) for p in positions},
        }


async def assert_books_hold(database: Database, account_id: str = "default") -> None:
    """The money equation, the gapless sequence and the hash chain, recomputed from the rows."""
    async with database.read() as session:
        account = await session.get_one(UserProfile, account_id)
        entries: list[Any] = []
        for table in (Trade, CashMovement, PositionAdjustment):
            entries += await session.scalars(select(table).where(table.user_id == account_id))
        positions = await session.scalars(select(Position).where(Position.user_id == account_id))
        cost = sum((p.cost_basis for p in positions), Decimal(0))
    entries.sort(key=lambda entry: entry.sequence)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    head = FIRST_HASH
    for entry in entries:
        head = hashlib.sha256(head.encode() + canonical_bytes(entry)).hexdigest()
        assert entry.hash == head
    assert (account.head_sequence, account.head_hash) == (len(entries), head)
    trades = [entry for entry in entries if isinstance(entry, Trade)]
    moved = sum((e.amount for e in entries if isinstance(e, CashMovement)), Decimal(0))
    realized = sum((t.realized_pnl for t in trades), Decimal(0))
    fees = sum((t.fee for t in trades), Decimal(0))
    # What was realised counts from the last reset on.
    resets = [e.sequence for e in entries if isinstance(e, CashMovement) and e.kind == "adjustment"]
    chapter = [trade.realized_pnl for trade in trades if trade.sequence > max(resets, default=0)]
    assert account.realized_pnl == sum(chapter, Decimal(0))
    # What an adjustment brought or took without another ticker came from outside.
    moved += sum(
        (
            e.amount + (e.cost_basis if e.new_ticker is None else 0)
            for e in entries
            if isinstance(e, PositionAdjustment)
        ),
        Decimal(0),
    )
    assert account.cash_balance + cost == moved + realized - fees
