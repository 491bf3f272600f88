"""When something last happened to the shares that are held now."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from paperdesk.ledger.booking import EXACT, PRICE_PLACES
from paperdesk.ledger.cash import UNDO, UNDONE
from paperdesk.ledger.lane.books import Books
from paperdesk.models import PositionAdjustment, PositionAdjustmentKind, Side, Trade

_ZERO: Final = Decimal(0)


def last_entry(books: Books, account_id: str, ticker: str) -> datetime | None:
    """Return the latest time that an entry has about the present holding of a ticker.

    Entries before the last moment at which none of it was held are about shares that are gone.
    """
    held: Decimal | None = _ZERO
    last: datetime | None = None
    entries = _entries(books, account_id, ticker)
    keys = {entry.key for entry in entries if isinstance(entry, PositionAdjustment)}
    for entry in entries:
        held = _after(held, entry, ticker)
        if not _is_void(entry, keys):
            at = entry.executed_at if isinstance(entry, Trade) else entry.effective_at
            last = max(last, at) if last else at
        if held is not None and not held:
            last = None
    return last


def _is_void(entry: Trade | PositionAdjustment, keys: Collection[str]) -> bool:
    """Say whether an entry takes another back, or was taken back itself.

    A trade that was taken back does not say so; what takes it back does.
    """
    if isinstance(entry, Trade):
        return entry.source == UNDO
    return entry.key.endswith(UNDONE) or entry.key + UNDONE in keys


def _entries(books: Books, account_id: str, ticker: str) -> list[Trade | PositionAdjustment]:
    """Return the entries about a ticker, the first booked first."""
    named = (PositionAdjustment.ticker == ticker) | (PositionAdjustment.new_ticker == ticker)
    found: list[Trade | PositionAdjustment] = [
        *books.session.scalars(
            select(Trade).where(Trade.user_id == account_id, Trade.ticker == ticker)
        ),
        *books.session.scalars(
            select(PositionAdjustment).where(PositionAdjustment.user_id == account_id, named)
        ),
    ]
    return sorted(found, key=lambda entry: entry.sequence)


def _after(held: Decimal | None, entry: Trade | PositionAdjustment, ticker: str) -> Decimal | None:
    """Return what is held after an entry; None: some, how much the entries do not say."""
    if isinstance(entry, Trade):
        change = entry.quantity if entry.side is Side.buy else -entry.quantity
        return None if held is None else held + change
    match entry.kind:
        case PositionAdjustmentKind.reset:
            return _ZERO
        case PositionAdjustmentKind.symbol_change:
            return None if entry.new_ticker == ticker else _ZERO
        case PositionAdjustmentKind.stock_split:
            return None if held is None else _split(held, entry)
        case _:
            # What is spun off comes to the new ticker; a transfer has no new one.
            comes = entry.new_ticker in {None, ticker}
            return None if held is None else held + (entry.quantity if comes else _ZERO)


def _split(held: Decimal, entry: PositionAdjustment) -> Decimal:
    assert entry.numerator  # noqa: S101 - every split has a ratio
    assert entry.denominator  # noqa: S101
    scaled = EXACT.divide(EXACT.multiply(held, entry.numerator), entry.denominator)
    return scaled.quantize(PRICE_PLACES, context=EXACT)
