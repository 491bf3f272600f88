"""The terms of an order, as somebody asks for it, and what must hold among them. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from paperdesk.errors import InvalidRequest
from paperdesk.ledger import booking
from paperdesk.models import OrderClass, OrderType, Side, TimeInForce

_STOPS: Final = frozenset({OrderType.stop, OrderType.stop_limit})
_LIMITS: Final = frozenset({OrderType.limit, OrderType.stop_limit})
AT_ONCE: Final = frozenset({TimeInForce.ioc, TimeInForce.fok})
AUCTIONS: Final = frozenset({TimeInForce.opg, TimeInForce.cls})
RESTING: Final = frozenset({TimeInForce.day, TimeInForce.gtc})
_WHOLE: Final = Decimal(100)
_MOST_LOTS: Final = 1000


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Where a loss is cut: at the market from `stop_price` on, or no worse than `limit_price`."""

    stop_price: Decimal
    limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order says of itself. Prices in US dollars, `trail_percent` in percent.

    `quantity` is in shares, `notional` in US dollars: one of the two. `take_profit` is the limit
    price of the exit with a gain, `stop_loss` the exit with a loss. `lots` are the numbers of those
    that it closes, in their order.
    """

    ticker: str
    side: Side
    type: OrderType = OrderType.market
    time_in_force: TimeInForce = TimeInForce.day
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.simple
    take_profit: Decimal | None = None
    stop_loss: StopLoss | None = None
    lots: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise InvalidRequest where the terms do not fit each other."""
        for fault in (
            self._size,
            self._prices,
            self._trail,
            self._time,
            self._links,
            self._lots,
        ):
            fault()

    def _size(self) -> None:
        if (self.quantity is None) == (self.notional is None):
            raise InvalidRequest("Give either quantity or notional.")
        if self.quantity is not None and not 0 < self.quantity <= booking.LARGEST_AMOUNT:
            raise InvalidRequest("quantity: must be more than 0 and at most 1000000000 shares.")
        if self.notional is not None:
            if not 0 < self.notional <= booking.LARGEST_AMOUNT:
                raise InvalidRequest(
                    "notional: must be more than 0 and at most 1000000000 US dollars."
                )
            _check_places("notional", self.notional)
            if self.type is not OrderType.market:
                raise InvalidRequest("notional: a market order takes it. Give quantity instead.")

    def _prices(self) -> None:
        for name, price, types in (
            ("limit_price", self.limit_price, _LIMITS),
            ("stop_price", self.stop_price, _STOPS),
        ):
            if self.type in types and price is None:
                raise InvalidRequest(f"{name}: a {self.type} order needs it.")
            if self.type not in types and price is not None:
                raise InvalidRequest(f"{name}: a {self.type} order has none. Leave it out.")
            if price is not None:
                _check_price(name, price)
        if self.quantity is not None and self.limit_price is not None:
            _check_value(self.quantity, self.limit_price)

    def _trail(self) -> None:
        trails = (self.trail_price is not None) + (self.trail_percent is not None)
        if self.type is OrderType.trailing_stop:
            if trails != 1:
                raise InvalidRequest("Give either trail_price or trail_percent.")
        elif trails:
            raise InvalidRequest(
                "trail_price, trail_percent: a trailing_stop order has them alone."
            )
        if self.trail_price is not None:
            _check_price("trail_price", self.trail_price)
        if self.trail_percent is not None:
            if not 0 < self.trail_percent < _WHOLE:
                raise InvalidRequest("trail_percent: must be more than 0 and less than 100.")
            _check_places("trail_percent", self.trail_percent)

    def _time(self) -> None:
        if self.time_in_force not in RESTING and self.type not in {
            OrderType.market,
            OrderType.limit,
        }:
            raise InvalidRequest(
                f"time_in_force: {self.time_in_force} goes with market and limit orders."
            )
        if self.extended_hours and (
            self.type is not OrderType.limit or self.time_in_force not in RESTING
        ):
            raise InvalidRequest("extended_hours: goes with limit orders that are day or gtc.")

    def _lots(self) -> None:
        if self.lots is None:
            return
        if not 0 < len(self.lots) <= _MOST_LOTS or len(set(self.lots)) < len(self.lots):
            raise InvalidRequest(f"lots: name 1 to {_MOST_LOTS} lots, each once.")
        if self.order_class in {OrderClass.bracket, OrderClass.oto}:
            raise InvalidRequest(
                "lots: an order that opens a position closes none. Leave them out."
            )

    def _links(self) -> None:
        match self.order_class:
            case OrderClass.simple:
                fits = self.take_profit is None and self.stop_loss is None
                wanted = "take_profit and stop_loss go with the classes bracket, oco and oto"
            case OrderClass.bracket:
                fits = self.take_profit is not None and self.stop_loss is not None
                wanted = "a bracket has take_profit and stop_loss"
            case OrderClass.oto:
                fits = (self.take_profit is None) != (self.stop_loss is None)
                wanted = "an oto has either take_profit or stop_loss"
            case OrderClass.oco:
                fits = (
                    self.type is OrderType.limit
                    and self.stop_loss is not None
                    and self.take_profit in {None, self.limit_price}
                )
                wanted = "an oco is a limit order, the take profit, with stop_loss"
        if not fits:
            raise InvalidRequest(f"order_class: {wanted}.")
        if self.order_class is not OrderClass.simple:
            if self.quantity is None:
                raise InvalidRequest("notional: linked orders take quantity instead.")
            if self.time_in_force not in RESTING:
                raise InvalidRequest("time_in_force: linked orders are day or gtc.")
            self._check_exits()

    def check_entry(self, price: Decimal | None) -> None:
        """Raise InvalidRequest for an exit on the wrong side of where its order begins.

        That is the order's own limit or stop; else `price`, the last known one.
        """
        if self.order_class not in {OrderClass.bracket, OrderClass.oto}:
            return
        begins = self.limit_price or self.stop_price or price
        buys = self.side is Side.buy
        for name, exit_price, is_above in (
            ("take_profit.limit_price", self.take_profit, buys),
            ("stop_loss.stop_price", self.stop_loss and self.stop_loss.stop_price, not buys),
        ):
            if begins is None or exit_price is None:
                continue
            if (exit_price <= begins) if is_above else (exit_price >= begins):
                raise InvalidRequest(
                    f"{name}: must be {'above' if is_above else 'below'} "
                    f"{begins.normalize():f}, where the order begins."
                )

    def _check_exits(self) -> None:
        """Check that the exit with a gain is better than that with a loss."""
        stop = self.stop_loss
        gain = self.limit_price if self.order_class is OrderClass.oco else self.take_profit
        if stop is not None:
            _check_price("stop_loss.stop_price", stop.stop_price)
            if stop.limit_price is not None:
                _check_price("stop_loss.limit_price", stop.limit_price)
        if gain is not None:
            _check_price("take_profit.limit_price", gain)
        if gain is None or stop is None:
            return
        sells = (self.side is Side.sell) == (self.order_class is OrderClass.oco)
        if (gain <= stop.stop_price) if sells else (gain >= stop.stop_price):
            raise InvalidRequest(
                f"take_profit.limit_price: must be {'above' if sells else 'below'} "
                "stop_loss.stop_price."
            )


def _check_places(name: str, amount: Decimal) -> None:
    if booking.money(amount) != amount:
        raise InvalidRequest(f"{name}: must have at most 6 decimal places.")


def _check_price(name: str, price: Decimal) -> None:
    if not booking.PRICE_PLACES <= price <= booking.LARGEST_AMOUNT:
        raise InvalidRequest(f"{name}: must be at least 0.000000001 and at most 1000000000.")


def _check_value(quantity: Decimal, price: Decimal) -> None:
    if booking.value_of(quantity, price) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An order may be worth at most $1,000,000,000. Trade less at once.")
