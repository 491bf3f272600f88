"""A holding at average cost, bought and sold by the product's arithmetic."""

from decimal import Decimal

from paperdesk.ledger.holdings import Holding, Lot, closed, opened
from paperdesk.models import CostBasis
from support.databases import START


def bought(holding: Holding, quantity: Decimal, value: Decimal) -> Holding:
    return opened(holding, START, CostBasis.average, Lot(1, START, quantity, value))


def sold(holding: Holding, quantity: Decimal, value: Decimal) -> tuple[Holding, Decimal]:
    """Return what is left, and what the sale made."""
    closing = closed(holding, START, CostBasis.average, quantity)
    return closing.left, value - closing.cost
