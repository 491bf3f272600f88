"""Rehearsals: commands booked on an account as it is now, of which nothing is ever written.

They read through a connection that cannot write, so no other writer waits meanwhile and no lock is
taken; a transaction that is rolled back would hold SQLite's only one.
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from paperdesk.db.engine import Database
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.views import AccountView

T = TypeVar("T")


class Rehearsal:
    """An account, and what the commands so far would have made of it."""

    def __init__(self, database: Database, account: AccountView) -> None:
        self._database = database
        self.account = account

    async def run(self, command: Callable[[Books], T]) -> T:
        """Run a command on the account as those before it would have left it.

        What it asks the database beside the books is there as it really is. Raises what it raises.
        """
        async with self._database.reader.connect() as connection:
            return await connection.run_sync(self._run, command)

    def _run(self, connection: Connection, command: Callable[[Books], T]) -> T:
        books = _UnwrittenBooks(connection, self.account)
        result = command(books)
        self.account = books.left()
        return result


class _UnwrittenBooks(Books):
    """Books of one account that is not locked; what is entered moves its balances and is let go."""

    def __init__(self, connection: Connection, view: AccountView) -> None:
        super().__init__(connection)
        self._account = self._accounts[view.id] = AccountBook(view, self._entries)

    def left(self) -> AccountView:
        """Return the account as the commands left it."""
        return self._account.settle().view if self._account.is_changed else self._account.before

    def _write(self) -> None:
        self._orders.clear()
        self._changed.clear()
        self._entries.clear()
