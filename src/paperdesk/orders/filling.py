"""Filling an order in the books: the trade, the order's own state, and the orders linked to it."""

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial, reduce
from typing import Any, Final, NamedTuple

from paperdesk.errors import InvalidRequest
from paperdesk.ledger import booking
from paperdesk.ledger.fills import SetAside, book_fill, parts_of
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lane.rows import EarlierFill
from paperdesk.ledger.rules import Rules
from paperdesk.market.quotes import Quote
from paperdesk.models import Order, OrderStatus, OrderType, Trade
from paperdesk.orders import lifecycle, lines, linked
from paperdesk.orders.prices import better, fill_price, is_triggered, set_aside_for

STOPS: Final = frozenset({OrderType.stop, OrderType.stop_limit, OrderType.trailing_stop})
"""Orders that wait until the price has reached their stop."""

_ZERO: Final = Decimal(0)


class Filling(NamedTuple):
    """The trades that were booked, two for one through zero, and what they make of their order."""

    trades: list[Trade]
    shares: Decimal
    state: dict[str, Any]


def fill(books: Books, order: Order, quote: Quote, now: datetime) -> list[Trade]:
    """Fill an open order at a quote, as far as its terms and its account's rules allow.

    Returns the trades, none where it is not to be filled now. Raises what `book_fill` raises, and
    has changed nothing then.
    """
    filling = book(books, order, quote, now, linked.set_aside(books, order))
    if filling is None:
        return []
    before = order.status
    books.change(order, **filling.state)
    lines.filled(books, order, filling.trades, before)
    linked.after_fill(books, order, filling.shares, now)
    return filling.trades


def book(
    books: Books,
    order: Order,
    quote: Quote,
    now: datetime,
    aside: SetAside,
    *,
    whole: bool = False,
) -> Filling | None:
    """Book the trades of a fill, and return them with what is still to be made of the order.

    `aside` is what the books set aside for it. With `whole` it is filled whole whatever was traded.
    """
    account = books.account(order.user_id)
    rules = account.rules
    at = fill_price(order, quote.price, rules)
    if at is None:
        return None
    earlier = books.fills_of(order) if order.filled_quantity else []
    wanted = _wanted(order, at, earlier)
    most = None if whole else _share(rules, quote, earlier)
    shares = wanted if most is None else min(wanted, most)
    if not shares:
        return None
    parts = parts_of(account, order.ticker, order.side, shares)
    with account.whole() if len(parts) > 1 else nullcontext():
        fills, trades = earlier, list[Trade]()
        for part in parts:
            fee = _fee(rules, fills, part, at)
            trade = book_fill(
                books, order, quantity=part, price=at, fee=fee, now=now, set_aside=aside
            )
            fills = [*fills, EarlierFill(part, at, fee, now)]
            trades.append(trade)
    filled = order.filled_quantity + shares
    products = sum((each.quantity * each.price for each in earlier), shares * at)
    state: dict[str, Any] = {
        "filled_quantity": filled,
        "filled_avg_price": at
        if not earlier
        else booking.EXACT.divide(products, filled).quantize(
            booking.PRICE_PLACES, ROUND_HALF_EVEN, booking.EXACT
        ),
    }
    if order.type in STOPS:
        state["triggered_at"] = order.triggered_at or now
    if shares == wanted:
        state |= lifecycle.ended(order, OrderStatus.filled, now)
    else:
        state |= _partly_filled(account, order, filled, quote.price, aside, now)
    return Filling(trades, shares, state)


def _share(rules: Rules, quote: Quote, earlier: list[EarlierFill]) -> Decimal | None:
    """Return the shares that an order may take of what was traded up to a quote; None for all.

    It takes its share once, however often it is looked at before the next quote.
    """
    most = rules.share_of(quote.volume)
    if most and any(fill.executed_at > quote.received_at for fill in earlier):
        return _ZERO
    return most


def _wanted(order: Order, at: Decimal, earlier: list[EarlierFill]) -> Decimal:
    """Return the shares that are still to be filled. Raises InvalidRequest for none or too many."""
    if order.quantity is not None:
        return order.quantity - order.filled_quantity
    assert order.notional is not None  # noqa: S101 - one of the two is given
    spent = sum((booking.value_of(each.quantity, each.price) for each in earlier), _ZERO)
    return checked_shares(booking.shares_for(order.notional - spent, at), at)


def shares_of(order: Order, at: Decimal) -> Decimal:
    """Return the shares that a new order is for. Raises InvalidRequest for none or too many."""
    return _wanted(order, at, [])


def checked_shares(shares: Decimal, price: Decimal) -> Decimal:
    """Return shares that an order may be for. Raises InvalidRequest for none or too many."""
    if not 0 < shares <= booking.LARGEST_AMOUNT:
        raise InvalidRequest(
            f"At {price.normalize():f} that pays for {shares.normalize():f} shares; an order "
            "is of more than 0 and at most 1,000,000,000. Trade for another amount."
        )
    return shares


def follow(books: Books, order: Order, prices: Iterable[Decimal], now: datetime) -> None:
    """Move the watermark of a trailing order to the best of some prices."""
    if order.watermark is None or order.triggered_at is not None:
        return
    watermark = reduce(partial(better, order.side), prices, order.watermark)
    if watermark != order.watermark:
        books.change(order, watermark=watermark, updated_at=now)


def note_stop(books: Books, order: Order, price: Decimal, now: datetime) -> None:
    """Note that a price reached the stop of an order, though it does not fill it."""
    if order.triggered_at is None and order.type in STOPS and is_triggered(order, price):
        books.change(order, triggered_at=now, updated_at=now)
        lines.triggered(books, order, price)


def _fee(rules: Rules, earlier: list[EarlierFill], shares: Decimal, at: Decimal) -> Decimal:
    """Return what a fill adds to the commission of its order: a minimum is paid once an order."""
    values = (booking.value_of(each.quantity, each.price) for each in earlier)
    value = sum(values, booking.value_of(shares, at))
    whole = rules.commission(sum((each.quantity for each in earlier), shares), value)
    return max(_ZERO, whole - sum((each.fee for each in earlier), _ZERO))


def _partly_filled(
    account: AccountBook,
    order: Order,
    filled: Decimal,
    price: Decimal,
    aside: SetAside,
    now: datetime,
) -> dict[str, Any]:
    """Return the state of an order that goes on: it sets no more aside than it did.

    And no more than there is: a price beyond its stop may have left less than the rest will cost.
    """
    lifecycle.check(order, OrderStatus.partially_filled)
    left = None if order.quantity is None else order.quantity - filled
    closable = account.closable(order.ticker, order.side, aside.shares)
    wanted = set_aside_for(order, left, price, account.rules, closable)
    there = max(_ZERO, account.available_cash + aside.cash)
    return {
        "status": OrderStatus.partially_filled,
        "reserved_cash": min(wanted.cash, order.reserved_cash, there),
        # By notional it may need as many as before, though some of them are gone.
        "reserved_quantity": min(wanted.shares, order.reserved_quantity, closable),
        "updated_at": now,
    }
