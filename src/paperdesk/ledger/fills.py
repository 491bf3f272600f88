"""Fills: shares against cash, as an account's book takes them."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from paperdesk.db.prepared import unattached
from paperdesk.errors import InsufficientCash, InsufficientShares, InvalidRequest
from paperdesk.ids import new_id
from paperdesk.ledger import booking
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, Side, Trade

_ZERO = Decimal(0)


class Fill(NamedTuple):
    """What a fill does: its value and what it realised (6 places), and what is held after it."""

    value: Decimal
    realized_pnl: Decimal
    after: booking.Holding


def book_fill(
    books: Books,
    order: Order,
    *,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    now: datetime,
) -> Trade:
    """Book a fill of an order at a price: the trade in the journal, the cash and the position.

    Everything is checked before anything is changed. Raises InsufficientCash or InsufficientShares
    where the account cannot cover it, InvalidRequest where an amount would pass the desk's caps.
    """
    account = books.account(order.user_id)
    fill = fill_of(account, order.ticker, order.side, quantity, price, fee)
    trade = unattached(
        Trade,
        id=new_id(),
        order_id=order.id,
        ticker=order.ticker,
        side=order.side,
        quantity=quantity,
        price=price,
        value=fill.value,
        fee=fee,
        realized_pnl=fill.realized_pnl,
        source=order.source,
        strategy=order.strategy,
        executed_at=now,
    )
    account.enter(trade, now, {order.ticker: fill.after})
    return trade


def fill_of(
    account: AccountBook,
    ticker: str,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
) -> Fill:
    """Return what a fill would do to an account; nothing is changed.

    Raises InsufficientCash or InsufficientShares where the account cannot cover it, InvalidRequest
    where an amount would pass the desk's caps.
    """
    before = account.holding(ticker)
    value = booking.value_of(quantity, price)
    if side is Side.buy:
        _check_cash(account, ticker, quantity, value + fee)
        after, realized = booking.bought(before, quantity, value), _ZERO
        if after.quantity > booking.LARGEST_AMOUNT:
            raise InvalidRequest("A position may have at most 1,000,000,000 shares. Buy less.")
        if after.cost_basis > booking.LARGEST_SUM:
            raise InvalidRequest("A position may cost at most $1,000,000,000,000. Buy less.")
    else:
        _check_shares(account, before, ticker, quantity, value - fee)
        sale = booking.sold(before, quantity, value)
        after, realized = sale.left, sale.realized_pnl
        if abs(account.realized_pnl + realized) > booking.LARGEST_SUM:
            raise InvalidRequest(
                "An account may realise at most $1,000,000,000,000, gain or loss. Sell less, or "
                "trade on in another account."
            )
    if not value and after.quantity:
        raise InvalidRequest(
            "At this price that is worth less than $0.000001, the smallest amount of the books. "
            "Trade more shares at once."
        )
    return Fill(value, realized, after)


def _check_cash(account: AccountBook, ticker: str, quantity: Decimal, cost: Decimal) -> None:
    if cost > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An order may be worth at most $1,000,000,000. Buy less at once.")
    if cost > account.cash:
        raise InsufficientCash(
            f"Buying {quantity.normalize():f} {ticker} costs ${cost:,.2f}, and "
            f"${account.cash:,.2f} is there. Buy less, or sell something first."
        )


def _check_shares(
    account: AccountBook,
    held: booking.Holding,
    ticker: str,
    quantity: Decimal,
    proceeds: Decimal,
) -> None:
    if quantity > held.quantity:
        raise InsufficientShares(
            f"Selling {quantity.normalize():f} {ticker} needs that many shares, and "
            f"{held.quantity.normalize():f} are held. Sell at most those."
        )
    if account.cash + proceeds < 0:
        raise InsufficientCash(
            f"The fee of this sale is ${-proceeds:,.2f} more than it brings, and "
            f"${account.cash:,.2f} is there. Sell more at once, or deposit first."
        )
    if max(account.cash + proceeds, proceeds) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An account may hold at most $1,000,000,000 in cash. Sell less.")
