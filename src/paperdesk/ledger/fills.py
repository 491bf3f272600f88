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


class SetAside(NamedTuple):
    """What is reserved for an order: cash (6 places) and shares (9 places)."""

    cash: Decimal
    shares: Decimal


NOTHING_SET_ASIDE = SetAside(_ZERO, _ZERO)


def book_fill(
    books: Books,
    order: Order,
    *,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    now: datetime,
    set_aside: SetAside = NOTHING_SET_ASIDE,
) -> Trade:
    """Book a fill of an order at a price: the trade in the journal, the cash and the position.

    `set_aside` is what the order itself reserved. Everything is checked before anything is changed.
    Raises InsufficientCash or InsufficientShares where the account cannot cover it, InvalidRequest
    where an amount would pass the desk's caps.
    """
    account = books.account(order.user_id)
    fill = fill_of(account, order.ticker, order.side, quantity, price, fee, set_aside)
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
    set_aside: SetAside = NOTHING_SET_ASIDE,
) -> Fill:
    """Return what a fill would do to an account; nothing is changed.

    It may use what no open order is about to use, and what is `set_aside` for it. Raises
    InsufficientCash or InsufficientShares where the account cannot cover it, InvalidRequest where
    an amount would pass the desk's caps.
    """
    before = account.holding(ticker)
    value = booking.value_of(quantity, price)
    if side is Side.buy:
        _check_cash(account, ticker, quantity, value + fee, set_aside)
        after, realized = booking.bought(before, quantity, value), _ZERO
        if after.quantity > booking.LARGEST_AMOUNT:
            raise InvalidRequest("A position may have at most 1,000,000,000 shares. Buy less.")
        if after.cost_basis > booking.LARGEST_SUM:
            raise InvalidRequest("A position may cost at most $1,000,000,000,000. Buy less.")
    else:
        _check_shares(account, ticker, quantity, value - fee, set_aside)
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


def _check_cash(
    account: AccountBook, ticker: str, quantity: Decimal, cost: Decimal, set_aside: SetAside
) -> None:
    if cost > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An order may be worth at most $1,000,000,000. Buy less at once.")
    if cost > min(account.available_cash + set_aside.cash, account.cash):
        raise InsufficientCash(
            f"Buying {quantity.normalize():f} {ticker} costs ${cost:,.2f}, and "
            f"{cash_there(account)}. Buy less, or sell something first."
        )


def _check_shares(
    account: AccountBook, ticker: str, quantity: Decimal, proceeds: Decimal, set_aside: SetAside
) -> None:
    held = account.holding(ticker).quantity
    if quantity > min(account.available_shares(ticker) + set_aside.shares, held):
        raise InsufficientShares(
            f"Selling {quantity.normalize():f} {ticker} needs that many shares, and "
            f"{shares_there(account, ticker)}. Sell at most those."
        )
    if account.available_cash + proceeds < 0:
        raise InsufficientCash(
            f"The fee of this sale is ${-proceeds:,.2f} more than it brings, and "
            f"{cash_there(account)}. Sell more at once, or deposit first."
        )
    if max(account.cash + proceeds, proceeds) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An account may hold at most $1,000,000,000 in cash. Sell less.")


def cash_there(account: AccountBook) -> str:
    """Return a clause on how much cash may be spent: why less than there is, if so."""
    available = account.available_cash
    if available == account.cash:
        return f"${account.cash:,.2f} is there"
    return (
        f"${available:,.2f} is there beside the ${account.cash - available:,.2f} that open orders "
        "set aside"
    )


def shares_there(account: AccountBook, ticker: str) -> str:
    """Return a clause on how many shares may be sold: why less than are held, if so."""
    held, available = account.holding(ticker).quantity, account.available_shares(ticker)
    if available == held:
        return f"{held.normalize():f} are held"
    return (
        f"{available.normalize():f} are held beside the {(held - available).normalize():f} that "
        "open orders set aside"
    )
