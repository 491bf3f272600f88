"""The command that closes a position, or a part of it, at the market."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from paperdesk.audit.trail import Action
from paperdesk.errors import InsufficientShares, InvalidRequest, NotFound
from paperdesk.ledger.booking import percent_of
from paperdesk.ledger.fills import shares_there
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderStatus, OrderType, Side
from paperdesk.orders import linked
from paperdesk.orders.commands.place_order import (
    Placed,
    Sender,
    earlier_order,
    enter,
    used_for_another_order,
)
from paperdesk.orders.terms import Terms
from paperdesk.orders.venue import Venue

_WHOLE: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class ClosePosition:
    """Sell what is held of a ticker, or buy back what is sold short.

    All of it, `quantity` shares, or `percent` of it; `lots` say which. With `cancel_orders`, the
    open orders that would close it are canceled first.
    """

    sender: Sender
    ticker: str
    venue: Venue
    quantity: Decimal | None = None
    percent: Decimal | None = None
    cancel_orders: bool = False
    lots: tuple[int, ...] | None = None

    @property
    def account_id(self) -> str:
        """The account that trades."""
        return self.sender.account_id

    @property
    def key(self) -> str | None:
        """The key that makes it repeatable."""
        return self.sender.client_order_id

    def __call__(self, books: Books) -> Placed:
        """Close it. Raises NotFound where nothing is held, or what the books refuse."""
        if (earlier := earlier_order(books, self.sender)) is not None:
            return self._replay(earlier)
        if self.quantity is not None and self.percent is not None:
            raise InvalidRequest("Give either quantity or percent, or neither to close it all.")
        held = books.account(self.account_id).holding(self.ticker).quantity
        side = Side.buy if held < 0 else Side.sell
        quantity = self._shares_to_close(books)
        terms = Terms(self.ticker, side, OrderType.market, quantity=quantity, lots=self.lots)
        terms.check()
        if self.cancel_orders:
            self._cancel_orders(books, terms)
        return enter(books, self.sender, terms, self.venue, action=Action.position_closed)

    def _shares_to_close(self, books: Books) -> Decimal:
        """Return how many shares to close. Raises where they are not there."""
        account = books.account(self.account_id)
        held = abs(account.holding(self.ticker).quantity)
        if not held:
            raise NotFound(f"There is no position in {self.ticker}.")
        quantity = held if self.quantity is None else self.quantity
        if self.percent is not None:
            if not 0 < self.percent <= _WHOLE:
                raise InvalidRequest("percent: must be more than 0 and at most 100.")
            quantity = percent_of(held, self.percent)
        available = held if self.cancel_orders else account.available_shares(self.ticker)
        if quantity > available:
            hint = "" if quantity > held else " Or have those orders canceled: cancel_orders."
            raise InsufficientShares(
                f"Closing {quantity.normalize():f} {self.ticker} needs that many shares, and "
                f"{shares_there(account, self.ticker)}. Close at most those.{hint}"
            )
        return quantity

    def _cancel_orders(self, books: Books, terms: Terms) -> None:
        now = self.venue.clock.now()
        if self.venue.trades(now, terms.time_in_force, extended=False):
            # Asked for before anything is changed.
            self.venue.fresh(self.ticker)
        closing = [
            order
            for order in books.open_orders(self.account_id, self.ticker)
            # One that is held would close what its entry has yet to open.
            if order.side is terms.side and order.status is not OrderStatus.held
        ]
        linked.cancel(books, closing, now, "Its position was closed.")

    def _replay(self, order: Order) -> Placed:
        same = (order.ticker, order.type) == (self.ticker, OrderType.market)
        lots = None if order.lots is None else tuple(order.lots)
        if not (same and self.quantity in {None, order.quantity} and self.lots == lots):
            raise used_for_another_order()
        return Placed(order, replayed=True)
