"""The books of one batch: its accounts, locked, and the orders it places.

A command sees and changes money through here alone. What it changes is written when the batch is
settled, or before a query that may want to see it.
"""

from collections.abc import Collection, Mapping
from functools import cached_property

from sqlalchemy import Connection, event, exists, select
from sqlalchemy.orm import ORMExecuteState, Session

from paperdesk.errors import NotFound
from paperdesk.ledger.journal import Entry, PlainTrade
from paperdesk.ledger.lane import rows
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.views import AccountView, read_view
from paperdesk.models import CashMovement, Order


class Books:
    """The accounts that a batch may change, within the open transaction of `connection`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._accounts: dict[str, AccountBook] = {}
        self._keys: Collection[str] = ()
        self._used_keys: set[tuple[str, str]] | None = None
        self._moved_under: set[tuple[str, str]] | None = None
        self._placed: dict[tuple[str, str], Order] = {}
        self._orders: list[Order] = []
        self._entries: list[Entry | PlainTrade] = []
        self._writes = 0

    @cached_property
    def session(self) -> Session:
        """A session in the same transaction, for what a command needs beside the books.

        Its queries see what the batch placed and entered so far. Do not commit or close it.
        """
        session = Session(self.connection, expire_on_commit=False)
        event.listen(session, "do_orm_execute", self._before_query)
        event.listen(session, "after_flush", self._after_flush)
        return session

    def open(
        self,
        account_ids: Collection[str],
        keys: Collection[str] = (),
        known: Mapping[str, AccountView] | None = None,
    ) -> None:
        """Lock accounts against every other process, and open their books.

        `keys` are those that `order_under` will be asked for. A view in `known` saves reading the
        positions, as long as nobody booked since.
        """
        self._keys = keys
        for head in rows.lock_accounts(self.connection, account_ids):
            view = (known or {}).get(head.id)
            if view is None or view.head != head:
                view = read_view(self.connection, head.id)
            self._accounts[head.id] = AccountBook(view, self._entries)

    def account(self, account_id: str) -> AccountBook:
        """Return the book of an account of the batch. Raises NotFound if there is none."""
        book = self._accounts.get(account_id)
        if book is None:
            raise NotFound(f"There is no account {account_id!r}.")
        return book

    def order_under(self, account_id: str, client_order_id: str) -> Order | None:
        """Return the order that was placed under a key, ever or in this batch, if any was.

        Raises NotFound if there is no such account.
        """
        self.account(account_id)
        account_key = (account_id, client_order_id)
        if placed := self._placed.get(account_key):
            return placed
        if self._used_keys is None:
            # All keys of the batch in one look: nearly always none was used before.
            self._used_keys = set(rows.keys_used(self.connection, self._accounts, self._keys))
        if client_order_id in self._keys and account_key not in self._used_keys:
            return None
        return self.session.scalars(
            select(Order).where(
                Order.user_id == account_id, Order.client_order_id == client_order_id
            )
        ).one_or_none()

    def is_movements_key(self, account_id: str, key: str) -> bool:
        """Say whether cash was moved under a key, ever or in this batch."""
        if (account_id, key) in self._movement_keys():
            return True
        return key not in self._keys and bool(
            self.session.scalar(
                select(exists().where(CashMovement.user_id == account_id, CashMovement.key == key))
            )
        )

    def move_under(self, account_id: str, key: str) -> None:
        """Note that cash is moved under a key."""
        self._movement_keys().add((account_id, key))

    def _movement_keys(self) -> set[tuple[str, str]]:
        if self._moved_under is None:
            found = rows.movement_keys_used(self.connection, self._accounts, self._keys)
            self._moved_under = set(found)
        return self._moved_under

    def place(self, order: Order) -> None:
        """Take a new order into the books."""
        self._orders.append(order)
        self._placed[order.user_id, order.client_order_id] = order

    def traces(self) -> int | None:
        """Return a number that stays the same as long as no command leaves a change.

        None where that cannot be told, because the session holds changes.
        """
        if self._has_session and (self.session.new or self.session.dirty or self.session.deleted):
            return None
        return self._writes + len(self._orders) + len(self._entries)

    def settle(self) -> list[AccountView]:
        """Write what the batch changed; return the changed accounts as they are now.

        Raises BooksDisagree where the entries do not explain the balances.
        """
        if self._has_session:
            self.session.flush()
        self._write()
        settlements = [book.settle() for book in self._accounts.values() if book.is_changed]
        rows.settle(self.connection, settlements)
        return [settlement.view for settlement in settlements]

    @property
    def _has_session(self) -> bool:
        return "session" in self.__dict__

    def _write(self) -> None:
        """Insert what was placed and entered so far, as a session flushes before a query."""
        orders, self._orders = self._orders, []
        entries = self._entries.copy()
        # Emptied in place: the account books go on adding to this list.
        self._entries.clear()
        self._writes += len(orders) + len(entries)
        rows.write(self.connection, orders, entries)

    def _before_query(self, _state: ORMExecuteState) -> None:
        self._write()

    def _after_flush(self, _session: Session, _context: object) -> None:
        self._writes += 1
