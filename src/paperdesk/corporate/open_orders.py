"""What corporate actions do to open orders: they go on with the shares and prices after it."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from paperdesk.corporate.booking import ZERO, Notice
from paperdesk.ledger.booking import EXACT, LARGEST_AMOUNT, PRICE_PLACES, money
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderStatus
from paperdesk.orders import lines, linked

_PRICES: Final = ("limit_price", "stop_price", "trail_price", "watermark")
_WHOLE: Final = Decimal(1)


def split_orders(
    books: Books,
    notice: Notice,
    ticker: str,
    ratio: tuple[int, int],
    entry_id: str,
    *,
    whole: bool,
) -> tuple[list[Order], list[Order]]:
    """Give open orders of a ticker the shares and prices after a split; return them.

    And those that were canceled, because nothing would be left of them. Shares are cut, to 9 places
    or, with `whole`, to whole ones, so that they never need more than there is; prices are rounded
    half to even.
    """
    changed: list[Order] = []
    canceled: list[Order] = []
    places = _WHOLE if whole else PRICE_PLACES
    for order in books.open_orders(notice.account_id, ticker):
        if order.closed_at is not None:
            # Canceled with one that it is linked to.
            continue
        state = _after_split(books, order, ratio, places)
        if state is None:
            reason = "The split left nothing of it."
            linked.end(books, order, OrderStatus.canceled, notice.now, reason)
            canceled.append(order)
        else:
            before = lines.terms(order)
            books.change(order, **state, adjusted_by=entry_id, updated_at=notice.now)
            lines.changed(books, order, before)
            changed.append(order)
    return changed, canceled


def _after_split(
    books: Books, order: Order, ratio: tuple[int, int], places: Decimal
) -> dict[str, Any] | None:
    """Return the size and prices of an order after a split; None where it has none."""
    numerator, denominator = ratio
    aside = _cut(order.reserved_quantity, numerator, denominator, places)
    state: dict[str, Any] = {"reserved_quantity": aside}
    if order.quantity is not None:
        left = _cut(order.quantity - order.filled_quantity, numerator, denominator, places)
        if not 0 < left <= LARGEST_AMOUNT:
            return None
        state["quantity"] = order.filled_quantity + left
        state["reserved_quantity"] = min(aside, left)
        state["reserved_cash"] = _cash_after_split(books, order, left)
    for name in _PRICES:
        price = getattr(order, name)
        if price is None:
            continue
        # The other way round: twice the shares at half the price.
        price = EXACT.divide(EXACT.multiply(price, denominator), numerator)
        price = price.quantize(PRICE_PLACES, ROUND_HALF_EVEN, EXACT)
        if not 0 < price <= LARGEST_AMOUNT:
            return None
        state[name] = price
    return state


def _cash_after_split(books: Books, order: Order, left: Decimal) -> Decimal:
    """Return the cash that an order sets aside after a split: a share may cost a commission more.

    It is not made to set more aside than there is: the order is refused when it is filled, then.
    """
    account = books.account(order.user_id)
    if not order.reserved_cash or not account.rules.commission_per_share:
        return order.reserved_cash
    more = account.rules.commission_per_share * (left - linked.still_to_fill(order))
    there = max(ZERO, account.available_cash + order.reserved_cash)
    return max(ZERO, min(money(order.reserved_cash + more), there))


def rename_orders(
    books: Books, notice: Notice, ticker: str, new_ticker: str, entry_id: str
) -> tuple[list[Order], list[Order]]:
    """Give open orders of a ticker its new name; return them, and those that were canceled.

    One that was filled in part is canceled: its trades keep the old name.
    """
    changed: list[Order] = []
    canceled: list[Order] = []
    # Those first: the exits of an entry are released under the name that its shares still have.
    for order in books.open_orders(notice.account_id, ticker):
        if order.closed_at is None and order.filled_quantity:
            reason = f"{ticker} became {new_ticker}; what was filled of it stays."
            linked.end(books, order, OrderStatus.canceled, notice.now, reason)
            canceled.append(order)
    for order in books.open_orders(notice.account_id, ticker):
        if order.closed_at is not None:
            continue
        before = lines.terms(order)
        cash, shares = order.reserved_cash, order.reserved_quantity
        # What it sets aside is noted by ticker: freed under the old, set aside under the new name.
        books.change(order, reserved_cash=ZERO, reserved_quantity=ZERO)
        books.change(
            order,
            ticker=new_ticker,
            reserved_cash=cash,
            reserved_quantity=shares,
            adjusted_by=entry_id,
            updated_at=notice.now,
        )
        lines.changed(books, order, before)
        changed.append(order)
    return changed, canceled


def _cut(shares: Decimal, numerator: int, denominator: int, places: Decimal) -> Decimal:
    scaled = EXACT.divide(EXACT.multiply(shares, numerator), denominator)
    return scaled.quantize(places, ROUND_DOWN, EXACT)
