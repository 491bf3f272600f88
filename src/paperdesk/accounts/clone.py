"""Cloning an account: another one with the same rules and, if so wished, the same positions."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from paperdesk.audit import trail
from paperdesk.audit.trail import Action, Line
from paperdesk.errors import InsufficientCash
from paperdesk.ids import new_id
from paperdesk.ledger.accounts import insert_account, opening_balance
from paperdesk.ledger.entries import position_adjustment
from paperdesk.ledger.fills import cash_there
from paperdesk.ledger.holdings import NOTHING, Holding, Lot, lots_of
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import plain
from paperdesk.market.quotes import QuoteBoard
from paperdesk.models import (
    PRIMARY_LIST,
    PositionAdjustmentKind,
    Watchlist,
    WatchlistEntry,
)


def clone_account(
    session: Session,
    source_id: str,
    name: str,
    board: QuoteBoard,
    now: datetime,
    *,
    account_id: str,
    cash_balance: Decimal | None = None,
    positions: bool = True,
) -> None:
    """Open an account like another one, as that is at this moment: its rules and its watchlists.

    With `positions` it holds the same lots, at the same cost and since the same time: each a
    transfer in its journal. It begins with the same cash, or `cash_balance` (US dollars, 6 places);
    nothing was realised, and there are no orders. Raises NotFound where there is no account
    `source_id`, or InsufficientCash where too little is given for what is sold short.
    """
    insert_account(session, account_id, name, now)
    books = Books(session.connection())
    books.open([source_id, account_id])
    source, account = books.account(source_id), books.account(account_id)
    _copy_watchlists(session, source_id, account_id)
    balance = source.cash if cash_balance is None else cash_balance
    account.enter(opening_balance(balance, name, now), now)
    account.govern(source.rules)
    if positions:
        for ticker in source.tickers():
            _transfer(source, account, ticker, board.price_of(ticker), now)
        if account.available_cash < 0 and cash_balance is not None:
            raise InsufficientCash(
                f"What is sold short needs ${account.short_collateral:,.2f} in cash, and "
                f"{cash_there(account)}. Give the clone more cash, or no positions."
            )
    books.settle()
    after = {
        "name": name,
        "source": source_id,
        "cash_balance": plain(balance),
        "positions": {t: plain(account.holding(t).quantity) for t in account.tickers()},
    }
    message = f"The account was opened like {source_id}."
    trail.note(
        session, Line(Action.account_cloned, message, account_id, account_id, None, after), now
    )


def _transfer(
    source: AccountBook, account: AccountBook, ticker: str, price: Decimal | None, now: datetime
) -> None:
    """Bring what one account holds of a ticker into another, lot by lot."""
    since = source.opened_at(ticker)
    assert since is not None  # noqa: S101 - it is held
    held = NOTHING
    for lot in lots_of(source.holding(ticker), since):
        entry = position_adjustment(
            PositionAdjustmentKind.transfer,
            ticker,
            now,
            quantity=lot.quantity,
            cost=lot.cost,
            opened_at=lot.opened_at,
            price=price,
        )
        mine = Lot(account.next_sequence, lot.opened_at, lot.quantity, lot.cost)
        quantity, cost = held.quantity + lot.quantity, held.cost_basis + lot.cost
        held = Holding(quantity, cost, (*(held.lots or ()), mine))
        account.enter(entry, now, {ticker: held}, lot.opened_at)


def _copy_watchlists(session: Session, source_id: str, account_id: str) -> None:
    for each in session.scalars(select(Watchlist).where(Watchlist.user_id == source_id)):
        if each.id != PRIMARY_LIST:
            session.add(
                Watchlist(
                    user_id=account_id, id=each.id, name=each.name, created_at=each.created_at
                )
            )
    listed = select(WatchlistEntry).where(WatchlistEntry.user_id == source_id)
    # Those that were added at the same time follow each other by their ids.
    for entry in session.scalars(listed.order_by(WatchlistEntry.id)):
        session.add(
            WatchlistEntry(
                id=new_id(),
                user_id=account_id,
                list_id=entry.list_id,
                ticker=entry.ticker,
                added_at=entry.added_at,
            )
        )
    session.flush()
