"""Accounts: opening one, and finding one."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from paperdesk.errors import NotFound
from paperdesk.ids import new_id
from paperdesk.ledger import journal
from paperdesk.models import (
    PRIMARY_LIST,
    CashMovement,
    CashMovementKind,
    UserProfile,
    Watchlist,
)

OPENING_KEY = "opening"


def open_account(
    session: Session, name: str, balance: Decimal, now: datetime, *, account_id: str | None = None
) -> UserProfile:
    """Open an account with its primary watchlist; the opening balance is its journal's first entry.

    `balance` is in US dollars with at most 6 places.
    """
    account = UserProfile(name=name, cash_balance=balance, realized_pnl=Decimal(0), created_at=now)
    account.id = account_id or new_id()
    account.head_sequence = 0
    account.head_hash = journal.FIRST_HASH
    session.add(account)
    session.flush()
    session.add(Watchlist(user_id=account.id, id=PRIMARY_LIST, name="Watchlist", created_at=now))
    opening = CashMovement(
        kind=CashMovementKind.deposit,
        amount=balance,
        key=OPENING_KEY,
        effective_at=now,
        created_at=now,
    )
    opening.id = new_id()
    journal.append(session, account, opening)
    session.flush()
    return account


def account_row(session: Session, account_id: str) -> UserProfile:
    """Return an account's row, which the writer has locked for this transaction.

    Raises NotFound for an id that is no account.
    """
    account = session.get(UserProfile, account_id)
    if account is None:
        raise NotFound(f"There is no account {account_id!r}.")
    return account
