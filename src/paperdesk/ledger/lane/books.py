"""The books of one batch: its accounts, locked, and the orders it places.

A command sees and changes money through here alone. What it changes is written when the batch is
settled, or before a query that may want to see it.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import ORMExecuteState, Session

from paperdesk.audit.trail import Line
from paperdesk.errors import NotFound
from paperdesk.events.event import Event
from paperdesk.ledger.journal import Entry, PlainTrade
from paperdesk.ledger.lane import rows
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.views import AccountView, read_view
from paperdesk.models import Order

_FOLLOWING: Final = frozenset({"watermark", "updated_at"})
"""What changes of an order with every price: no line is written of that."""


class Batch(NamedTuple):
    """What a batch changed: accounts, and orders that were open before or are now."""

    accounts: Sequence[AccountView]
    traded: Sequence[AccountView]
    """Those of the accounts whose journal grew."""
    orders: Sequence[Order]
    touched: Sequence[Order]
    """Every order that was placed or changed, also one that was filled at once."""
    entries: Sequence[Entry | PlainTrade]
    """What was entered into the journals, in the order of each; plain trades are those of bulk."""
    events: Sequence[Event]
    """What else its commands said that happened."""


class Books:
    """The accounts that a batch may change, within the open transaction of `connection`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._accounts: dict[str, AccountBook] = {}
        self._keys: Collection[str] = ()
        self._used_keys: set[tuple[str, str]] | None = None
        self._noted_keys: set[tuple[str, str]] | None = None
        self._placed: dict[tuple[str, str], Order] = {}
        self._orders: list[Order] = []
        self._known: dict[str, Order] = {}
        self._changed: dict[str, Order] = {}
        self._resting: dict[str, Order] = {}
        self._touched: dict[str, Order] = {}
        self._entries: list[Entry | PlainTrade] = []
        self._entered: list[Entry | PlainTrade] = []
        self._events: list[Event] = []
        self._writes = 0
        self._quiet = 0
        self._lines: list[Line] = []
        self.seen: set[object] = set()
        """What commands of a batch note for those after them; a rehearsal keeps it throughout."""

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

    def expect(self, keys: Iterable[str]) -> None:
        """Note keys that `order_under` will be asked for, of a command that has many.

        Whether they were used is found out in one look.
        """
        new = set(keys).difference(self._keys)
        if not new:
            return
        if self._used_keys is not None:
            self._used_keys.update(rows.keys_used(self.connection, self._accounts, new))
        if self._noted_keys is not None:
            self._noted_keys.update(rows.entry_keys_used(self.connection, self._accounts, new))
        self._keys = new.union(self._keys)

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
        self._write()
        found = rows.order_under(self.connection, account_id, client_order_id)
        return self._remembered([found])[0] if found else None

    def orders(self, ids: Collection[str]) -> list[Order]:
        """Return those of some orders that there are, as the batch has left them so far."""
        if missing := [order_id for order_id in ids if order_id not in self._known]:
            self._remembered(rows.orders_by_id(self.connection, missing))
        return [self._known[order_id] for order_id in ids if order_id in self._known]

    def order(self, account_id: str, order_id: str) -> Order:
        """Return an order of an account. Raises NotFound if the account has no such order."""
        self.account(account_id)
        found = self.orders([order_id])
        if not found or found[0].user_id != account_id:
            raise NotFound("There is no such order.")
        return found[0]

    def open_orders(self, account_id: str, ticker: str | None = None) -> list[Order]:
        """Return an account's open orders, of one ticker or of all, the first placed first.

        Raises NotFound if there is no such account.
        """
        self.account(account_id)
        self._write()
        found = rows.open_orders(self.connection, account_id, ticker)
        return self._remembered(found)

    def linked(self, order: Order) -> list[Order]:
        """Return the other orders of an order's group, the first placed first."""
        if order.group_id is None:
            return []
        self._write()
        found = self._remembered(rows.linked_orders(self.connection, order.group_id))
        return [other for other in found if other.id != order.id]

    def fills_of(self, order: Order) -> list[rows.EarlierFill]:
        """Return what an order's trades filled so far."""
        self._write()
        return rows.fills_of(self.connection, order.id)

    def is_entry_key(self, account_id: str, key: str) -> bool:
        """Say whether cash was moved or a position adjusted under a key, ever or in this batch."""
        if (account_id, key) in self._entry_keys():
            return True
        if key in self._keys:
            return False
        return bool(rows.entry_keys_used(self.connection, [account_id], [key]))

    def note_key(self, account_id: str, key: str) -> None:
        """Note that an entry of the journal which is no trade is made under a key."""
        self._entry_keys().add((account_id, key))

    def _entry_keys(self) -> set[tuple[str, str]]:
        if self._noted_keys is None:
            found = rows.entry_keys_used(self.connection, self._accounts, self._keys)
            self._noted_keys = set(found)
        return self._noted_keys

    def place(self, order: Order) -> None:
        """Take a new order into the books, with what it sets aside."""
        self._orders.append(order)
        self._touched[order.id] = order
        self._placed[order.user_id, order.client_order_id] = order
        if order.closed_at is None:
            self._known[order.id] = self._resting[order.id] = order
            account = self.account(order.user_id)
            account.reserve(order.ticker, order.reserved_cash, order.reserved_quantity)

    def change(self, order: Order, **state: Any) -> None:
        """Change what may change of an order, `rows.ORDER_STATE`, and what it sets aside."""
        cash, shares = order.reserved_cash, order.reserved_quantity
        vars(order).update(state)
        account = self.account(order.user_id)
        account.reserve(order.ticker, order.reserved_cash - cash, order.reserved_quantity - shares)
        self._resting[order.id] = self._changed[order.id] = self._touched[order.id] = order
        self._writes += 1
        if not state.keys() - _FOLLOWING:
            self._quiet += 1

    def insert_new(self, table: Table, unique: Mapping[str, Any], rest: Mapping[str, Any]) -> bool:
        """Insert a row of a table that is not of the books, and say whether it is new.

        Where there is one with the same `unique` columns, nothing is done.
        """
        insert = (sqlite if self.connection.dialect.name == "sqlite" else postgresql).insert
        statement = insert(table).values({**unique, **rest})
        new = self.connection.execute(
            statement.on_conflict_do_nothing(index_elements=list(unique))
        ).rowcount
        self._writes += new
        return bool(new)

    def note(self, line: Line) -> None:
        """Tell the audit trail what a command did. It is written with the batch."""
        self._lines.append(line)

    @contextmanager
    def noting(self) -> Generator[None]:
        """Drop what is noted within, where that raises."""
        before = len(self._lines)
        try:
            yield
        except BaseException:
            del self._lines[before:]
            raise

    def noted(self) -> list[Line]:
        """Return what was noted since this was last asked."""
        lines, self._lines = self._lines, []
        return lines

    def doings(self) -> int:
        """Return a number that grows with what a command may not do without a line of it."""
        return self._writes - self._quiet + len(self._orders) + len(self._entries)

    def tell(self, *events: Event) -> None:
        """Say what happened beside orders, trades and cash; it is told once it is committed."""
        self._events += events

    def traces(self) -> int | None:
        """Return a number that stays the same as long as no command leaves a change.

        None where that cannot be told, because the session holds changes.
        """
        if self._has_session and (self.session.new or self.session.dirty or self.session.deleted):
            return None
        return self._writes + len(self._orders) + len(self._entries) + len(self._events)

    def settle(self) -> Batch:
        """Write what the batch changed, and return it as it is now.

        Raises BooksDisagree where the entries do not explain the balances.
        """
        if self._has_session:
            self.session.flush()
        self._write()
        settlements = [book.settle() for book in self._accounts.values() if book.is_changed]
        rows.settle(self.connection, settlements)
        traded = [s.view for s in settlements if s.view.sequence != s.before.sequence]
        return Batch(
            [s.view for s in settlements],
            traded,
            list(self._resting.values()),
            list(self._touched.values()),
            self._entered,
            self._events,
        )

    @property
    def _has_session(self) -> bool:
        return "session" in self.__dict__

    def _write(self) -> None:
        """Insert what was placed and entered so far, as a session flushes before a query."""
        orders, self._orders = self._orders, []
        changed, self._changed = self._changed, {}
        for order in orders:
            # It is written as it is now.
            changed.pop(order.id, None)
        entries = self._entries.copy()
        # Emptied in place: the account books go on adding to this list.
        self._entries.clear()
        self._entered += entries
        self._writes += len(orders) + len(entries)
        rows.write(self.connection, orders, changed.values(), entries)

    def _before_query(self, _state: ORMExecuteState) -> None:
        self._write()

    def _remembered(self, orders: Iterable[Order]) -> list[Order]:
        """Return orders that were read, each as the one object that the batch has for it."""
        return [self._known.setdefault(order.id, order) for order in orders]

    def _after_flush(self, _session: Session, _context: object) -> None:
        self._writes += 1
