"""The kind `basket`: each row is an order, placed as any other is."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from paperdesk.db.engine import Database
from paperdesk.errors import UnknownTicker
from paperdesk.jobs.basket.command import parse_command
from paperdesk.jobs.basket.expanding import Situation, expand, tickers_to_price
from paperdesk.jobs.basket.schemas import BasketRow
from paperdesk.jobs.kinds import FEW, Outcome
from paperdesk.jobs.reading import read_row
from paperdesk.jobs.tables import rows_of, text_of
from paperdesk.jobs.undoing import undo_order
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.market.feed import Market
from paperdesk.models import Job, JobRow, OrderStatus, Side
from paperdesk.orders.commands.place_order import Placed, PlaceOrder, Sender
from paperdesk.orders.placing import unknown_among
from paperdesk.orders.terms import Terms
from paperdesk.orders.venue import Venue
from paperdesk.watchlist.service import entries

SOURCE: Final = "job"


class Wanted(NamedTuple):
    """What a row asks for."""

    terms: Terms
    strategy: str | None
    note: str | None


class Basket:
    """Orders. A row is completed once its order is accepted: one that rests goes on by itself."""

    name = "basket"
    at_once = FEW

    def __init__(self, database: Database, ledger: Ledger, market: Market, venue: Venue) -> None:
        self._database = database
        self._ledger = ledger
        self._market = market
        self._venue = venue

    async def spoken(self, account_id: str, command: str) -> list[Any]:
        """Return the rows that a command means on an account as it is now."""
        asked = parse_command(command)
        account = await self._ledger.account(account_id)
        async with self._database.read() as session:
            watchlist = [entry.ticker for entry in await entries(session, account_id)]
        held = {position.ticker: position.quantity for position in account.positions}
        tickers = tickers_to_price(asked, watchlist, list(held))
        quotes = await asyncio.gather(*(self._market.quote(ticker) for ticker in tickers))
        prices = {quote.ticker: quote.price for quote in quotes}
        return list(expand(asked, Situation(watchlist, held, account.buying_power, prices)))

    def filed(self, content: bytes) -> list[Any]:
        """Return the orders of a file."""
        return rows_of(text_of(content))

    def check(self, data: Any, told: Any) -> Wanted:  # noqa: ARG002 - nothing is told of orders
        """Return what a row asks for. Raises InvalidRequest."""
        row = read_row(BasketRow, data)
        return Wanted(row.terms(), row.strategy, row.note)

    def is_ordered(self, rows: Sequence[Wanted]) -> bool:
        """Say whether a sale may have to bring the cash for a purchase after it."""
        return len({row.terms.side for row in rows}) > 1

    async def prepare(self, rows: Sequence[Wanted]) -> Mapping[str, UnknownTicker]:
        """Have all tickers priced, in 2 s at most; return why, of those that there are not."""
        return await unknown_among(self._market, (row.terms.ticker for row in rows))

    def book(
        self,
        books: Books,
        job: Job,
        row: JobRow,
        said: Wanted,
        prepared: Mapping[str, UnknownTicker],
    ) -> Outcome:
        """Place the order of a row, under the row's key."""
        sender = Sender(job.user_id, SOURCE, row.idempotency_key, said.strategy, said.note)
        unknown = prepared.get(said.terms.ticker)
        placed = PlaceOrder(sender, said.terms, self._venue, unknown=unknown)(books)
        order = placed.order
        return Outcome(
            _cost(placed),
            {"order_id": order.id},
            order.id,
            _warning(placed),
            order.reserved_cash,
        )

    def undo(self, books: Books, job: Job, row: JobRow) -> None:
        """Take back what was traded, and cancel what is still open."""
        assert row.order_id is not None  # noqa: S101 - it was completed
        why = f"Row {row.row_number} of the job {job.id} was undone."
        undo_order(books, job.user_id, row.order_id, self._venue.clock.now(), why)


def _cost(placed: Placed) -> Decimal:
    """Return the cash that left the account, in US dollars."""
    spent = Decimal(0)
    for trade in placed.trades:
        spent += trade.fee + (trade.value if trade.side is Side.buy else -trade.value)
    return spent


def _warning(placed: Placed) -> str | None:
    order = placed.order
    if order.status is OrderStatus.filled:
        return None
    if order.closed_at is not None:
        return order.reason
    return f"The order is {order.status}: it waits for its price or for the market to open."
