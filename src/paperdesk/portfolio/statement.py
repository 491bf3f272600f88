"""The statement of an account: its holdings valued at the latest prices."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from paperdesk.ledger.valuation import Valuation, valued
from paperdesk.ledger.views import AccountView, HeldPosition
from paperdesk.market.quotes import QuoteBoard


@dataclass(frozen=True, slots=True, eq=False)
class StatementLine:
    """A holding, the price it was valued at, and what came out."""

    held: HeldPosition
    price: Decimal
    valuation: Valuation


@dataclass(frozen=True, slots=True)
class Statement:
    """An account's holdings valued, in US dollars.

    `unpriced` are the tickers without a current price, valued at their last known one.
    """

    account: AccountView
    lines: list[StatementLine]
    unpriced: list[str]
    positions_value: Decimal
    unrealized_pnl: Decimal

    @property
    def total_value(self) -> Decimal:
        """Cash plus positions."""
        return self.account.cash_balance + self.positions_value


def statement_of(account: AccountView, board: QuoteBoard) -> Statement:
    """Value an account. A holding that never had a price is valued at its average cost."""
    lines: list[StatementLine] = []
    unpriced: list[str] = []
    worth = gain = Decimal(0)
    for held in account.positions:
        quote = board.latest(held.ticker)
        line = line_of(held, quote.price if quote else held.avg_cost)
        if quote is None or not board.is_fresh(quote):
            unpriced.append(held.ticker)
        lines.append(line)
        worth += line.valuation.market_value
        gain += line.valuation.unrealized_pnl
    return Statement(account, lines, unpriced, worth, gain)


@lru_cache(maxsize=16_384)
def line_of(held: HeldPosition, price: Decimal) -> StatementLine:
    """Value a holding at a price. Between two ticks only what is traded is valued anew."""
    return StatementLine(held, price, valued(held.quantity, held.cost_basis, price))
