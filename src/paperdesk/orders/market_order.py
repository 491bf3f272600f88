"""The market order: filled at once, whole, at the current price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from paperdesk.clock import Clock
from paperdesk.db.prepared import unattached
from paperdesk.errors import IdempotencyMismatch, InvalidRequest, InvalidState, PriceUnavailable
from paperdesk.ids import new_id
from paperdesk.ledger import booking
from paperdesk.ledger.fills import book_fill
from paperdesk.ledger.lane.books import Books
from paperdesk.market.quotes import QuoteBoard
from paperdesk.models import Order, OrderStatus, OrderType, Side, TimeInForce, Trade

_NO_FEE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Filled:
    """An order and its trade; `replayed` if an earlier request with the key made it."""

    order: Order
    trade: Trade
    replayed: bool


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """Buy or sell at the price on the board at the moment of booking.

    Either `quantity`, in shares, or `notional`, in US dollars: as many shares, to 9 places, as that
    pays for.

    `client_order_id` makes it repeatable: the same order under the same key has one effect for
    ever, another order under that key is refused.
    """

    account_id: str
    ticker: str
    side: Side
    quantity: Decimal | None
    source: str
    board: QuoteBoard
    clock: Clock
    notional: Decimal | None = None
    client_order_id: str | None = None
    strategy: str | None = None
    note: str | None = None

    @property
    def key(self) -> str | None:
        """The key that makes it repeatable."""
        return self.client_order_id

    def __call__(self, books: Books) -> Filled:
        """Book it. Raises IdempotencyMismatch, PriceUnavailable, or what the books refuse."""
        if self.client_order_id is not None:
            earlier = books.order_under(self.account_id, self.client_order_id)
            if earlier is not None:
                return Filled(earlier, self._replay(books, earlier), replayed=True)
            if books.is_movements_key(self.account_id, self.client_order_id):
                raise IdempotencyMismatch(
                    "This key was used before for a movement of cash. Use a new key for an order."
                )
        quote = self.board.fresh(self.ticker)
        if quote is None:
            raise PriceUnavailable(
                f"There is no current price of {self.ticker}. Nothing was booked; try again when "
                "its price moves."
            )
        now = self.clock.now()
        shares = self._shares_at(quote.price)
        order = self._filled_order(shares, quote.price, now)
        trade = book_fill(books, order, quantity=shares, price=quote.price, fee=_NO_FEE, now=now)
        books.place(order)
        return Filled(order, trade, replayed=False)

    def _shares_at(self, price: Decimal) -> Decimal:
        if self.notional is None:
            assert self.quantity is not None  # noqa: S101 - one of the two is given
            return self.quantity
        shares = booking.shares_for(self.notional, price)
        if not 0 < shares <= booking.LARGEST_AMOUNT:
            raise InvalidRequest(
                f"At {price.normalize():f} that pays for {shares.normalize():f} shares; an order "
                "is of more than 0 and at most 1,000,000,000. Trade for another amount."
            )
        return shares

    def _filled_order(self, shares: Decimal, price: Decimal, now: datetime) -> Order:
        order_id = new_id()
        return unattached(
            Order,
            id=order_id,
            user_id=self.account_id,
            client_order_id=self.client_order_id or order_id,
            ticker=self.ticker,
            side=self.side,
            type=OrderType.market,
            time_in_force=TimeInForce.day,
            status=OrderStatus.filled,
            quantity=self.quantity,
            notional=self.notional,
            source=self.source,
            strategy=self.strategy,
            note=self.note,
            filled_quantity=shares,
            filled_avg_price=price,
            submitted_at=now,
            filled_at=now,
            updated_at=now,
        )

    def _replay(self, books: Books, order: Order) -> Trade:
        asked = (self.ticker, self.side, OrderType.market, self.quantity, self.notional)
        placed = (order.ticker, order.side, order.type, order.quantity, order.notional)
        if (*asked, self.strategy, self.note) != (*placed, order.strategy, order.note):
            raise IdempotencyMismatch(
                "This key was used before for another order. Use a new key for a new order."
            )
        trade = books.session.scalars(select(Trade).where(Trade.order_id == order.id)).first()
        if trade is None:
            raise InvalidState(f"The order under this key is {order.status}; it has no trade.")
        return trade
