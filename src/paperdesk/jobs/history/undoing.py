"""Taking back what a row of an import booked, by what its effect says of it.

Each entry is answered by its opposite, under a name that says so: the row can be imported again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from paperdesk.audit.trail import Action, Line
from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import Split
from paperdesk.errors import InsufficientCash, InsufficientShares, InvalidState
from paperdesk.jobs.history.names import last_reset, trade_id
from paperdesk.jobs.undoing import undo_trades
from paperdesk.ledger import adjusting, booking
from paperdesk.ledger.cash import UNDONE
from paperdesk.ledger.entries import cash_movement, position_adjustment
from paperdesk.ledger.fills import cash_there, shares_there
from paperdesk.ledger.holdings import Holding
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import plain
from paperdesk.models import CashMovement, PositionAdjustment, PositionAdjustmentKind, Trade


def undo_effect(
    books: Books, account_id: str, name: str, effect: Mapping[str, Any], now: datetime, why: str
) -> None:
    """Take back all that an effect names. Raises Refused, and has changed nothing then."""
    account = books.account(account_id)
    # All is read before anything is entered: a query would write that, for good.
    trades = _trades(books, effect.get("trades", ()))
    moved = _movements(books, account_id, effect.get("cash", ()))
    adjusted = _adjustments(books, account_id, name)
    if any(each.sequence < last_reset(books, account_id) for each in (*moved, *adjusted)):
        raise InvalidState("The account was reset since: what was booked is no longer there.")
    with account.whole():
        if split := effect.get("split"):
            _undo_split(books, account, name, split, now, why)
        if shares := effect.get("shares"):
            _undo_transfer(books, account, name, shares, now, why)
        if trades:
            first = {effect["trades"][0]: trade_id(account_id, name + UNDONE)}
            undo_trades(books, account_id, trades, now, why, first)
        for movement in moved:
            _undo_cash(books, account, movement, now, why)


def _trades(books: Books, ids: Sequence[str]) -> Sequence[Trade]:
    query = select(Trade).where(Trade.id.in_(ids)).order_by(Trade.sequence.desc())
    return books.session.scalars(query).all() if ids else ()


def _movements(books: Books, account_id: str, keys: Sequence[str]) -> Sequence[CashMovement]:
    query = (
        select(CashMovement)
        .where(CashMovement.user_id == account_id, CashMovement.key.in_(keys))
        .order_by(CashMovement.sequence.desc())
    )
    return books.session.scalars(query).all() if keys else ()


def _adjustments(books: Books, account_id: str, name: str) -> Sequence[PositionAdjustment]:
    query = select(PositionAdjustment).where(
        PositionAdjustment.user_id == account_id, PositionAdjustment.key == name
    )
    return books.session.scalars(query).all()


def _undo_cash(
    books: Books, account: AccountBook, moved: CashMovement, now: datetime, why: str
) -> None:
    key = moved.key + UNDONE
    if moved.amount > 0 and account.available_cash < moved.amount:
        raise InsufficientCash(
            f"Taking back a {moved.kind} of ${moved.amount:,.2f} needs that much cash, and "
            f"{cash_there(account)}."
        )
    if account.cash - moved.amount > booking.LARGEST_AMOUNT:
        raise InvalidState("An account may hold at most $1,000,000,000 in cash.")
    back = cash_movement(moved.kind, -moved.amount, now, key=key, note=why, ticker=moved.ticker)
    before = account.cash
    account.enter(back, now)
    books.note_key(account.id, key)
    message = f"{moved.kind} of ${plain(moved.amount).lstrip('-')}: taken back."
    was, after = {"cash_balance": plain(before)}, {"cash_balance": plain(account.cash)}
    line = Line(Action.cash_moved, message, account.id, back.id, was, after | {"reason": why})
    books.note(line)


def _undo_split(
    books: Books,
    account: AccountBook,
    name: str,
    split: Mapping[str, Any],
    now: datetime,
    why: str,
) -> None:
    """Split back, where that brings back the very shares that there were."""
    ticker, (new, old) = split["ticker"], split["ratio"]
    held = account.holding(ticker)
    if held.quantity:
        back = adjusting.split(held, old, new)
        is_same = held.quantity != Decimal(split["after"]) or back.quantity == Decimal(
            split["before"]
        )
        again = adjusting.split(back, new, old)
        if not is_same or (again.quantity, again.lots) != (held.quantity, held.lots):
            raise InvalidState(
                f"The split of {ticker} rounded a fraction of a share: it cannot be turned back to "
                "what there was."
            )
    notice = Notice(account.id, name + UNDONE, now, now, why, own=True)
    Split(notice, ticker, old, new)(books)


def _undo_transfer(
    books: Books,
    account: AccountBook,
    name: str,
    shares: Mapping[str, Any],
    now: datetime,
    why: str,
) -> None:
    ticker = shares["ticker"]
    quantity, cost = Decimal(shares["quantity"]), Decimal(shares["cost"])
    held = account.holding(ticker)
    after = Holding(held.quantity - quantity, held.cost_basis - cost)
    if quantity > account.available_shares(ticker) or held.quantity < 0:
        raise InsufficientShares(
            f"{quantity.normalize():f} {ticker} came, and {shares_there(account, ticker)}."
        )
    if (held.lots is not None and after.quantity) or after.cost_basis < 0:
        raise InvalidState(
            f"Of {ticker} other shares are held beside those that came; which of them are which, "
            "the books do not tell."
        )
    if not after.quantity and after.cost_basis:
        raise InvalidState(f"What is held of {ticker} did not come by this transfer.")
    key = name + UNDONE
    entry = position_adjustment(
        PositionAdjustmentKind.transfer,
        ticker,
        now,
        quantity=-quantity,
        cost=-cost,
        key=key,
        note=why,
    )
    account.enter(entry, now, {ticker: after})
    books.note_key(account.id, key)
    message = f"A transfer of {abs(quantity).normalize():f} {ticker}: taken back."
    positions = {"positions": {ticker: plain(after.quantity)}}
    was = {"positions": {ticker: plain(held.quantity)}}
    line = Line(Action.action_booked, message, account.id, entry.id, was, positions)
    books.note(line)
