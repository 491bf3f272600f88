"""The arithmetic of booking. Pure: no database, no clock, no input or output.

Amounts are exact decimals; each product or quotient is rounded once, half to even: money to 6
places, prices and quantities to 9.
"""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
MONEY_PLACES = Decimal("0.000001")
PRICE_PLACES = Decimal("0.000000001")

LARGEST_AMOUNT = Decimal(1_000_000_000)
"""The cap on cash, on the value of one order, on a price and on a quantity: all their units fit
a 64-bit integer with room for sums."""

LARGEST_SUM = Decimal(1_000_000_000_000)
"""The cap on what builds up: the cost of one position, and what an account realised either way."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares held (9 places) and what they cost in US dollars (6 places)."""

    quantity: Decimal
    cost_basis: Decimal


NOTHING = Holding(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Sale:
    """What a sale leaves, and what it made: proceeds minus the cost of what was sold."""

    left: Holding
    realized_pnl: Decimal


def money(amount: Decimal) -> Decimal:
    """Return an amount rounded half-even to 6 places."""
    return amount.quantize(MONEY_PLACES, ROUND_HALF_EVEN, EXACT)


def value_of(quantity: Decimal, price: Decimal) -> Decimal:
    """Return quantity x price in US dollars, rounded once."""
    return money(EXACT.multiply(quantity, price))


def shares_for(notional: Decimal, price: Decimal) -> Decimal:
    """Return how many shares, to 9 places, an amount of US dollars pays for: never one too many."""
    return EXACT.divide(notional, price).quantize(PRICE_PLACES, ROUND_DOWN, EXACT)


def percent_of(quantity: Decimal, percent: Decimal) -> Decimal:
    """Return so many percent of some shares, to 9 places: never one too many."""
    part = EXACT.divide(EXACT.multiply(quantity, percent), 100)
    return part.quantize(PRICE_PLACES, ROUND_DOWN, EXACT)


def average_cost(holding: Holding) -> Decimal:
    """Return the cost of one share, to 9 places; 0 for an empty holding."""
    if not holding.quantity:
        return Decimal(0)
    return EXACT.divide(holding.cost_basis, holding.quantity).quantize(
        PRICE_PLACES, ROUND_HALF_EVEN, EXACT
    )


def bought(holding: Holding, quantity: Decimal, value: Decimal) -> Holding:
    """Return the holding after buying `quantity` for `value`."""
    return Holding(holding.quantity + quantity, holding.cost_basis + value)


def sold(holding: Holding, quantity: Decimal, value: Decimal) -> Sale:
    """Return what is left after selling `quantity` for `value`, and the realised gain or loss.

    Cost leaves in proportion to the shares (average cost), rounded once. Selling all of them
    removes all of it, exactly, so a closed holding is zero and every remainder was realised.
    """
    share = EXACT.divide(EXACT.multiply(holding.cost_basis, quantity), holding.quantity)
    cost = money(share)
    left = Holding(holding.quantity - quantity, holding.cost_basis - cost)
    return Sale(left, value - cost)
