"""When an order is filled, at what price, and what it sets aside until then. Pure.

US dollars with 6 places, prices and shares with 9, each product and quotient rounded once.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from paperdesk.ledger.booking import EXACT, LARGEST_AMOUNT, PRICE_PLACES, shares_for, value_of
from paperdesk.ledger.fills import SetAside
from paperdesk.ledger.rules import Rules
from paperdesk.models import Order, OrderType, Side
from paperdesk.orders.resting import Resting

CUSHION: Final = Decimal("1.03")
"""What an open buy without a limit sets aside, of what it would cost at its last known price.

Alpaca's paper account values such orders at 3 % above the market too.
"""

_ZERO: Final = Decimal(0)
_PERCENT: Final = Decimal(100)


def is_triggered(order: Order | Resting, price: Decimal) -> bool:
    """Say whether an order waits for no stop: it has none, or the price reached it."""
    if order.triggered_at is not None:
        return True
    stop = stop_of(order)
    if stop is None:
        return True
    return price >= stop if order.side is Side.buy else price <= stop


def stop_of(order: Order | Resting) -> Decimal | None:
    """Return the stop price: of a trailing order where it is now; None for one without."""
    if order.type is OrderType.trailing_stop:
        assert order.watermark is not None  # noqa: S101 - set when it was placed
        return trailed(order.side, order.watermark, order.trail_price, order.trail_percent)
    return order.stop_price


def trailed(
    side: Side, watermark: Decimal, amount: Decimal | None, percent: Decimal | None
) -> Decimal:
    """Return the stop that trails the best price: below it for a sale, above it for a buy."""
    away = amount
    if away is None:
        assert percent is not None  # noqa: S101 - one of the two is given
        away = EXACT.divide(EXACT.multiply(watermark, percent), _PERCENT)
    stop = watermark + away if side is Side.buy else watermark - away
    # A sale that trails by more than the price has a stop that nothing reaches.
    return stop.quantize(PRICE_PLACES, ROUND_HALF_EVEN, EXACT)


def better(side: Side, watermark: Decimal, price: Decimal) -> Decimal:
    """Return the watermark after a price: the highest for a sale, the lowest for a buy."""
    return min(watermark, price) if side is Side.buy else max(watermark, price)


def fill_price(order: Order | Resting, price: Decimal, rules: Rules) -> Decimal | None:
    """Return what an order is filled at when the market is at `price`; None: not now.

    A limit is never filled worse than its limit, whatever the spread and the slippage. A stop that
    was reached is filled at the market, however far beyond the stop that is.
    """
    if not is_triggered(order, price):
        return None
    at_market = rules.market_price(order.side.value, price)
    limit = order.limit_price
    if limit is None:
        return at_market
    touch = rules.touch(order.side.value, price)
    if order.side is Side.buy:
        return min(limit, at_market) if touch <= limit else None
    return max(limit, at_market) if touch >= limit else None


def set_aside_for(
    order: Order, shares: Decimal | None, price: Decimal, rules: Rules, closable: Decimal
) -> SetAside:
    """Return what an open order sets aside for `shares` more, None: for its notional.

    It sets aside the shares that it closes, held or sold short: all that it may of the `closable`;
    and cash for those that it opens. A buy takes what they cost: at its limit, else 3 % above its
    stop or, without one, above `price`, the last known one. A short sale takes its margin, of 3 %
    more too. Both take their commission.
    """
    sells = order.side is Side.sell
    reference = order.limit_price
    if reference is None or sells:
        stop = stop_of(order) if reference is None else reference
        reference = EXACT.multiply(price if stop is None else stop, CUSHION)
    notional = order.notional
    if shares is None:
        assert notional is not None  # noqa: S101 - one of the two is given
        shares = shares_for(notional, EXACT.divide(price, CUSHION) if sells else price)
    else:
        notional = None
    # Without short selling a sale of more than there is shall find that it lacks shares.
    closing = shares if sells and not rules.short_selling else min(shares, closable)
    opening = shares - closing
    if not opening:
        return SetAside(_ZERO, closing)
    # The stop of a sale that trails by more than the price is below zero.
    value = value_of(opening, max(_ZERO, min(reference, LARGEST_AMOUNT)))
    if notional is not None and not closing and not sells:
        value = notional
    # Never less than what these shares add to the commission of the whole order.
    cash = (rules.margin(value) if sells else value) + rules.commission(opening, value)
    return SetAside(cash, closing)
