"""The command that books what prices did to resting orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from paperdesk.errors import Refused
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderStatus
from paperdesk.orders import linked
from paperdesk.orders.filling import fill, follow, note_stop
from paperdesk.orders.resting import Watermark
from paperdesk.orders.venue import Venue


@dataclass(frozen=True, slots=True)
class MatchOrders:
    """Fill those of some orders of an account that the present prices fill, in their sequence.

    They were found by prices that may be old by now: what counts are the prices at the moment of
    booking. An order whose time is over expires; one that the account cannot cover is rejected.
    `watermarks` are those of trailing orders, which followed every price since they were placed;
    one that a split was booked for since then counts prices of before it, and is left out.
    """

    account_id: str
    order_ids: Sequence[str]
    venue: Venue
    watermarks: Mapping[str, Watermark] = field(default_factory=dict[str, Watermark])
    key: None = None

    def __call__(self, books: Books) -> list[Order]:
        """Book it, and return the orders that there are. Refuses nothing."""
        now = self.venue.clock.now()
        orders = [o for o in books.orders(self.order_ids) if o.user_id == self.account_id]
        for order in orders:
            # The one before may have ended it, or begun it.
            if order.closed_at is None:
                self._match(books, order, now)
        return orders

    def _match(self, books: Books, order: Order, now: datetime) -> None:
        if order.status is OrderStatus.held:
            # It ends, or begins, with its entry.
            return
        if order.expires_at is not None and order.expires_at <= now:
            linked.end(books, order, OrderStatus.expired, now, "Its time was over.")
            return
        if not self.venue.trades(now, order.time_in_force, extended=order.extended_hours):
            return
        quote = self.venue.board.fresh(order.ticker)
        seen = [quote.price] if quote else []
        watermark = self.watermarks.get(order.id)
        if watermark is not None and watermark.adjusted_by == order.adjusted_by:
            seen.append(watermark.price)
        follow(books, order, seen, now)
        if quote is None:
            return
        try:
            trades = fill(books, order, quote, now)
        except Refused as refusal:
            # Of an order that was filled in part, what was filled stays.
            partly = order.status is OrderStatus.partially_filled
            status = OrderStatus.canceled if partly else OrderStatus.rejected
            linked.end(books, order, status, now, f"{refusal.code}: {refusal}")
            return
        if not trades:
            note_stop(books, order, quote.price, now)
