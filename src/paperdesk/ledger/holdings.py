"""The arithmetic of cost basis: what is held, and what a closing trade takes of it. Pure.

Shares have 9 places and US dollars 6, each quotient rounded once, half to even. A holding that was
sold short has a negative quantity, and a negative cost: what the sale brought. Average cost knows
one whole; every other method knows lots, the shares of one opening each.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from paperdesk.db.types import EXACT as UNITS
from paperdesk.db.types import MONEY_SCALE, QUANTITY_SCALE, format_utc
from paperdesk.errors import InvalidRequest
from paperdesk.ledger.booking import EXACT, PRICE_PLACES, part_of
from paperdesk.models import CostBasis, Side

POOLED: Final = 0
"""The number of the lot that a holding at average cost becomes when lots are told apart."""

_ZERO: Final = Decimal(0)


class Lot(NamedTuple):
    """Shares that were opened together, by the journal's entry `number`, and what they cost."""

    number: int
    opened_at: datetime
    quantity: Decimal
    cost: Decimal


class Holding(NamedTuple):
    """Shares held and what they cost; `lots` are its parts, None where they are not told apart."""

    quantity: Decimal
    cost_basis: Decimal
    lots: tuple[Lot, ...] | None = None


NOTHING: Final = Holding(_ZERO, _ZERO)


class Closing(NamedTuple):
    """What a closing trade leaves, and the cost that it takes away, of which lots.

    `closed` is None at average cost. `opened_at` is since when the oldest of it was held.
    """

    left: Holding
    cost: Decimal
    opened_at: datetime
    closed: tuple[Lot, ...] | None


def average_cost(holding: Holding) -> Decimal:
    """Return the cost of one share, to 9 places; 0 for an empty holding."""
    if not holding.quantity:
        return _ZERO
    return EXACT.divide(holding.cost_basis, holding.quantity).quantize(
        PRICE_PLACES, ROUND_HALF_EVEN, EXACT
    )


def closes(held: Decimal, side: Side) -> bool:
    """Say whether a trade closes what is held: a sale of shares, or a purchase of those short."""
    return held > 0 if side is Side.sell else held < 0


def opened(holding: Holding, since: datetime, method: CostBasis, lot: Lot) -> Holding:
    """Return a holding after more was opened: `lot`, which average cost adds to the whole.

    `since` is when the holding was opened.
    """
    quantity, cost = holding.quantity + lot.quantity, holding.cost_basis + lot.cost
    if method is CostBasis.average:
        return Holding(quantity, cost)
    return Holding(quantity, cost, (*lots_of(holding, since), lot))


def closed(
    holding: Holding,
    since: datetime,
    method: CostBasis,
    quantity: Decimal,
    named: Sequence[int] | None = None,
) -> Closing:
    """Return what closing `quantity` shares (more than 0, no more than there are) takes away.

    Of a lot that is closed in part, cost leaves in proportion, rounded once; with the last shares
    of it leaves all that is left, so a closed holding is exactly zero. `named` lots are closed in
    their order. Raises InvalidRequest where they are not there, or have too few shares.
    """
    if method is CostBasis.average:
        share = quantity if holding.quantity > 0 else -quantity
        cost = part_of(holding.cost_basis, share, holding.quantity)
        left = Holding(holding.quantity - share, holding.cost_basis - cost)
        return Closing(left, cost, since, None)
    lots = lots_of(holding, since)
    order = _named(lots, named, quantity) if named else _in_order(lots, method)
    taken: list[Lot] = []
    kept = {lot.number: lot for lot in lots}
    wanted = quantity
    for lot in order:
        if not wanted:
            break
        part = _part(lot, min(wanted, abs(lot.quantity)))
        wanted -= abs(part.quantity)
        taken.append(part)
        if part.quantity == lot.quantity:
            del kept[lot.number]
        else:
            kept[lot.number] = lot._replace(
                quantity=lot.quantity - part.quantity, cost=lot.cost - part.cost
            )
    cost = sum((lot.cost for lot in taken), _ZERO)
    gone = sum((lot.quantity for lot in taken), _ZERO)
    left = Holding(
        holding.quantity - gone, holding.cost_basis - cost, tuple(kept.values()) if kept else None
    )
    return Closing(left, cost, min(lot.opened_at for lot in taken), tuple(taken))


def lots_of(holding: Holding, since: datetime) -> tuple[Lot, ...]:
    """Return the lots of a holding that was opened at `since`: its whole, where it knows none."""
    if holding.lots is not None:
        return holding.lots
    if not holding.quantity:
        return ()
    return (Lot(POOLED, since, holding.quantity, holding.cost_basis),)


def _part(lot: Lot, shares: Decimal) -> Lot:
    if shares == abs(lot.quantity):
        return lot
    quantity = shares if lot.quantity > 0 else -shares
    return lot._replace(quantity=quantity, cost=part_of(lot.cost, quantity, lot.quantity))


def _in_order(lots: tuple[Lot, ...], method: CostBasis) -> Iterable[Lot]:
    match method:
        case CostBasis.lifo:
            return reversed(lots)
        case CostBasis.hifo:
            # What gains least: of what is short that which brought least. Of equals the older.
            return sorted(lots, key=_cost_of_one, reverse=lots[0].quantity > 0)
        case _:
            return lots


def _cost_of_one(lot: Lot) -> Decimal:
    return EXACT.divide(lot.cost, lot.quantity)


def _named(lots: tuple[Lot, ...], named: Sequence[int], quantity: Decimal) -> list[Lot]:
    there = {lot.number: lot for lot in lots}
    if missing := [number for number in named if number not in there]:
        raise InvalidRequest(
            f"lots: there is no lot {missing[0]}. Name those that the position shows."
        )
    chosen = [there[number] for number in named]
    if (shares := sum((abs(lot.quantity) for lot in chosen), _ZERO)) < quantity:
        raise InvalidRequest(
            f"lots: those have {shares.normalize():f} shares together, fewer than the "
            f"{quantity.normalize():f} to be closed. Name more of them, or close less."
        )
    return chosen


def written(lots: Collection[Lot]) -> str:
    """Return lots as `Trade.closed_lots` has them: in whole units, always the same text."""
    return json.dumps(
        [
            [
                lot.number,
                format_utc(lot.opened_at),
                int(UNITS.scaleb(lot.quantity, QUANTITY_SCALE)),
                int(UNITS.scaleb(lot.cost, MONEY_SCALE)),
            ]
            for lot in lots
        ],
        separators=(",", ":"),
    )


def read(text: str) -> tuple[Lot, ...]:
    """Return the lots that `written` wrote."""
    return tuple(
        Lot(
            number,
            datetime.fromisoformat(opened_at),
            UNITS.scaleb(Decimal(quantity), -QUANTITY_SCALE),
            UNITS.scaleb(Decimal(cost), -MONEY_SCALE),
        )
        for number, opened_at, quantity, cost in json.loads(text)
    )
