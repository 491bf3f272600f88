"""Under which name a row is booked: so the same row is found again, in whatever file it comes.

A row's name follows from its key, and the id of its trade from the name. What was undone, or left
behind by a reset of the account, does not stand any more: then the row is booked once more, under
the next name.
"""

import hashlib
from collections.abc import Collection
from functools import cached_property
from typing import Final

from sqlalchemy import func, select

from paperdesk.ids import uuid_of_digits
from paperdesk.imports.keys import LEAD
from paperdesk.ledger.cash import OWN_PREFIX, UNDONE
from paperdesk.ledger.lane import rows
from paperdesk.ledger.lane.books import Books
from paperdesk.models import CashMovement, CashMovementKind, PositionAdjustment, Trade

PREFIX: Final = f"{OWN_PREFIX}import:"
_LEAD: Final = slice(len(PREFIX), len(PREFIX) + LEAD)


def trade_id(account_id: str, name: str) -> str:
    """Return the id of the trade that is booked under a name: a UUIDv8 (RFC 9562, section 5.8).

    It begins as the key does. Where that is the time, trades lie beside each other in the index as
    they are imported; each would change a page of its own if they were strewn over all of it.
    """
    digits = name[_LEAD] + hashlib.sha256(f"{account_id}\0{name}".encode()).hexdigest()
    return uuid_of_digits(digits, 8)


def last_reset(books: Books, account_id: str) -> int:
    """Return the sequence of an account's last reset, 0 where there was none."""
    reset = books.session.scalar(
        select(func.max(CashMovement.sequence)).where(
            CashMovement.user_id == account_id, CashMovement.kind == CashMovementKind.adjustment
        )
    )
    return reset or 0


class Names:
    """Finds names that are free, for the rows of a stretch in the books of one batch."""

    def __init__(self, books: Books, account_id: str, keys: Collection[str]) -> None:
        self._books = books
        self._account_id = account_id
        self._ids: dict[str, str] = {}
        self._taken = self._found([PREFIX + key for key in keys])
        self._undone = self._found([name + UNDONE for name in self._taken])

    def free(self, key: str) -> str | None:
        """Return the name to book a row with this key under; None where one stands already."""
        first = PREFIX + key
        if (self._account_id, key) in self._books.seen:
            return None
        if first not in self._taken:
            return first
        name, number = first, 1
        while not self._stands(name):
            number += 1
            name = f"{first}:{number}"
            if not self._found([name]):
                return name
        return None

    def trade_id(self, name: str) -> str:
        """Return the id of the trade that is booked under a name."""
        return self._ids.get(name) or trade_id(self._account_id, name)

    def booked(self, key: str) -> None:
        """Note that a row with this key is booked, for those of the batch after it."""
        self._books.seen.add((self._account_id, key))

    def _found(self, names: Collection[str]) -> set[str]:
        if not names:
            return set()
        connection = self._books.connection
        by_id = {trade_id(self._account_id, name): name for name in names}
        self._ids.update(zip(by_id.values(), by_id, strict=True))
        found = {by_id[each] for each in rows.trades_by_id(connection, by_id)}
        entered = rows.entry_keys_used(connection, [self._account_id], names)
        return found.union(name for _, name in entered)

    def _stands(self, name: str) -> bool:
        """Say whether what was booked under a name is still in force."""
        undone = name + UNDONE
        # Nearly always all rows of a stretch stand: one look has told of them all.
        if undone in self._undone or (name not in self._taken and self._found([undone])):
            return False
        return not self._reset or self._sequence(name) > self._reset

    @cached_property
    def _reset(self) -> int:
        return last_reset(self._books, self._account_id)

    def _sequence(self, name: str) -> int:
        session, mine = self._books.session, self._account_id
        found = [
            session.scalar(query)
            for query in (
                select(Trade.sequence).where(Trade.id == trade_id(mine, name)),
                *(
                    select(table.sequence).where(table.user_id == mine, table.key == name)
                    for table in (CashMovement, PositionAdjustment)
                ),
            )
        ]
        return max(each for each in found if each is not None)
