"""Cost basis in the proof: what a trade opens and closes. Pure, and in whole numbers.

It shares no code with `holdings`, which it judges.
"""

import json
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final, NamedTuple

from paperdesk.ledger.proof.amounts import Wrong, number, rounded

_PRICE_PER_QUOTIENT: Final = 10**12
"""cost / quantity: 6 places less 9 leaves -3, and a price has 9."""


class Lot(NamedTuple):
    """Shares that one entry opened, 0: what was held at average cost before; time in UTC text."""

    number: int
    opened_at: str
    quantity: int
    cost: int


class Holding(NamedTuple):
    """Shares and what they cost, negative where they were sold short; None: lots are not told."""

    quantity: int
    cost: int
    lots: tuple[Lot, ...] | None = None


NOTHING: Final = Holding(0, 0)


class Closing(NamedTuple):
    """What a closing trade leaves, the cost it takes away, since when held, and its lots' text."""

    left: Holding
    cost: int
    opened_at: str
    closed: str | None


def average_cost(holding: Holding) -> int:
    """Return the cost of one share as a price."""
    return rounded(abs(holding.cost) * _PRICE_PER_QUOTIENT, abs(holding.quantity))


def opened(held: Holding, since: str | None, lot: Lot, *, in_lots: bool) -> Holding:
    """Return a holding, opened at `since`, after `lot` was added to it; on its own if `in_lots`."""
    quantity, cost = held.quantity + lot.quantity, held.cost + lot.cost
    if not in_lots:
        return Holding(quantity, cost)
    return Holding(quantity, cost, (*_lots_of(held, since), lot))


def closed(
    held: Holding, since: str, quantity: int, method: str | None, claimed: str | None
) -> Closing:
    """Return what closing so many shares takes away. Raises Wrong where the lots are not there.

    `claimed` says which lots a trade of the method `named` closes.
    """
    way = 1 if held.quantity > 0 else -1
    if method is None:
        cost = rounded(held.cost * quantity, abs(held.quantity))
        left = Holding(held.quantity - way * quantity, held.cost - cost)
        return Closing(left, cost, since, None)
    there = {lot.number: lot for lot in _lots_of(held, since)}
    taken: list[Lot] = []
    missing = quantity
    for lot in _order(there, way, method, claimed):
        if not missing:
            break
        shares = min(missing, abs(lot.quantity))
        part = Lot(
            lot.number,
            lot.opened_at,
            way * shares,
            rounded(lot.cost * shares, abs(lot.quantity)),
        )
        missing -= shares
        taken.append(part)
        left_of_it = Lot(*lot[:2], lot.quantity - part.quantity, lot.cost - part.cost)
        if left_of_it.quantity:
            there[lot.number] = left_of_it
        else:
            del there[lot.number]
    if missing:
        raise Wrong(f"It closes {number(quantity)}, but its lots have {number(missing)} less.")
    cost = sum(part.cost for part in taken)
    left = Holding(held.quantity - way * quantity, held.cost - cost, tuple(there.values()) or None)
    text = ",".join(f'[{n},"{at}",{shares},{paid}]' for n, at, shares, paid in taken)
    return Closing(left, cost, min(part.opened_at for part in taken), f"[{text}]")


def split(held: Holding, numerator: int, denominator: int) -> Holding:
    """Return a holding of which so many shares took the place of so many."""
    if held.lots is None:
        return Holding(rounded(held.quantity * numerator, denominator), held.cost)
    parts: list[Lot] = []
    so_far = reached = 0
    for lot in held.lots:
        so_far += lot.quantity
        end = rounded(so_far * numerator, denominator)
        parts.append(lot._replace(quantity=end - reached))
        reached = end
    return Holding(reached, held.cost, _with_shares(parts))


def spun_off(held: Holding, quantity: int, cost: int) -> tuple[Holding, Holding]:
    """Return a holding that gave `cost` to so many shares of another, and these."""
    kept = Holding(held.quantity, held.cost - cost, held.lots)
    if held.lots is None:
        return kept, Holding(quantity, cost)
    left: list[Lot] = []
    given: list[Lot] = []
    shares = paid = shares_given = cost_given = 0
    for n, lot in enumerate(held.lots, 1):
        shares, paid = shares + lot.quantity, paid + lot.cost
        until = _share(quantity, shares, held.quantity)
        at_the_end = cost if n == len(held.lots) else 0
        spent = _share(cost, paid, held.cost) if held.cost else at_the_end
        given.append(lot._replace(quantity=until - shares_given, cost=spent - cost_given))
        left.append(lot._replace(cost=lot.cost - (spent - cost_given)))
        shares_given, cost_given = until, spent
    return kept._replace(lots=tuple(left)), Holding(quantity, cost, _with_shares(given))


def merged(one: Holding, one_since: str | None, other: Holding, other_since: str | None) -> Holding:
    """Return two holdings as one. Raises Wrong where one is sold short and the other is not."""
    if not one.quantity or not other.quantity:
        return one if one.quantity else other
    if (one.quantity > 0) != (other.quantity > 0):
        raise Wrong("It brings shares that are held together with shares that are sold short.")
    lots: tuple[Lot, ...] | None = None
    if one.lots is not None or other.lots is not None:
        found: dict[int, Lot] = {}
        for lot in (*_lots_of(one, one_since), *_lots_of(other, other_since)):
            if (same := found.get(lot.number)) is None:
                found[lot.number] = lot
            else:
                at = min(same.opened_at, lot.opened_at)
                found[lot.number] = Lot(
                    lot.number, at, same.quantity + lot.quantity, same.cost + lot.cost
                )
        lots = tuple(found[number] for number in sorted(found))
    return Holding(one.quantity + other.quantity, one.cost + other.cost, lots)


def _share(amount: int, part: int, whole: int) -> int:
    return rounded(amount * part * (1 if whole > 0 else -1), abs(whole))


def _with_shares(lots: list[Lot]) -> tuple[Lot, ...] | None:
    """Return the lots that have shares; what another cost goes to the next, or to the last one."""
    kept: list[Lot] = []
    homeless = 0
    for lot in lots:
        if lot.quantity:
            kept.append(lot._replace(cost=lot.cost + homeless))
            homeless = 0
        else:
            homeless += lot.cost
    if kept and homeless:
        kept[-1] = kept[-1]._replace(cost=kept[-1].cost + homeless)
    return tuple(kept) or None


def _lots_of(held: Holding, since: str | None) -> tuple[Lot, ...]:
    if held.lots is not None:
        return held.lots
    return (Lot(0, since or "", held.quantity, held.cost),) if held.quantity else ()


def _order(there: dict[int, Lot], way: int, method: str, claimed: str | None) -> Iterable[Lot]:
    if method == "named":
        return [_named(there, each) for each in _claims(claimed)]
    if method == "lifo":
        return list(reversed(there.values()))
    if method == "hifo":
        gains = {lot: way * Fraction(lot.cost, lot.quantity) for lot in there.values()}
        return sorted(gains, key=gains.__getitem__, reverse=True)
    return list(there.values())


def _claims(claimed: str | None) -> list[Any]:
    try:
        return list(json.loads(claimed or ""))
    except (ValueError, TypeError):
        raise Wrong(f"It says that it closed the lots {claimed}, which are none.") from None


def _named(there: dict[int, Lot], claim: Any) -> Lot:
    try:
        return there[claim[0]]
    except (LookupError, TypeError):
        raise Wrong(f"It says that it closed the lot {claim}, which is not there.") from None
