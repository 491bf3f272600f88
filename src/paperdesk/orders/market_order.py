"""The market order: filled at once, whole, at the current price."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from paperdesk.clock import Clock
from paperdesk.errors import IdempotencyMismatch, InvalidState, PriceUnavailable
from paperdesk.ids import new_id
from paperdesk.ledger.books import book_fill, order_by_key
from paperdesk.market.quotes import QuoteBoard
from paperdesk.models import Order, OrderStatus, OrderType, Side, TimeInForce, Trade

_NO_FEE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Filled:
    """The trade that an order led to; `replayed` if an earlier request with the key made it."""

    trade: Trade
    replayed: bool


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """Buy or sell `quantity` shares at the price on the board at the moment of booking.

    `client_order_id` makes it repeatable: the same order under the same key has one effect for
    ever, another order under that key is refused.
    """

    account_id: str
    ticker: str
    side: Side
    quantity: Decimal
    source: str
    board: QuoteBoard
    clock: Clock
    client_order_id: str | None = None
    strategy: str | None = None
    note: str | None = None

    def __call__(self, session: Session) -> Filled:
        """Book it. Raises IdempotencyMismatch, PriceUnavailable, or what the books refuse."""
        if self.client_order_id is not None:
            earlier = order_by_key(session, self.account_id, self.client_order_id)
            if earlier is not None:
                return Filled(self._replay(session, earlier), replayed=True)
        quote = self.board.fresh(self.ticker)
        if quote is None:
            raise PriceUnavailable(
                f"There is no current price of {self.ticker}. Nothing was booked; try again when "
                "its price moves."
            )
        now = self.clock.now()
        order = self._order()
        trade = book_fill(
            session, order, quantity=self.quantity, price=quote.price, fee=_NO_FEE, now=now
        )
        order.submitted_at = order.filled_at = order.updated_at = now
        order.filled_quantity = self.quantity
        order.filled_avg_price = quote.price
        session.add(order)
        return Filled(trade, replayed=False)

    def _order(self) -> Order:
        order_id = new_id()
        return Order(
            id=order_id,
            user_id=self.account_id,
            client_order_id=self.client_order_id or order_id,
            ticker=self.ticker,
            side=self.side,
            type=OrderType.market,
            time_in_force=TimeInForce.day,
            status=OrderStatus.filled,
            quantity=self.quantity,
            source=self.source,
            strategy=self.strategy,
            note=self.note,
        )

    def _replay(self, session: Session, order: Order) -> Trade:
        asked = (self.ticker, self.side, OrderType.market, self.quantity, self.strategy, self.note)
        placed = (order.ticker, order.side, order.type, order.quantity, order.strategy, order.note)
        if asked != placed:
            raise IdempotencyMismatch(
                "This key was used before for another order. Use a new key for a new order."
            )
        trade = session.scalars(select(Trade).where(Trade.order_id == order.id)).first()
        if trade is None:
            raise InvalidState(f"The order under this key is {order.status}; it has no trade.")
        return trade
