"""The booking primitives: what a command may do to an account's books, within one transaction."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from paperdesk.errors import InsufficientCash, InsufficientShares, InvalidRequest
from paperdesk.ids import new_id
from paperdesk.ledger import booking, journal
from paperdesk.ledger.accounts import account_row
from paperdesk.models import Order, Position, Side, Trade, UserProfile

_ZERO = Decimal(0)


def order_by_key(session: Session, account_id: str, client_order_id: str) -> Order | None:
    """Return the order that was placed under a key, if any was."""
    return session.scalars(
        select(Order).where(Order.user_id == account_id, Order.client_order_id == client_order_id)
    ).one_or_none()


def book_fill(
    session: Session,
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
    account = account_row(session, order.user_id)
    position = _position(session, account.id, order.ticker)
    before = _holding(position)
    value = booking.value_of(quantity, price)
    if order.side is Side.buy:
        cash = _paid(account, order.ticker, quantity, value + fee)
        after, realized = booking.bought(before, quantity, value), _ZERO
        if after.quantity > booking.LARGEST_AMOUNT:
            raise InvalidRequest("A position may have at most 1,000,000,000 shares. Buy less.")
    else:
        cash = _received(account, before, order.ticker, quantity, value - fee)
        sale = booking.sold(before, quantity, value)
        after, realized = sale.left, sale.realized_pnl
    if not value and after.quantity:
        raise InvalidRequest(
            "At this price that is worth less than $0.000001, the smallest amount of the books. "
            "Trade more shares at once."
        )
    trade = Trade(
        id=new_id(),
        order_id=order.id,
        ticker=order.ticker,
        side=order.side,
        quantity=quantity,
        price=price,
        value=value,
        fee=fee,
        realized_pnl=realized,
        source=order.source,
        strategy=order.strategy,
        executed_at=now,
    )
    account.cash_balance = cash
    account.realized_pnl += realized
    position = position or Position(user_id=account.id, ticker=order.ticker, opened_at=now)
    _hold(session, position, after, now)
    journal.append(session, account, trade)
    return trade


def _paid(account: UserProfile, ticker: str, quantity: Decimal, cost: Decimal) -> Decimal:
    if cost > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An order may be worth at most $1,000,000,000. Buy less at once.")
    if cost > account.cash_balance:
        raise InsufficientCash(
            f"Buying {quantity.normalize():f} {ticker} costs ${cost:,.2f}, and "
            f"${account.cash_balance:,.2f} is there. Buy less, or sell something first."
        )
    return account.cash_balance - cost


def _received(
    account: UserProfile, held: booking.Holding, ticker: str, quantity: Decimal, proceeds: Decimal
) -> Decimal:
    if quantity > held.quantity:
        raise InsufficientShares(
            f"Selling {quantity.normalize():f} {ticker} needs that many shares, and "
            f"{held.quantity.normalize():f} are held. Sell at most those."
        )
    cash = account.cash_balance + proceeds
    if max(cash, proceeds) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("An account may hold at most $1,000,000,000 in cash. Sell less.")
    return cash


def _position(session: Session, account_id: str, ticker: str) -> Position | None:
    return session.scalars(
        select(Position).where(Position.user_id == account_id, Position.ticker == ticker)
    ).one_or_none()


def _holding(position: Position | None) -> booking.Holding:
    if position is None:
        return booking.NOTHING
    return booking.Holding(position.quantity, position.cost_basis)


def _hold(session: Session, position: Position, holding: booking.Holding, now: datetime) -> None:
    """Make the position's row say what is held; a closed position has none."""
    if not holding.quantity:
        session.delete(position)
        return
    position.quantity = holding.quantity
    position.cost_basis = holding.cost_basis
    position.avg_cost = booking.average_cost(holding)
    position.updated_at = now
    session.add(position)
