"""The arithmetic of amounts. Pure: no database, no clock, no input or output.

Amounts are exact decimals; each product or quotient is rounded once, half to even: money to 6
places, prices and quantities to 9.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
MONEY_PLACES = Decimal("0.000001")
PRICE_PLACES = Decimal("0.000000001")

LARGEST_AMOUNT = Decimal(1_000_000_000)
"""The cap on cash, on the value of one order, on a price and on a quantity: all their units fit
a 64-bit integer with room for sums."""

LARGEST_SUM = Decimal(1_000_000_000_000)
"""The cap on what builds up: the cost of one position, and what an account realised either way."""


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


def part_of(amount: Decimal, quantity: Decimal, whole: Decimal) -> Decimal:
    """Return amount x quantity / whole in US dollars, rounded once."""
    return money(EXACT.divide(EXACT.multiply(amount, quantity), whole))
