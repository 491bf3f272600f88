"""What all corporate actions have in common: a key under which each is booked once, for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import func, select

from paperdesk.audit.trail import Action, Line
from paperdesk.corporate.holding_life import last_entry
from paperdesk.errors import IdempotencyMismatch, InvalidRequest
from paperdesk.ledger.cash import check_key
from paperdesk.ledger.entries import position_adjustment
from paperdesk.ledger.holdings import Holding
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import plain
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    Order,
    PositionAdjustment,
    PositionAdjustmentKind,
    Trade,
)

SOURCE: Final = "corporate_action"
"""The source of trades that an action brings with it."""

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Notice:
    """An action on an account: its key, when it takes effect (never later than `now`), a remark.

    The same action under the same key has one effect; another one under that key is refused. `own`
    says that the key is one of the desk's own.
    """

    account_id: str
    key: str
    now: datetime
    effective_at: datetime
    note: str | None = None
    own: bool = False

    def check(self) -> None:
        """Raise InvalidRequest for a key that only the desk may use, or a time that is to come."""
        if not self.own:
            check_key(self.key)
        if self.effective_at > self.now:
            raise InvalidRequest("effective_at: lies in the future. Enter it when it is due.")


def check_held(account: AccountBook, notice: Notice, ticker: str) -> None:
    """Raise InvalidRequest for an action that took effect before what it is about was held."""
    since = account.opened_at(ticker)
    if since is not None and notice.effective_at < since:
        raise InvalidRequest(
            f"effective_at: {ticker} is held since {since:%Y-%m-%d %H:%M:%S} UTC. Give a later "
            "time, or none for now."
        )


def check_order(books: Books, notice: Notice, ticker: str) -> None:
    """Raise InvalidRequest for an action dated before the last entry about the shares held now.

    Those are what it changes: dated earlier it would be about others.
    """
    check_held(books.account(notice.account_id), notice, ticker)
    trades, actions = Trade, PositionAdjustment
    named = (actions.ticker == ticker) | (actions.new_ticker == ticker)
    mine = notice.account_id
    times = [
        books.session.scalar(query)
        for query in (
            select(func.max(trades.executed_at)).where(
                trades.user_id == mine, trades.ticker == ticker
            ),
            select(func.max(actions.effective_at)).where(actions.user_id == mine, named),
        )
    ]
    last = max((time for time in times if time is not None), default=None)
    if last is not None and notice.effective_at < last:
        # Perhaps that was about shares which are long gone, such as an import that was undone.
        last = last_entry(books, mine, ticker)
    if last is not None and notice.effective_at < last:
        raise InvalidRequest(
            f"effective_at: the last entry about {ticker} is of {last:%Y-%m-%d %H:%M:%S} UTC. "
            "Actions are booked in the order of time: give a later one, or none for now."
        )


@dataclass(frozen=True, slots=True)
class Acted:
    """What an action did to an account.

    `entry` is None where there was nothing for it to change. `orders` are the open orders that it
    changed, `canceled` those that it ended. `replayed` if it was booked before under its key.
    """

    entry: PositionAdjustment | CashMovement | None
    trades: Sequence[Trade] = ()
    orders: Sequence[Order] = ()
    canceled: Sequence[Order] = ()
    replayed: bool = False


def what_is_held(account: AccountBook, *tickers: str) -> dict[str, Any]:
    """Return the cash and the shares that an action changes, as the audit trail has them."""
    shares = {ticker: plain(account.holding(ticker).quantity) for ticker in tickers}
    return {"cash_balance": plain(account.cash), "positions": shares}


def noted(books: Books, notice: Notice, acted: Acted, before: Mapping[str, Any]) -> Acted:
    """Note for the audit trail what an action did; `before` is `what_is_held` before it."""
    entry = acted.entry
    assert entry is not None  # noqa: S101 - it did something
    after = what_is_held(books.account(notice.account_id), *before["positions"]) | {
        "kind": entry.kind,
        "effective_at": notice.effective_at,
        "note": notice.note,
        "orders": [order.id for order in acted.orders],
        "canceled": [order.id for order in acted.canceled],
        "trades": [trade.id for trade in acted.trades],
    }
    if isinstance(entry, PositionAdjustment) and entry.numerator:
        after["ratio"] = f"{entry.numerator}:{entry.denominator}"
    message = f"{entry.kind.replace('_', ' ')} of {entry.ticker}."
    line = Line(Action.action_booked, message, notice.account_id, entry.id, before, after)
    books.note(line)
    return acted


def adjustment(
    notice: Notice,
    kind: PositionAdjustmentKind,
    ticker: str,
    *,
    new_ticker: str | None = None,
    ratio: tuple[int, int] | None = None,
    quantity: Decimal = ZERO,
    cost: Decimal = ZERO,
) -> PositionAdjustment:
    """Return the journal's entry of an action."""
    return position_adjustment(
        kind,
        ticker,
        notice.now,
        new_ticker=new_ticker,
        ratio=ratio,
        quantity=quantity,
        cost=cost,
        key=notice.key,
        note=notice.note,
        effective_at=notice.effective_at,
    )


def enter(
    books: Books,
    notice: Notice,
    entry: PositionAdjustment,
    holdings: Mapping[str, Holding],
    since: datetime | None = None,
) -> None:
    """Enter an adjustment, and what is held after it."""
    books.note_key(notice.account_id, notice.key)
    books.account(notice.account_id).enter(entry, notice.effective_at, holdings, since)


def earlier_adjustment(
    books: Books, notice: Notice, asked: PositionAdjustment
) -> PositionAdjustment | None:
    """Return the adjustment that was booked under a key, if any was.

    Raises IdempotencyMismatch where the key stands for something else.
    """
    found = books.session.scalar(
        select(PositionAdjustment).where(
            PositionAdjustment.user_id == notice.account_id, PositionAdjustment.key == notice.key
        )
    )
    if found is None:
        if books.order_under(notice.account_id, notice.key) or books.is_entry_key(
            notice.account_id, notice.key
        ):
            raise _another()
        return None
    if _said(found) != _said(asked):
        raise _another()
    return found


def earlier_dividend(books: Books, notice: Notice, ticker: str) -> CashMovement | None:
    """Return the dividend that was booked under a key, if any was.

    Raises IdempotencyMismatch where the key stands for something else.
    """
    if not books.is_entry_key(notice.account_id, notice.key):
        if books.order_under(notice.account_id, notice.key):
            raise _another()
        return None
    found = books.session.scalar(
        select(CashMovement).where(
            CashMovement.user_id == notice.account_id, CashMovement.key == notice.key
        )
    )
    asked = (CashMovementKind.dividend, ticker, notice.note)
    if found is None or (found.kind, found.ticker, found.note) != asked:
        raise _another()
    return found


def _said(entry: PositionAdjustment) -> tuple[object, ...]:
    ratio = (entry.numerator, entry.denominator)
    return entry.kind, entry.ticker, entry.new_ticker, ratio, entry.note


def _another() -> IdempotencyMismatch:
    return IdempotencyMismatch(
        "This key was used before for something else. Use a new key for a new action."
    )
