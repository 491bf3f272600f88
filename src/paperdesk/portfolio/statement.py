"""The statement of an account: its holdings valued at the latest prices."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from paperdesk.ledger.valuation import Valuation, valued
from paperdesk.ledger.views import AccountView, HeldPosition
from paperdesk.market.quotes import QuoteBoard

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class StatementLine:
    """A holding, the price it was valued at, and what came out."""

    held: HeldPosition
    price: Decimal
    valuation: Valuation


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """An account's holdings valued, in US dollars.

    `unpriced` are the tickers without a current price, valued at their last known one.
    `since` is when it was made; at `until` a price becomes stale, or current, if none comes before.
    """

    account: AccountView
    lines: list[StatementLine]
    unpriced: list[str]
    positions_value: Decimal
    unrealized_pnl: Decimal
    since: datetime
    until: datetime

    @property
    def total_value(self) -> Decimal:
        """Cash plus positions."""
        return self.account.cash_balance + self.positions_value

    @property
    def maintenance_margin(self) -> Decimal:
        """What the account must be worth for what it sold short."""
        values = (line.valuation.market_value for line in self.lines)
        return self.account.rules.maintenance(-sum((v for v in values if v < 0), Decimal(0)))


class Statements:
    """The latest statement of each account, made anew when the account or a price changed.

    All who trade in one batch are shown the same one. Asked from any thread.
    """

    def __init__(self, board: QuoteBoard) -> None:
        self._board = board
        self._made: dict[str, tuple[int, Statement]] = {}

    def of(self, account: AccountView) -> Statement:
        """Return an account's statement at the latest prices."""
        # Before anything is read: a price that comes meanwhile makes what is kept outdated.
        version, now = self._board.version, self._board.now()
        kept, statement = self._made.get(account.id, (None, None))
        if (
            statement is None
            or kept != version
            or statement.account is not account
            or not statement.since <= now < statement.until
        ):
            statement = statement_of(account, self._board, now)
            self._made[account.id] = version, statement
        return statement


def statement_of(account: AccountView, board: QuoteBoard, now: datetime) -> Statement:
    """Value an account. A holding that never had a price is valued at its average cost."""
    lines: list[StatementLine] = []
    unpriced: list[str] = []
    worth = gain = Decimal(0)
    until = _NEVER
    for held in account.positions:
        quote = board.latest(held.ticker)
        line = line_of(held, quote.price if quote else held.avg_cost)
        if quote is None or not board.is_fresh(quote, now):
            unpriced.append(held.ticker)
        if quote is not None:
            # It is fresh from the first of these instants on, and from the second no longer.
            for turn in (
                quote.received_at - board.patience,
                quote.received_at + board.patience + datetime.resolution,
            ):
                if now < turn < until:
                    until = turn
        lines.append(line)
        worth += line.valuation.market_value
        gain += line.valuation.unrealized_pnl
    return Statement(account, lines, unpriced, worth, gain, now, until)


@lru_cache(maxsize=16_384)
def line_of(held: HeldPosition, price: Decimal) -> StatementLine:
    """Value a holding at a price. Between two ticks only what is traded is valued anew."""
    return StatementLine(held, price, valued(held.quantity, held.cost_basis, price))
