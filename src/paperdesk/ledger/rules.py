"""The rules of an account: how its orders are filled and booked. Pure: no database, no clock.

US dollars with 6 places, prices with 9. A commission is rounded once, half to even.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from paperdesk.ledger.booking import EXACT, PRICE_PLACES, money, percent_of
from paperdesk.models import CostBasis

_ZERO = Decimal(0)
_BASIS_POINTS = Decimal(10_000)
_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Rules:
    """What `AccountRules` says; by default at the quote, at no cost, all at once.

    And at average cost, nothing sold short.
    """

    spread_bps: Decimal = _ZERO
    slippage_bps: Decimal = _ZERO
    commission_per_share: Decimal = _ZERO
    commission_percent: Decimal = _ZERO
    commission_minimum: Decimal = _ZERO
    volume_percent: Decimal | None = None
    cost_basis_method: CostBasis = CostBasis.average
    short_selling: bool = False
    margin_percent: Decimal = Decimal(50)
    maintenance_percent: Decimal = Decimal(30)
    borrow_percent: Decimal = _ZERO

    def touch(self, side: Literal["buy", "sell"], price: Decimal) -> Decimal:
        """Return the ask to a buyer, the bid to a seller: half the spread away from the price."""
        return self._away(side, price, self.spread_bps / 2)

    def market_price(self, side: Literal["buy", "sell"], price: Decimal) -> Decimal:
        """Return what a market order pays or gets: the touch, and the slippage beyond it."""
        return self._away(side, price, self.spread_bps / 2 + self.slippage_bps)

    def commission(self, quantity: Decimal, value: Decimal) -> Decimal:
        """Return the whole commission of an order of which so much was filled, in US dollars."""
        if not (self.commission_per_share or self.commission_percent or self.commission_minimum):
            return _ZERO
        by_share = EXACT.multiply(quantity, self.commission_per_share)
        by_value = EXACT.divide(EXACT.multiply(value, self.commission_percent), _PERCENT)
        return max(money(EXACT.add(by_share, by_value)), self.commission_minimum)

    def margin(self, value: Decimal) -> Decimal:
        """Return what is set aside for shares sold short, beside what the sale brought."""
        return money(EXACT.divide(EXACT.multiply(value, self.margin_percent), _PERCENT))

    def maintenance(self, value: Decimal) -> Decimal:
        """Return what an account must be worth that sold short what is worth so much now."""
        return money(EXACT.divide(EXACT.multiply(value, self.maintenance_percent), _PERCENT))

    def share_of(self, volume: Decimal | None) -> Decimal | None:
        """Return how many shares an order may take of a volume; None for no limit."""
        if self.volume_percent is None or volume is None:
            return None
        return percent_of(volume, self.volume_percent)

    def _away(self, side: str, price: Decimal, bps: Decimal) -> Decimal:
        if not bps:
            return price
        factor = 1 + EXACT.divide(bps if side == "buy" else -bps, _BASIS_POINTS)
        moved = EXACT.multiply(price, factor).quantize(PRICE_PLACES, ROUND_HALF_EVEN, EXACT)
        return max(moved, PRICE_PLACES)


PLAIN = Rules()
"""Those of an account that made none."""
