"""Making the entries of a journal that are no trades. What they do, `AccountBook.enter` books."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from paperdesk.db.prepared import unattached
from paperdesk.ids import new_id
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    PositionAdjustment,
    PositionAdjustmentKind,
)

_ZERO: Final = Decimal(0)


def cash_movement(
    kind: CashMovementKind,
    amount: Decimal,
    now: datetime,
    *,
    key: str | None = None,
    note: str | None = None,
    effective_at: datetime | None = None,
    ticker: str | None = None,
) -> CashMovement:
    """Return a movement of cash, in US dollars; without a key its id stands for one.

    It counts from `effective_at` on, by default from now.
    """
    movement_id = new_id()
    return CashMovement(
        id=movement_id,
        kind=kind,
        amount=amount,
        key=key or movement_id,
        note=note,
        effective_at=effective_at or now,
        created_at=now,
        ticker=ticker,
    )


def position_adjustment(
    kind: PositionAdjustmentKind,
    ticker: str,
    now: datetime,
    *,
    new_ticker: str | None = None,
    ratio: tuple[int, int] | None = None,
    quantity: Decimal = _ZERO,
    cost: Decimal = _ZERO,
    key: str | None = None,
    note: str | None = None,
    effective_at: datetime | None = None,
    opened_at: datetime | None = None,
    price: Decimal | None = None,
) -> PositionAdjustment:
    """Return an adjustment of a position; without a key its id stands for one.

    It counts from `effective_at` on, by default from now.
    """
    adjustment_id = new_id()
    numerator, denominator = ratio or (None, None)
    return unattached(
        PositionAdjustment,
        id=adjustment_id,
        kind=kind,
        ticker=ticker,
        new_ticker=new_ticker,
        numerator=numerator,
        denominator=denominator,
        quantity=quantity,
        cost_basis=cost,
        amount=_ZERO,
        key=key or adjustment_id,
        note=note,
        effective_at=effective_at or now,
        created_at=now,
        opened_at=opened_at,
        price=price,
    )
