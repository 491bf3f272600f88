"""Exchange rates of rows that have an amount in two currencies."""

from decimal import Decimal
from typing import Final

from paperdesk.ledger.booking import EXACT

_NEAR: Final = Decimal("0.02")


def dollars_for_one(
    dollars: Decimal | None, own: Decimal | None, rate: Decimal | None
) -> Decimal | None:
    """Return US dollars for one unit of a row's own currency, None where its amounts do not say.

    Brokers and people write a rate the one way round or the other: which it is, the amounts say.
    """
    if not (dollars and own and rate):
        return None
    dollars, own, rate = abs(dollars), abs(own), abs(rate)
    if _are_near(dollars, EXACT.multiply(own, rate)):
        return rate
    if _are_near(own, EXACT.multiply(dollars, rate)):
        return EXACT.divide(Decimal(1), rate)
    return None


def _are_near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= _NEAR * other
