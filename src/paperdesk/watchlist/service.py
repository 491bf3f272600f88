"""Adding to, removing from and reading an account's primary list."""

from collections.abc import Sequence

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.audit.trail import Action, Line, note
from paperdesk.clock import Clock
from paperdesk.errors import NotFound
from paperdesk.ids import new_id
from paperdesk.models import PRIMARY_LIST, WatchlistEntry


def entries_of(account_id: str) -> Select[WatchlistEntry]:
    """Return the query for an account's primary list, in the order of adding."""
    return (
        select(WatchlistEntry)
        .where(WatchlistEntry.user_id == account_id, WatchlistEntry.list_id == PRIMARY_LIST)
        .order_by(WatchlistEntry.added_at, WatchlistEntry.id)
    )


async def entries(session: AsyncSession, account_id: str) -> Sequence[WatchlistEntry]:
    """Return an account's primary list, in the order of adding."""
    return (await session.scalars(entries_of(account_id))).all()


async def add(
    session: AsyncSession, account_id: str, ticker: str, clock: Clock
) -> tuple[WatchlistEntry, bool]:
    """Put a ticker on the list; return its entry, and whether it is new there.

    The unique constraint decides, not a read: two requests at once add it once.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    added = await session.scalar(
        insert(WatchlistEntry)
        .values(
            id=new_id(),
            user_id=account_id,
            list_id=PRIMARY_LIST,
            ticker=ticker,
            added_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(WatchlistEntry.id)
    )
    entry = (
        await session.scalars(entries_of(account_id).where(WatchlistEntry.ticker == ticker))
    ).one()
    if added is not None:
        note(session, added_line(account_id, entry.id, ticker), entry.added_at)
    return entry, added is not None


async def remove(session: AsyncSession, account_id: str, ticker: str, clock: Clock) -> None:
    """Take a ticker off the list. Raises NotFound if it is not on it."""
    removed = await session.scalar(
        delete(WatchlistEntry)
        .where(
            WatchlistEntry.user_id == account_id,
            WatchlistEntry.list_id == PRIMARY_LIST,
            WatchlistEntry.ticker == ticker,
        )
        .returning(WatchlistEntry.id)
    )
    if removed is None:
        raise NotFound(f"{ticker} is not on the watchlist.")
    note(session, removed_line(account_id, removed, ticker), clock.now())


def added_line(account_id: str, entry_id: str, ticker: str) -> Line:
    """Return what the audit trail says of an entry that is new."""
    message = f"{ticker} was put on the watchlist."
    after = {"ticker": ticker, "list": PRIMARY_LIST}
    return Line(Action.watchlist_added, message, account_id, entry_id, None, after)


def removed_line(account_id: str, entry_id: str, ticker: str) -> Line:
    """Return what the audit trail says of an entry that is gone."""
    message = f"{ticker} was taken off the watchlist."
    before = {"ticker": ticker, "list": PRIMARY_LIST}
    return Line(Action.watchlist_removed, message, account_id, entry_id, before)
