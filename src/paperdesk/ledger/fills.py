"""Fills: shares against cash, as an account's book takes them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from paperdesk.db.prepared import unattached
from paperdesk.errors import InsufficientCash, InsufficientShares, InvalidRequest
from paperdesk.ids import new_id
from paperdesk.ledger import booking, holdings
from paperdesk.ledger.holdings import Holding, Lot, closes
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.models import CostBasis, Order, Side, Trade

_ZERO: Final = Decimal(0)


class Fill(NamedTuple):
    """What a fill does: its value and what it realised (6 places), and what is held after it.

    `method` is None at average cost. `opened_at` says since when it was held what it closes, None
    for a fill that opens; `closed` are the lots of it, as `Trade.closed_lots` has them.
    """

    value: Decimal
    realized_pnl: Decimal
    after: Holding
    method: CostBasis | None = None
    opened_at: datetime | None = None
    closed: str | None = None


class SetAside(NamedTuple):
    """What is reserved for an order: cash (6 places) and shares (9 places)."""

    cash: Decimal
    shares: Decimal


NOTHING_SET_ASIDE: Final = SetAside(_ZERO, _ZERO)


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
    where an amount would pass the desk's caps. A fill closes or opens: see `parts_of`.
    """
    account = books.account(order.user_id)
    fill = fill_of(
        account,
        order.ticker,
        order.side,
        quantity,
        price,
        fee,
        now,
        set_aside,
        _lots_left(account, order),
    )
    trade = trade_of(fill, order.ticker, order.side, quantity, price, fee, now)
    vars(trade).update(order_id=order.id, source=order.source, strategy=order.strategy)
    account.enter(trade, now, {order.ticker: fill.after})
    return trade


def book_without_order(
    account: AccountBook,
    ticker: str,
    side: Side,
    *,
    quantity: Decimal,
    price: Decimal,
    now: datetime,
    source: str,
    set_aside: SetAside = NOTHING_SET_ASIDE,
    strategy: str | None = None,
    lots: Sequence[int] | None = None,
    trade_id: str | None = None,
) -> Trade:
    """Book a trade that no order asked for, such as the sale of a fraction that a split left.

    `set_aside` is what is there for it, `lots` those that it shall close, `trade_id` the id that it
    is to have, if that is no new one. Raises what `book_fill` raises.
    """
    fill = fill_of(account, ticker, side, quantity, price, _ZERO, now, set_aside, lots)
    trade = trade_of(fill, ticker, side, quantity, price, _ZERO, now)
    vars(trade).update(source=source, strategy=strategy)
    if trade_id is not None:
        vars(trade)["id"] = trade_id
    account.enter(trade, now, {ticker: fill.after})
    return trade


def trade_of(
    fill: Fill,
    ticker: str,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    now: datetime,
) -> Trade:
    """Return the trade of a fill, with nothing said yet of where it came from."""
    return unattached(
        Trade,
        id=new_id(),
        order_id=None,
        ticker=ticker,
        side=side,
        quantity=quantity,
        price=price,
        value=fill.value,
        fee=fee,
        realized_pnl=fill.realized_pnl,
        source="",
        strategy=None,
        executed_at=now,
        cost_basis_method=fill.method,
        opened_at=fill.opened_at,
        closed_lots=fill.closed,
    )


def parts_of(account: AccountBook, ticker: str, side: Side, quantity: Decimal) -> list[Decimal]:
    """Return the quantities of the fills that a trade is booked as.

    One through zero is a close and an open.
    """
    held = account.holding(ticker).quantity
    closing = min(quantity, abs(held)) if closes(held, side) else _ZERO
    if closing in {_ZERO, quantity} or not account.rules.short_selling:
        # Without short selling the whole is refused, not booked in part.
        return [quantity]
    return [closing, quantity - closing]


def fill_of(
    account: AccountBook,
    ticker: str,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    now: datetime,
    set_aside: SetAside = NOTHING_SET_ASIDE,
    lots: Sequence[int] | None = None,
) -> Fill:
    """Return what a fill would do to an account; nothing is changed.

    It may use what no open order is about to use, and what is `set_aside` for it. `lots` are the
    numbers of those that it shall close, None: by the account's method. Raises InsufficientCash or
    InsufficientShares where the account cannot cover it, InvalidRequest where an amount would pass
    the desk's caps.
    """
    before = account.holding(ticker)
    value = booking.value_of(quantity, price)
    if closes(before.quantity, side) or not (side is Side.buy or account.rules.short_selling):
        _check_shares(account, ticker, side, quantity, set_aside)
        _check_closing(account, ticker, side, quantity, value, fee, set_aside)
        fill = _closing(account, ticker, side, quantity, value, lots)
    else:
        _check_opening(account, ticker, side, quantity, value, fee, set_aside)
        fill = _opening(account, ticker, side, quantity, value, now)
    if not value and fill.after.quantity:
        raise InvalidRequest(
            "At this price that is worth less than $0.000001, the smallest amount of the books. "
            "Trade more shares at once."
        )
    return fill


def _opening(
    account: AccountBook,
    ticker: str,
    side: Side,
    quantity: Decimal,
    value: Decimal,
    now: datetime,
) -> Fill:
    before, method = account.holding(ticker), account.rules.cost_basis_method
    signed = (quantity, value) if side is Side.buy else (-quantity, -value)
    since = account.opened_at(ticker) or now
    after = holdings.opened(before, since, method, Lot(account.next_sequence, now, *signed))
    if abs(after.quantity) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("A position may have at most 1,000,000,000 shares. Trade less.")
    if abs(after.cost_basis) > booking.LARGEST_SUM:
        raise InvalidRequest("A position may cost at most $1,000,000,000,000. Trade less.")
    return Fill(value, _ZERO, after, _named(method))


