"""Whether what an account is worth covers what it sold short. US dollars with 6 places.

As in FINRA rule 4210: maintenance margin is a part of the present value of what is sold short.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Final

from paperdesk.ledger.booking import EXACT, PRICE_PLACES, value_of
from paperdesk.ledger.holdings import Holding
from paperdesk.ledger.rules import Rules
from paperdesk.market.quotes import QuoteBoard

_PERCENT: Final = Decimal(100)
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an account is worth, what it sold short is worth, and how much of that it must have."""

    equity: Decimal
    short_value: Decimal
    required: Decimal

    @property
    def is_missed(self) -> bool:
        """Say whether the account is worth less than it must be: it gets a margin call."""
        return bool(self.short_value) and self.equity < self.required

    def to_cover(self, rules: Rules) -> Decimal:
        """Return the value of shares to buy back, so that a new short sale of the rest would do.

        Buying back changes what is sold short, and leaves what the account is worth.
        """
        percent = max(rules.margin_percent, rules.maintenance_percent)
        if self.equity <= 0 or not percent:
            return self.short_value
        allowed = EXACT.divide(EXACT.multiply(self.equity, _PERCENT), percent)
        return max(_ZERO, self.short_value - allowed)


def requirement_of(
    cash: Decimal, held: Iterable[tuple[str, Holding]], rules: Rules, board: QuoteBoard
) -> Requirement | None:
    """Return what an account must have; None where a holding has no current price.

    Nobody is called for what nobody knows.
    """
    equity, short_value = cash, _ZERO
    for ticker, holding in held:
        quote = board.fresh(ticker)
        if quote is None:
            return None
        value = value_of(holding.quantity, quote.price)
        equity += value
        short_value += max(_ZERO, -value)
    return Requirement(equity, short_value, rules.maintenance(short_value))


def shares_worth(value: Decimal, price: Decimal) -> Decimal:
    """Return how many shares, to 9 places, are worth at least so much."""
    return EXACT.divide(value, price).quantize(PRICE_PLACES, ROUND_UP, EXACT)
