"""What the ledger booked, as events of the feed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Final

from pydantic import Field
from sqlalchemy import Connection, select

from paperdesk.api.codec import Amount, Answer
from paperdesk.db.engine import Database
from paperdesk.events.event import Event
from paperdesk.events.feed import Feed
from paperdesk.ledger.lane.books import Batch
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.schemas import trade_fields
from paperdesk.ledger.views import AccountView
from paperdesk.models import Order, Trade
from paperdesk.orders.schemas import OrderAnswer

_READ_AT_ONCE: Final = 500


class PositionFigures(Answer):
    """A position of an account, without a price."""

    ticker: Annotated[str, Field(examples=["AAPL"])]
    quantity: Amount
    available_quantity: Amount
    avg_cost: Amount
    cost_basis: Amount


class AccountFigures(Answer):
    """An account after a booking: what of the portfolio does not depend on prices.

    `sequence` is the number of the last entry of its journal, `version` grows with what leaves no
    entry.
    """

    id: Annotated[str, Field(examples=["default"])]
    sequence: int
    version: int
    cash_balance: Amount
    reserved_cash: Amount
    short_collateral: Amount
    buying_power: Amount
    realized_pnl: Amount
    positions: list[PositionFigures]


class Teller:
    """Tells the feed what batches of the ledger booked."""

    def __init__(self, feed: Feed, database: Database) -> None:
        self._feed = feed
        self._database = database

    def after_batch(self, connection: Connection, batch: Batch) -> None:
        """Tell all processes on a PostgreSQL, when the batch's transaction commits."""
        if self._feed.shared:
            self._feed.refer(connection, list(_events_of(batch)))
            self._feed.send(connection, batch.events)

    def heard(self, batch: Batch) -> None:
        """Tell of a batch that was committed, from any thread, where no other process is."""
        feed = self._feed
        if feed.shared:
            return
        if any(feed.is_followed(account.id) for account in batch.accounts):
            feed.publish(*_events_of(batch))
        feed.publish(*batch.events)

    async def receive(self, ledger: Ledger) -> None:
        """Tell of what other processes booked, for ever."""
        await self._feed.receive(partial(self._read, ledger))

    async def _read(self, ledger: Ledger, named: Sequence[Event]) -> list[Event]:
        """Return events of which the names were heard, as things are now."""
        keys: defaultdict[str, set[str]] = defaultdict(set)
        for event in named:
            keys[event.kind].add(event.key)
        found: list[Event] = []
        async with self._database.read() as session:
            for ids in _chunks(keys["order"]):
                orders = await session.scalars(select(Order).where(Order.id.in_(ids)))
                found += map(_order_event, orders)
            for ids in _chunks(keys["trade"]):
                trades = await session.scalars(select(Trade).where(Trade.id.in_(ids)))
                found += map(_trade_event, trades)
        # After the others: never older than what is told of them.
        for account_id in keys["account"]:
            found.append(_account_event(await ledger.account(account_id)))
        return found


def _events_of(batch: Batch) -> Iterator[Event]:
    """Return what happened in a batch: orders, their trades, then the accounts after it.

    Of the trades of a replayed file only what they made of the account: there are thousands.
    """
    yield from map(_order_event, batch.touched)
    yield from (_trade_event(entry) for entry in batch.entries if isinstance(entry, Trade))
    yield from map(_account_event, batch.accounts)


def _order_event(order: Order) -> Event:
    # Two machines' clocks do not agree on what was later, but one that ended stays so.
    has_ended = order.closed_at is not None
    return Event(order.user_id, "order", order.id, partial(_order_fields, order), has_ended)


def _trade_event(trade: Trade) -> Event:
    return Event(trade.user_id, "trade", trade.id, partial(trade_fields, trade))


def _account_event(view: AccountView) -> Event:
    return Event(view.id, "account", view.id, partial(_figures, view), view.point)


def _order_fields(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in OrderAnswer.model_fields}


def _figures(view: AccountView) -> AccountFigures:
    return AccountFigures(
        id=view.id,
        sequence=view.sequence,
        version=view.head.version,
        cash_balance=view.cash_balance,
        reserved_cash=view.reserved_cash,
        short_collateral=view.short_collateral,
        buying_power=view.buying_power,
        realized_pnl=view.realized_pnl,
        positions=[
            PositionFigures(
                ticker=position.ticker,
                quantity=position.quantity,
                available_quantity=position.available,
                avg_cost=position.avg_cost,
                cost_basis=position.cost_basis,
            )
            for position in view.positions
        ],
    )


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for first in range(0, len(ordered), _READ_AT_ONCE):
        yield ordered[first : first + _READ_AT_ONCE]
