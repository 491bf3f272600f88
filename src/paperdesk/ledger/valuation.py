"""The arithmetic of what holdings are worth. Pure: no database, no clock, no input or output."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from paperdesk.ledger.booking import EXACT, value_of

_PERCENT_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a holding is worth at a price, in US dollars; the gain also as a percentage of cost."""

    market_value: Decimal
    unrealized_pnl: Decimal
    pnl_pct: Decimal


def valued(quantity: Decimal, cost_basis: Decimal, price: Decimal) -> Valuation:
    """Value a holding: market value is quantity x price rounded once, the gain is it less the cost.

    `pnl_pct` is to 4 places (1.5 is 1.5 %), and 0 where nothing was paid. What is sold short is
    worth less than nothing, and gains when the price falls.
    """
    market_value = value_of(quantity, price)
    gain = market_value - cost_basis
    percent = EXACT.divide(gain * 100, abs(cost_basis)) if cost_basis else Decimal(0)
    return Valuation(market_value, gain, percent.quantize(_PERCENT_PLACES, ROUND_HALF_EVEN, EXACT))
