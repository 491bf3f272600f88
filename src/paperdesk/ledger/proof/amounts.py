"""Amounts in the proof: whole numbers of the smallest unit, and how people write them. Pure.

Money is in millionths of a dollar, quantities and prices in billionths, as the database has them.
"""

from typing import Final

MONEY_PER_PRODUCT: Final = 10**12
"""quantity x price has 18 places, money has 6."""


class Wrong(Exception):
    """An entry that cannot be true. The message is a sentence about it for a person."""


def average_price(products: int, quantity: int) -> int:
    """Return the mean price of fills: the sum of quantity x price, over the quantity."""
    return rounded(products, quantity)


def rounded(numerator: int, denominator: int) -> int:
    """Return a quotient as a whole number, half to even. The denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient & 1))


def money(units: int) -> str:
    """Return millionths of a dollar as people write them: $12.50, -$0.000001."""
    whole, places = divmod(abs(units), 10**6)
    cents = f"{places:06d}"
    return f"{'-' if units < 0 else ''}${whole:,}.{cents[:2]}{cents[2:].rstrip('0')}"


def number(units: int) -> str:
    """Return billionths, of shares or of a price, without trailing zeros."""
    whole, places = divmod(abs(units), 10**9)
    text = f"{whole}.{places:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if units < 0 else text
