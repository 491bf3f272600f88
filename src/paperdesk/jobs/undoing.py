"""Taking back what a row booked: compensating entries at the original price, the fee included.

The journal only grows. Each trade is answered by its opposite at the same price, without a fee, and
its own fee comes back as a movement of the kind `fee` above zero; so cash is, to the last digit,
what it would be had the trade never been.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import aliased

from paperdesk.audit.trail import Action, Line
from paperdesk.errors import InvalidState
from paperdesk.ledger.cash import OWN_PREFIX, UNDO, UNDONE
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.fills import book_without_order, parts_of
from paperdesk.ledger.holdings import closes
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import plain
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    CostBasis,
    Order,
    PositionAdjustment,
    Side,
    Trade,
)
from paperdesk.orders import linked

_ZERO: Final = Decimal(0)


def undo_order(books: Books, account_id: str, order_id: str, now: datetime, why: str) -> None:
    """Take back the trades of an order and of those that took its place, and cancel what is open.

    Raises Refused, and has changed nothing then, where the shares or the cash are not there, or
    where the shares are no longer the same.
    """
    orders = _with_successors(books, account_id, order_id)
    query = select(Trade).where(Trade.order_id.in_([order.id for order in orders]))
    trades = books.session.scalars(query.order_by(Trade.sequence.desc())).all()
    undo_trades(books, account_id, trades, now, why)
    linked.cancel(books, orders, now, why)


def undo_trades(
    books: Books,
    account_id: str,
    trades: Sequence[Trade],
    now: datetime,
    why: str,
    ids: Mapping[str, str] | None = None,
) -> None:
    """Take back trades, given the last one first. Raises Refused, and has changed nothing then.

    `ids` says, by a trade's own, which id the opposite trade is to have, where that matters.
    """
    account = books.account(account_id)
    for trade in trades:
        _check_same_shares(books, trade)
    with account.whole():
        returned = [_undo(account, trade, now, why, (ids or {}).get(trade.id)) for trade in trades]
    for trade, fee in zip(trades, returned, strict=True):
        side = "bought" if trade.side is Side.buy else "sold"
        says = f"{plain(trade.quantity)} {trade.ticker}, {side} at {plain(trade.price)}"
        before = {"price": plain(trade.price), "fee": plain(trade.fee), "source": trade.source}
        after = {"quantity": plain(trade.quantity), "fee_returned": plain(fee), "reason": why}
        message = f"{says}: taken back."
        books.note(Line(Action.trade_undone, message, account_id, trade.id, before, after))


def _undo(
    account: AccountBook, trade: Trade, now: datetime, why: str, trade_id: str | None
) -> Decimal:
    """Book the opposite of a trade, and return what came back beside it: its fee."""
    before = account.cash
    paid = trade.value + trade.fee if trade.side is Side.buy else trade.fee - trade.value
    opposite = Side.sell if trade.side is Side.buy else Side.buy
    for part in parts_of(account, trade.ticker, opposite, trade.quantity):
        book_without_order(
            account,
            trade.ticker,
            opposite,
            quantity=part,
            price=trade.price,
            now=now,
            source=UNDO,
            strategy=trade.strategy,
            lots=_own_lot(account, trade, opposite, part),
            trade_id=trade_id,
        )
        trade_id = None
    # With the fee whatever two parts were rounded to: what was paid comes back, to the last digit.
    missing = paid - (account.cash - before)
    if missing:
        note = f"Fee of the trade {trade.id}, returned. {why}"
        movement = cash_movement(CashMovementKind.fee, missing, now, note=note, ticker=trade.ticker)
        account.enter(movement, now)
    return missing


def _own_lot(
    account: AccountBook, trade: Trade, side: Side, quantity: Decimal
) -> tuple[int, ...] | None:
    """Return the lot that a trade opened, where it still has the shares; None: by the method."""
    holding = account.holding(trade.ticker)
    if account.rules.cost_basis_method is CostBasis.average or not closes(holding.quantity, side):
        return None
    there = {lot.number: abs(lot.quantity) for lot in holding.lots or ()}
    return (trade.sequence,) if there.get(trade.sequence, _ZERO) >= quantity else None


def _with_successors(books: Books, account_id: str, order_id: str) -> list[Order]:
    """Return an order and those that took its place since, the first one first."""
    orders = [books.order(account_id, order_id)]
    while (successor := orders[-1].replaced_by) is not None:
        orders.append(books.order(account_id, successor))
    return orders


def _check_same_shares(books: Books, trade: Trade) -> None:
    """Raise InvalidState where a split, a new symbol or a reset came after a trade."""
    back = aliased(PositionAdjustment)
    taken_back = exists().where(
        back.user_id == PositionAdjustment.user_id, back.key == PositionAdjustment.key + UNDONE
    )
    adjusted = select(PositionAdjustment.id).where(
        PositionAdjustment.user_id == trade.user_id,
        # Neither what was taken back since, nor what took it back.
        PositionAdjustment.key.not_like(f"{OWN_PREFIX}%{UNDONE}"),
        ~taken_back,
        PositionAdjustment.sequence > trade.sequence,
        or_(
            PositionAdjustment.ticker == trade.ticker,
            PositionAdjustment.new_ticker == trade.ticker,
        ),
    )
    reset = select(CashMovement.id).where(
        CashMovement.user_id == trade.user_id,
        CashMovement.sequence > trade.sequence,
        CashMovement.kind == CashMovementKind.adjustment,
    )
    if books.session.scalar(adjusted.limit(1)) or books.session.scalar(reset.limit(1)):
        raise InvalidState(
            f"{trade.ticker} was split, renamed or reset since: those shares are no longer there. "
            "Trade what is to be different by yourself."
        )