def _closing(
    account: AccountBook,
    ticker: str,
    side: Side,
    quantity: Decimal,
    value: Decimal,
    lots: Sequence[int] | None,
) -> Fill:
    before, method = account.holding(ticker), account.rules.cost_basis_method
    since = account.opened_at(ticker)
    assert since is not None  # noqa: S101 - something is held
    check_lots(account, lots)
    closing = holdings.closed(before, since, method, quantity, lots)
    realized = (value if side is Side.sell else -value) - closing.cost
    if abs(account.realized_pnl + realized) > booking.LARGEST_SUM:
        raise InvalidRequest(
            "An account may realise at most $1,000,000,000,000, gain or loss. Trade less, or trade "
            "on in another account."
        )
    closed = None if closing.closed is None else holdings.written(closing.closed)
    how = CostBasis.named if lots else _named(method)
    return Fill(value, realized, closing.left, how, closing.opened_at, closed)


def _lots_left(account: AccountBook, order: Order) -> Sequence[int] | None:
    """Return the lots that an order named, without those that it closed itself."""
    if not order.lots or not order.filled_quantity:
        return order.lots
    there = {lot.number for lot in account.holding(order.ticker).lots or ()}
    return [number for number in order.lots if number in there] or order.lots


def check_lots(account: AccountBook, lots: Sequence[int] | None) -> None:
    """Raise InvalidRequest where lots are named in an account that knows none."""
    if lots and account.rules.cost_basis_method is CostBasis.average:
        raise InvalidRequest(
            "lots: the account books at average cost, which knows no lots. Leave them out, or "
            "choose another cost basis for the account."
        )


def _named(method: CostBasis) -> CostBasis | None:
    """Return a method as a trade says it: nothing at average cost, as before there were others."""
    return None if method is CostBasis.average else method


def _check_opening(
    account: AccountBook,
    ticker: str,
    side: Side,
    quantity: Decimal,
    value: Decimal,
    fee: Decimal,
    set_aside: SetAside,
) -> None:
    cost = value + fee if side is Side.buy else account.rules.margin(value) + fee
    if max(cost, value) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An order may be worth at most $1,000,000,000. Trade less at once.")
    free = account.available_cash + set_aside.cash
    if side is Side.buy:
        if cost > min(free, account.cash):
            raise InsufficientCash(
                f"Buying {quantity.normalize():f} {ticker} costs ${cost:,.2f}, and "
                f"{cash_there(account)}. Buy less, or sell something first."
            )
        return
    if cost > free:
        raise InsufficientCash(
            f"Selling {quantity.normalize():f} {ticker} short takes a margin of ${cost:,.2f}, and "
            f"{cash_there(account)}. Sell less, or deposit first."
        )
    _check_cap(account.cash + value - fee)


def _check_shares(
    account: AccountBook, ticker: str, side: Side, quantity: Decimal, set_aside: SetAside
) -> None:
    held = account.holding(ticker).quantity
    if not closes(held, side) or quantity > min(
        account.available_shares(ticker) + set_aside.shares, abs(held)
    ):
        doing = "Selling" if side is Side.sell else "Buying back"
        raise InsufficientShares(
            f"{doing} {quantity.normalize():f} {ticker} needs that many shares, and "
            f"{shares_there(account, ticker)}. {'Sell' if side is Side.sell else 'Buy'} at most "
            "those."
        )


def _check_closing(
    account: AccountBook,
    ticker: str,
    side: Side,
    quantity: Decimal,
    value: Decimal,
    fee: Decimal,
    set_aside: SetAside,
) -> None:
    """Check the cash of a fill that closes; what was sold short is bought back with its proceeds.

    They are there for it, and its margin, whatever that leaves to other positions.
    """
    if side is Side.buy:
        there = account.cash - account.reserved_cash + set_aside.cash
        if value + fee > there:
            raise InsufficientCash(
                f"Buying {quantity.normalize():f} {ticker} back costs ${value + fee:,.2f}, and "
                f"${there:,.2f} is there. Buy less, sell something, or deposit first."
            )
        return
    proceeds = value - fee
    if proceeds < 0 and account.available_cash + proceeds < 0:
        raise InsufficientCash(
            f"The fee of this sale is ${-proceeds:,.2f} more than it brings, and "
            f"{cash_there(account)}. Sell more at once, or deposit first."
        )
    _check_cap(max(account.cash + proceeds, proceeds))


def _check_cap(cash: Decimal) -> None:
    if cash > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An account may hold at most $1,000,000,000 in cash. Sell less.")


def cash_there(account: AccountBook) -> str:
    """Return a clause on how much cash may be spent: why less than there is, if so."""
    available = max(_ZERO, account.available_cash)
    if available == account.cash:
        return f"${account.cash:,.2f} is there"
    return (
        f"${available:,.2f} is there beside the ${account.cash - available:,.2f} that open orders "
        f"{'and short positions ' if account.short_collateral else ''}set aside"
    )


def shares_there(account: AccountBook, ticker: str) -> str:
    """Return a clause on how many shares may be closed: why less than are held, if so."""
    held = abs(account.holding(ticker).quantity)
    available = max(_ZERO, account.available_shares(ticker))
    verb = "are sold short" if account.holding(ticker).quantity < 0 else "are held"
    if available == held:
        return f"{held.normalize():f} {verb}"
    return (
        f"{available.normalize():f} {verb} beside the {(held - available).normalize():f} that "
        "open orders set aside"
    )
