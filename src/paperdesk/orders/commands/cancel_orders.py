"""The commands that cancel orders: one of them, or all that are open."""

from dataclasses import dataclass
from typing import Final

from paperdesk.clock import Clock
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderStatus, Side
from paperdesk.orders import linked

BY_REQUEST: Final = "It was canceled."


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel an order; what was filled of it stays. Those that are linked to it end with it."""

    account_id: str
    order_id: str
    clock: Clock
    key: None = None

    def __call__(self, books: Books) -> Order:
        """Cancel it. Raises NotFound, or InvalidState for one that has ended."""
        order = books.order(self.account_id, self.order_id)
        linked.end(books, order, OrderStatus.canceled, self.clock.now(), BY_REQUEST)
        return order


@dataclass(frozen=True, slots=True)
class CancelOrders:
    """Cancel every open order of an account, of one ticker or one side if so wished."""

    account_id: str
    clock: Clock
    ticker: str | None = None
    side: Side | None = None
    key: None = None

    def __call__(self, books: Books) -> list[Order]:
        """Cancel them, and return them. Raises NotFound where there is no such account."""
        now = self.clock.now()
        found = [
            order
            for order in books.open_orders(self.account_id, self.ticker)
            if self.side in {None, order.side}
        ]
        linked.cancel(books, found, now, BY_REQUEST)
        return found
