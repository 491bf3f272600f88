"""The task that matches resting orders with prices: it finds them, and the writer fills them."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.orm import InstrumentedAttribute

from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError
from paperdesk.ledger.lane.books import Batch
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.models import Order, OrderType
from paperdesk.orders.commands.match_orders import MatchOrders
from paperdesk.orders.matching.index import OrderIndex
from paperdesk.orders.prices import fill_price
from paperdesk.orders.resting import Resting
from paperdesk.orders.venue import Venue
from paperdesk.runtime.tasks import happens_within

AT_ONCE: Final = 100
"""Orders of one account in one command: other accounts come in between."""

PATIENCE: Final = 1.0
"""Seconds without a price after which expired orders are looked for all the same."""

_REMEMBER_EVERY: Final = timedelta(seconds=5)
"""How often the watermarks of trailing orders are stored: so much a crash may loosen a stop."""

_LOADED_AT_ONCE: Final = 1_000
_READ_AT_ONCE: Final = 100

ORDERS: Final = "paperdesk_orders"
"""The channel on which a process tells of the orders that it changed."""

_IDS_A_MESSAGE: Final = 200
"""A payload is shorter than 8000 bytes, and an id with its space has 37."""

_FIELDS: Final[tuple[InstrumentedAttribute[Any], ...]] = tuple(
    getattr(Order, name) for name in Resting.__slots__
)

T = TypeVar("T")

log = structlog.get_logger()


class Matcher:
    """Keeps the index of resting orders, and has those booked that a price touches.

    One process of a desk runs it. What it finds is a hint: the writer decides, under the account's
    lock and by what the books say, so an order is never filled twice, whatever the index believes.
    """

    def __init__(self, database: Database, venue: Venue) -> None:
        self._database = database
        self._venue = venue
        self._index = OrderIndex()
        self._told: deque[Order] = deque()
        self._named: deque[str] = deque()
        self._moved: set[str] = set()
        self._woken = asyncio.Event()
        self._remembered_at = venue.clock.now()
        self._runs = False
        self._trouble: str | None = None
        """Why orders could not be matched the last time; said once, not with every price."""

    def heard_orders(self, batch: Batch) -> None:
        """Take orders as a batch left them, from any thread; one that follows forgets them."""
        if self._runs and batch.orders:
            # Those that ended last: what took the place of one begins with what was seen of it.
            self._told.extend(sorted(batch.orders, key=_has_ended))

    def heard_prices(self, tickers: Iterable[str]) -> None:
        """Take tickers that have a new price."""
        if self._runs:
            self._moved.update(tickers)
            self._woken.set()

    def heard_of(self, message: str) -> None:
        """Take the ids of orders that another process changed."""
        if self._runs:
            self._named.extend(message.split())
            self._woken.set()

    async def begin(self, ledger: Ledger) -> None:
        """Take in the open orders of the database, and from now on what is told of others.

        And have their accounts read: else the first price that fills many would wait for that.
        """
        self._runs = True
        await self._load()
        for some in _chunks(sorted(self._index.accounts()), _READ_AT_ONCE):
            await asyncio.gather(*(ledger.account(account_id) for account_id in some))
        self._moved.update(quote.ticker for quote in self._venue.board.all())

    async def run(self, ledger: Ledger) -> None:
        """Match for ever."""
        try:
            await self.begin(ledger)
            while True:
                await self.match(ledger)
                await happens_within(self._woken, PATIENCE, self._venue.clock)
                self._woken.clear()
        finally:
            self._runs = False

    async def match(self, ledger: Ledger) -> None:
        """Have everything booked that the prices since the last time mean."""
        await self._update()
        now = self._venue.clock.now()
        moved, self._moved = self._moved, set()
        found = {order.id: order for order in self._index.ended(now)}
        for ticker in sorted(moved):
            found |= {order.id: order for order in await self._touched(ledger, ticker, now)}
        if now - self._remembered_at >= _REMEMBER_EVERY:
            self._remembered_at = now
            found |= {order.id: order for order in self._index.moved()}
        await self._book(ledger, found.values())

    async def _touched(self, ledger: Ledger, ticker: str, now: datetime) -> list[Resting]:
        """Return the orders of a ticker that its price is likely to fill, or changes otherwise."""
        quote = self._venue.board.fresh(ticker)
        if quote is None:
            return []
        touched = [
            order
            for order in self._index.touched(ticker, quote.price)
            if self._venue.trades(now, order.time_in_force, extended=order.extended_hours)
        ]
        limited = {order.user_id for order in touched if order.type is OrderType.limit}
        # The spread of its account may lie between the price and a limit.
        rules = {account_id: (await ledger.account(account_id)).rules for account_id in limited}
        return [
            order
            for order in touched
            if order.type is not OrderType.limit
            or fill_price(order, quote.price, rules[order.user_id]) is not None
        ]

    async def _book(self, ledger: Ledger, orders: Collection[Resting]) -> None:
        """Have the writer look at orders, in their sequence, those of each account together."""
        by_account: defaultdict[str, list[Resting]] = defaultdict(list)
        for order in orders:
            by_account[order.user_id].append(order)
        commands = [
            self._command(account_id, some)
            for account_id, of_account in by_account.items()
            for some in _chunks(of_account, AT_ONCE)
        ]
        trouble = await self._submit(ledger, commands)
        if trouble not in {None, self._trouble}:
            log.warning("orders.not_matched", code=trouble)
        if commands:
            self._trouble = trouble
        await self._update()

    async def _submit(self, ledger: Ledger, commands: Sequence[MatchOrders]) -> str | None:
        """Have commands booked, and return the code of one that was not.

        Nothing is lost of it: its orders rest on, and the next price finds them again. One with an
        order that breaks it is tried order by order, so that it stops nobody else's.
        """
        outcomes = await asyncio.gather(
            *(ledger.submit(command) for command in commands), return_exceptions=True
        )
        trouble: str | None = None
        for command, outcome in zip(commands, outcomes, strict=True):
            if isinstance(outcome, PaperdeskError):
                trouble = outcome.code
            elif isinstance(outcome, Exception) and len(command.order_ids) > 1:
                each = [replace(command, order_ids=[order_id]) for order_id in command.order_ids]
                trouble = await self._submit(ledger, each) or trouble
            elif isinstance(outcome, Exception):
                log.error("order.not_matched", order=command.order_ids[0], exc_info=outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        return trouble

    def _command(self, account_id: str, orders: Sequence[Resting]) -> MatchOrders:
        watermarks = {order.id: self._index.watermark(order) for order in orders}
        return MatchOrders(
            account_id,
            [order.id for order in orders],
            self._venue,
            {order_id: mark for order_id, mark in watermarks.items() if mark is not None},
        )

    async def _update(self) -> None:
        """Bring the index to where batches, of this process and of others, left the orders."""
        while self._told:
            order = self._told.popleft()
            self._put(Resting.of(order), is_open=order.closed_at is None)
        if self._named:
            named = sorted({self._named.popleft() for _ in range(len(self._named))})
            for some in _chunks(named, _LOADED_AT_ONCE):
                await self._read(Order.id.in_(some))

    async def _load(self) -> None:
        self._index = OrderIndex()
        self._told.clear()
        self._named.clear()
        last = ""
        while last is not None:
            last = await self._read(Order.closed_at.is_(None), Order.id > last)

    async def _read(self, *conditions: ColumnElement[bool]) -> str | None:
        """Read orders into the index; return the id of the last one, None if there was none."""
        query = select(*_FIELDS, Order.closed_at).where(*conditions).order_by(Order.id)
        async with self._database.read() as session:
            rows = (await session.execute(query.limit(_LOADED_AT_ONCE))).all()
        found = [(Resting(*fields), closed_at is None) for *fields, closed_at in rows]
        for order, is_open in sorted(found, key=lambda each: not each[1]):
            self._put(order, is_open=is_open)
        return found[-1][0].id if found else None

    def _put(self, order: Resting, *, is_open: bool) -> None:
        if not is_open:
            self._index.drop(order.id)
            return
        quote = self._venue.board.fresh(order.ticker)
        self._index.put(order, quote.price if quote else None)


def _has_ended(order: Order) -> bool:
    return order.closed_at is not None


def tell_of(connection: Connection, orders: Sequence[Order]) -> None:
    """Tell the process that matches of orders, when the connection's transaction commits."""
    for some in _chunks([order.id for order in orders], _IDS_A_MESSAGE):
        connection.execute(select(func.pg_notify(ORDERS, " ".join(some))))


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))
