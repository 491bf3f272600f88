"""The statement of an account: its holdings valued at the latest prices."""

from dataclasses import dataclass
from decimal import Decimal

from paperdesk.ledger.valuation import Valuation, valued
from paperdesk.ledger.views import AccountView, HeldPosition
from paperdesk.market.quotes import QuoteBoard


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A holding, the price it was valued at, and what came out."""

    held: HeldPosition
    price: Decimal
    is_current: bool
    valuation: Valuation


@dataclass(frozen=True, slots=True)
class Statement:
    """An account's holdings valued, in US dollars."""

    account: AccountView
    lines: tuple[StatementLine, ...]

    @property
    def positions_value(self) -> Decimal:
        """The sum of the market values."""
        return sum((line.valuation.market_value for line in self.lines), Decimal(0))

    @property
    def unrealized_pnl(self) -> Decimal:
        """The sum of the open gains and losses."""
        return sum((line.valuation.unrealized_pnl for line in self.lines), Decimal(0))

    @property
    def total_value(self) -> Decimal:
        """Cash plus positions."""
        return self.account.cash_balance + self.positions_value

    @property
    def unpriced(self) -> list[str]:
        """The tickers without a current price, valued at their last known one."""
        return [line.held.ticker for line in self.lines if not line.is_current]


def statement_of(account: AccountView, board: QuoteBoard) -> Statement:
    """Value an account. A holding that never had a price is valued at its average cost."""
    return Statement(account, tuple(_line(held, board) for held in account.positions))


def _line(held: HeldPosition, board: QuoteBoard) -> StatementLine:
    quote = board.latest(held.ticker)
    price = quote.price if quote else held.avg_cost
    return StatementLine(
        held,
        price,
        is_current=quote is not None and board.is_fresh(quote),
        valuation=valued(held.quantity, held.cost_basis, price),
    )
