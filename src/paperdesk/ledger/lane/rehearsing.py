"""Rehearsals: commands booked on an account as it is now, of which nothing is ever written.

They read through a connection that cannot write, so no other writer waits meanwhile and no lock is
taken; a transaction that is rolled back would hold SQLite's only one.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, exists, select

from paperdesk.db.engine import Database
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.views import AccountView

T = TypeVar("T")

Inserted = set[tuple[str, tuple[Any, ...]]]
"""Rows that a rehearsal would have inserted: the table, and what is unique of each."""


class Rehearsal:
    """An account, and what the commands so far would have made of it."""

    def __init__(self, database: Database, account: AccountView) -> None:
        self._database = database
        self.account = account
        self._inserted: Inserted = set()
        self._seen: set[object] = set()

    async def run(self, command: Callable[[Books], T]) -> T:
        """Run a command on the account as those before it would have left it.

        What it asks the database beside the books is there as it really is. Raises what it raises.
        """
        async with self._database.reader.connect() as connection:
            return await connection.run_sync(self._run, command)

    def _run(self, connection: Connection, command: Callable[[Books], T]) -> T:
        books = _UnwrittenBooks(connection, self.account, self._inserted)
        books.seen = self._seen
        result = command(books)
        self.account = books.left()
        return result


class _UnwrittenBooks(Books):
    """Books of one account that is not locked; what is entered moves its balances and is let go."""

    def __init__(self, connection: Connection, view: AccountView, inserted: Inserted) -> None:
        super().__init__(connection)
        self._inserted = inserted
        self._account = self._accounts[view.id] = AccountBook(view, self._entries)

    def insert_new(self, table: Table, unique: Mapping[str, Any], rest: Mapping[str, Any]) -> bool:  # noqa: ARG002 - only what is unique decides
        """Say whether a row would be new: neither there nor inserted before in this rehearsal."""
        row = (table.name, tuple(unique.values()))
        there = exists().where(*(table.c[name] == value for name, value in unique.items()))
        if row in self._inserted or self.connection.scalar(select(there)):
            return False
        self._inserted.add(row)
        return True

    def left(self) -> AccountView:
        """Return the account as the commands left it."""
        return self._account.settle().view if self._account.is_changed else self._account.before

    def _write(self) -> None:
        self._orders.clear()
        self._changed.clear()
        self._entries.clear()
