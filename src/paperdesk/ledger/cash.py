"""Movements of cash: what comes into an account, or leaves it, without a trade."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from paperdesk.audit.trail import Action
from paperdesk.clock import Clock
from paperdesk.errors import IdempotencyMismatch, InsufficientCash, InvalidRequest
from paperdesk.ledger import booking
from paperdesk.ledger.accounts import OPENING_KEY
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import note_cash
from paperdesk.models import CashMovement, CashMovementKind

OWN_PREFIX = "paperdesk:"
"""Keys of movements that the desk itself makes begin so."""
UNDO: Final = "undo"
"""The source of trades that take back another."""
UNDONE: Final = ":undone"
"""What follows the desk's own key of an entry in the key of the one that takes it back."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The journal's entry; `replayed` if an earlier request with the key made it."""

    movement: CashMovement
    replayed: bool


@dataclass(frozen=True, slots=True)
class MoveCash:
    """Move `amount`, in US dollars: more than 0, with at most 6 places.

    A deposit and interest come into the account, a withdrawal and a fee leave it.

    `key` makes it repeatable: the same movement under the same key has one effect for ever,
    another one under that key is refused.
    """

    account_id: str
    kind: CashMovementKind
    amount: Decimal
    clock: Clock
    key: str | None = None
    note: str | None = None

    def __call__(self, books: Books) -> Moved:
        """Book it. Raises IdempotencyMismatch, InsufficientCash, or InvalidRequest beyond a cap."""
        self._check()
        account = books.account(self.account_id)
        if self.key is not None:
            if books.is_entry_key(self.account_id, self.key):
                return Moved(self._earlier(books, self.key), replayed=True)
            if books.order_under(self.account_id, self.key):
                raise IdempotencyMismatch(
                    "This key was used before for an order. Use a new key for a movement of cash."
                )
        if account.available_cash + self._change < 0:
            reserved = account.cash - account.available_cash
            there = f"{_dollars(account.available_cash)} is there"
            if reserved:
                shorts = "and short positions " if account.short_collateral else ""
                there += f" beside the {_dollars(reserved)} that open orders {shorts}set aside"
            raise InsufficientCash(
                f"A {self.kind} of {_dollars(self.amount)} needs that much cash, and {there}. Take "
                "less, or sell something first."
            )
        if account.cash + self._change > booking.LARGEST_AMOUNT:
            raise InvalidRequest(
                "An account may hold at most $1,000,000,000 in cash. Deposit less."
            )
        now = self.clock.now()
        movement = cash_movement(self.kind, self._change, now, key=self.key, note=self.note)
        if self.key is not None:
            books.note_key(self.account_id, self.key)
        before = account.cash
        account.enter(movement, now)
        note_cash(books, Action.cash_moved, movement, before)
        return Moved(movement, replayed=False)

    @property
    def _change(self) -> Decimal:
        """What it does to the cash: the journal's amount, negative for what leaves."""
        leaves = self.kind in {CashMovementKind.withdrawal, CashMovementKind.fee}
        return -self.amount if leaves else self.amount

    def _check(self) -> None:
        if not 0 < self.amount <= booking.LARGEST_AMOUNT:
            raise InvalidRequest("amount: must be more than 0 and at most 1000000000 US dollars.")
        if booking.money(self.amount) != self.amount:
            raise InvalidRequest("amount: must have at most 6 decimal places.")
        check_key(self.key)

    def _earlier(self, books: Books, key: str) -> CashMovement:
        movement = books.session.scalar(
            select(CashMovement).where(
                CashMovement.user_id == self.account_id, CashMovement.key == key
            )
        )
        asked = (self.kind, self._change, self.note)
        if (
            movement is None
            or asked != (movement.kind, movement.amount, movement.note)
            or begins_chapter(books, movement)
        ):
            raise IdempotencyMismatch(
                "This key was used before for another movement. Use a new key for a new one."
            )
        return movement


def begins_chapter(books: Books, movement: CashMovement) -> bool:
    """Say whether a movement is the balance that a reset account began with."""
    before = books.session.scalar(
        select(CashMovement.kind).where(
            CashMovement.user_id == movement.user_id,
            CashMovement.sequence == movement.sequence - 1,
        )
    )
    return before is CashMovementKind.adjustment


def check_key(key: str | None) -> None:
    """Raise InvalidRequest for a key that is the desk's own."""
    if key is not None and (key == OPENING_KEY or key.startswith(OWN_PREFIX)):
        raise InvalidRequest(
            f'Keys that begin with "{OWN_PREFIX}", and the key "{OPENING_KEY}", are the desk\'s '
            "own. Use another Idempotency-Key."
        )


def _dollars(amount: Decimal) -> str:
    """Return every digit: what is short by a millionth must not read as enough."""
    return f"${amount.normalize():,f}"
