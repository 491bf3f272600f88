"""The command that resets an account: a new chapter of its journal, and nothing is forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from paperdesk.audit.trail import Action, Line
from paperdesk.errors import IdempotencyMismatch
from paperdesk.ledger.accounts import OPENING_KEY
from paperdesk.ledger.cash import begins_chapter, check_key
from paperdesk.ledger.entries import cash_movement, position_adjustment
from paperdesk.ledger.holdings import NOTHING
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import plain
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    Order,
    PositionAdjustmentKind,
)
from paperdesk.orders import linked
from paperdesk.orders.venue import Venue

_REASON: Final = "The account was reset."


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset did: the deposit that the new chapter begins with, the orders that it ended.

    `replayed` if it was done before under its key.
    """

    opening: CashMovement
    canceled: Sequence[Order] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ResetAccount:
    """Begin an account anew with `cash_balance`, in US dollars, or what it was opened with.

    Open orders are canceled; positions and cash leave it, and what was realised starts from 0: each
    as an entry of the journal, so its history, its rules and every key that was used stay.
    """

    account_id: str
    venue: Venue
    cash_balance: Decimal | None = None
    key: str | None = None
    note: str | None = None

    def __call__(self, books: Books) -> Reset:
        """Reset it. Raises NotFound, IdempotencyMismatch, or InvalidRequest for the desk's keys."""
        check_key(self.key)
        account = books.account(self.account_id)
        if (earlier := self._earlier(books)) is not None:
            return Reset(earlier, replayed=True)
        now = self.venue.clock.now()
        balance = self.cash_balance
        if balance is None:
            opened = _under(books, self.account_id, OPENING_KEY)
            assert opened is not None  # noqa: S101 - every journal begins with it
            balance = opened.amount
        before = {
            "cash_balance": plain(account.cash),
            "realized_pnl": plain(account.realized_pnl),
            "positions": {t: plain(account.holding(t).quantity) for t in account.tickers()},
        }
        canceled = books.open_orders(self.account_id)
        linked.cancel(books, canceled, now, _REASON)
        _give_up(account, self.venue, now)
        taken = cash_movement(CashMovementKind.adjustment, -account.cash, now, note=_REASON)
        account.enter(taken, now)
        opening = cash_movement(
            CashMovementKind.deposit, balance, now, key=self.key, note=self.note
        )
        if self.key is not None:
            books.note_key(self.account_id, self.key)
        account.enter(opening, now)
        after = {"cash_balance": plain(balance), "note": self.note}
        message = f"The account begins anew with ${plain(balance)}."
        books.note(
            Line(Action.account_reset, message, self.account_id, self.account_id, before, after)
        )
        return Reset(opening, canceled)

    def _earlier(self, books: Books) -> CashMovement | None:
        """Return the new balance of the reset that was done under this key, if one was."""
        if self.key is None:
            return None
        if not books.is_entry_key(self.account_id, self.key):
            if books.order_under(self.account_id, self.key):
                raise _another()
            return None
        found = _under(books, self.account_id, self.key)
        if found is None:
            raise _another()
        is_other = self.cash_balance not in {None, found.amount} or found.note != self.note
        if is_other or not begins_chapter(books, found):
            raise _another()
        return found


def _give_up(account: AccountBook, venue: Venue, now: datetime) -> None:
    """Have every position leave an account at its cost, held or sold short."""
    for ticker in account.tickers():
        holding = account.holding(ticker)
        entry = position_adjustment(
            PositionAdjustmentKind.reset,
            ticker,
            now,
            quantity=-holding.quantity,
            cost=-holding.cost_basis,
            note=_REASON,
            price=venue.board.price_of(ticker),
        )
        account.enter(entry, now, {ticker: NOTHING})


def _under(books: Books, account_id: str, key: str) -> CashMovement | None:
    return books.session.scalar(
        select(CashMovement).where(CashMovement.user_id == account_id, CashMovement.key == key)
    )


def _another() -> IdempotencyMismatch:
    return IdempotencyMismatch(
        "This key was used before for something else. Use a new key for a new reset."
    )
