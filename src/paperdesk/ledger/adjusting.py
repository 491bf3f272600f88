"""The arithmetic of corporate actions: what they make of a holding. Pure.

Every lot keeps its number and since when it is held. What is shared out over lots is rounded to the
end of each of them, half to even, and the lot gets the difference: so the parts add up. A lot that
is left without a share gives its cost to its neighbour.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import accumulate, pairwise
from typing import Final

from paperdesk.errors import InvalidRequest, InvalidState
from paperdesk.ledger.booking import EXACT, LARGEST_AMOUNT, MONEY_PLACES, PRICE_PLACES
from paperdesk.ledger.holdings import Holding, Lot, lots_of

_ZERO: Final = Decimal(0)


def split(holding: Holding, numerator: int, denominator: int) -> Holding:
    """Return a holding after `numerator` shares took the place of `denominator`; its cost stays.

    Raises InvalidRequest where nothing, or too much, would be left of it.
    """
    lots = holding.lots
    if lots is None:
        quantity = _ratio(holding.quantity, numerator, denominator, PRICE_PLACES)
    else:
        shares = _shared([lot.quantity for lot in lots], numerator, denominator, PRICE_PLACES)
        lots = _carried([lot._replace(quantity=n) for lot, n in zip(lots, shares, strict=True)])
        quantity = sum(shares, _ZERO)
    if not quantity or abs(quantity) > LARGEST_AMOUNT:
        raise InvalidRequest(
            f"numerator, denominator: that would leave {quantity.normalize():f} shares. A position "
            "has more than 0 and at most 1,000,000,000; trade it first, or check the ratio."
        )
    return Holding(quantity, holding.cost_basis, lots)


def spun_off(holding: Holding, quantity: Decimal, cost: Decimal) -> tuple[Holding, Holding]:
    """Return a holding that gave `cost` to so many shares of another, and these."""
    if holding.lots is None:
        left = Holding(holding.quantity, holding.cost_basis - cost)
        return left, Holding(quantity, cost)
    lots = holding.lots
    shares = _shared_by(quantity, [lot.quantity for lot in lots], PRICE_PLACES)
    costs = _shared_by(cost, [lot.cost for lot in lots], MONEY_PLACES)
    kept = tuple(lot._replace(cost=lot.cost - c) for lot, c in zip(lots, costs, strict=True))
    given = _carried(
        [lot._replace(quantity=n, cost=c) for lot, n, c in zip(lots, shares, costs, strict=True)]
    )
    return (
        Holding(holding.quantity, holding.cost_basis - cost, kept),
        Holding(quantity, cost, given),
    )


def merged(
    one: Holding, one_since: datetime | None, other: Holding, other_since: datetime | None
) -> Holding:
    """Return two holdings as one. Raises InvalidState where one is sold short, the other not."""
    if not one.quantity or not other.quantity:
        return one if one.quantity else other
    if (one.quantity > 0) != (other.quantity > 0):
        raise InvalidState(
            "Of one of the two shares are held, of the other they are sold short. Close one first."
        )
    quantity, cost = one.quantity + other.quantity, one.cost_basis + other.cost_basis
    if one.lots is None and other.lots is None:
        return Holding(quantity, cost)
    assert one_since is not None  # noqa: S101 - something is held
    assert other_since is not None  # noqa: S101 - something is held
    by_number: dict[int, Lot] = {}
    for lot in (*lots_of(one, one_since), *lots_of(other, other_since)):
        same = by_number.get(lot.number)
        by_number[lot.number] = lot if same is None else _joined(same, lot)
    return Holding(quantity, cost, tuple(by_number[number] for number in sorted(by_number)))


def _joined(one: Lot, other: Lot) -> Lot:
    return Lot(
        one.number,
        min(one.opened_at, other.opened_at),
        one.quantity + other.quantity,
        one.cost + other.cost,
    )


def _ratio(amount: Decimal, numerator: int, denominator: int, places: Decimal) -> Decimal:
    scaled = EXACT.divide(EXACT.multiply(amount, numerator), denominator)
    return scaled.quantize(places, ROUND_HALF_EVEN, EXACT)


def _shared(
    amounts: Sequence[Decimal], numerator: int, denominator: int, places: Decimal
) -> list[Decimal]:
    """Return amounts times a ratio, such that they add up to their sum times the ratio."""
    ends = [_ratio(end, numerator, denominator, places) for end in accumulate(amounts)]
    return [after - before for before, after in pairwise([_ZERO, *ends])]


def _shared_by(amount: Decimal, weights: Sequence[Decimal], places: Decimal) -> list[Decimal]:
    """Return an amount shared out by weights of one sign; to the last one where they are all 0."""
    whole = sum(weights, _ZERO)
    if not whole:
        return [*([_ZERO] * (len(weights) - 1)), amount]
    ends = [
        EXACT.divide(EXACT.multiply(amount, end), whole).quantize(places, ROUND_HALF_EVEN, EXACT)
        for end in accumulate(weights)
    ]
    return [after - before for before, after in pairwise([_ZERO, *ends])]


def _carried(lots: Sequence[Lot]) -> tuple[Lot, ...]:
    """Return the lots that have shares; the cost of another goes to the next one, or the last."""
    kept: list[Lot] = []
    carried = _ZERO
    for lot in lots:
        if lot.quantity:
            kept.append(lot._replace(cost=lot.cost + carried))
            carried = _ZERO
        else:
            carried += lot.cost
    if carried and kept:
        kept[-1] = kept[-1]._replace(cost=kept[-1].cost + carried)
    return tuple(kept)
