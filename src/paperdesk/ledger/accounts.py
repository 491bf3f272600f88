"""Accounts: opening one, and how its orders are filled and booked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from paperdesk.audit import trail
from paperdesk.audit.trail import Action, Line
from paperdesk.errors import InvalidState
from paperdesk.ids import new_id
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import difference, plain
from paperdesk.ledger.rules import PLAIN, Rules
from paperdesk.models import (
    PRIMARY_LIST,
    CashMovement,
    CashMovementKind,
    UserProfile,
    Watchlist,
)

OPENING_KEY = "opening"


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """Have an account's orders filled and booked by other rules, open orders too, from now on.

    `changes` are those fields of `Rules` that shall be different.
    """

    account_id: str
    changes: Mapping[str, Any]
    key: None = None

    def __call__(self, books: Books) -> Rules:
        """Change them. Raises NotFound where there is no such account, or InvalidState.

        Short selling cannot be switched off while something is sold short.
        """
        account = books.account(self.account_id)
        rules = replace(account.rules, **self.changes)
        is_short = any(account.holding(ticker).quantity < 0 for ticker in account.tickers())
        if is_short and not rules.short_selling:
            raise InvalidState(
                "Shares are sold short in this account. Buy them back, then switch it off."
            )
        if account.rules != rules:
            before, after = difference(account.rules, rules)
            account.govern(rules)
            message = f"Its rules were changed: {', '.join(after)}."
            books.note(
                Line(
                    Action.account_changed, message, self.account_id, self.account_id, before, after
                )
            )
        return rules


def open_account(
    session: Session,
    name: str,
    balance: Decimal,
    now: datetime,
    *,
    account_id: str | None = None,
    note: str | None = None,
    rules: Rules = PLAIN,
) -> str:
    """Open an account with its primary watchlist and return its id.

    `balance` is in US dollars with at most 6 places; it is the first entry of the journal, with the
    `note`. `rules` say how its orders are filled.
    """
    account_id = account_id or new_id()
    insert_account(session, account_id, name, now)
    books = Books(session.connection())
    books.open([account_id])
    account = books.account(account_id)
    account.enter(opening_balance(balance, note, now), now)
    if rules != PLAIN:
        account.govern(rules)
    books.settle()
    after = {"name": name, "cash_balance": plain(balance), **difference(PLAIN, rules)[1]}
    message = f"The account was opened with ${plain(balance)}."
    line = Line(Action.account_opened, message, account_id, account_id, None, after)
    trail.note(session, line, now)
    return account_id


def insert_account(session: Session, account_id: str, name: str, now: datetime) -> None:
    """Insert an account with its primary watchlist; its journal has no entry yet."""
    session.add(UserProfile(id=account_id, name=name, created_at=now))
    session.flush()
    session.add(Watchlist(user_id=account_id, id=PRIMARY_LIST, name="Watchlist", created_at=now))
    session.flush()


def opening_balance(balance: Decimal, note: str | None, now: datetime) -> CashMovement:
    """Return the first entry of an account's journal."""
    return cash_movement(CashMovementKind.deposit, balance, now, key=OPENING_KEY, note=note)
