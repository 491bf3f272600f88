"""The bodies of the portfolio's routes."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field

from paperdesk.api.codec import Amount, Answer, Ask, Label, Moment, Note, Written, written
from paperdesk.ledger.schemas import TradeAnswer
from paperdesk.models import Side
from paperdesk.orders.schemas import OwnKey, Shares
from paperdesk.portfolio.statement import Statement, StatementLine


class TradeRequest(Ask):
    """A market order: filled at once, at the current price."""

    ticker: Annotated[str, Field(max_length=64, examples=["AAPL"])]
    side: Annotated[Side, Field(examples=["buy"])]
    quantity: Shares
    client_order_id: OwnKey | None = None
    strategy: Label | None = None
    note: Note | None = None


class LotAnswer(Answer):
    """Shares of a position that were opened together."""

    number: Annotated[int, Field(description="What `lots` of an order names", examples=[12])]
    opened_at: Moment
    quantity: Annotated[Amount, Field(examples=[10])]
    cost_basis: Annotated[Amount, Field(examples=[1902.5])]


class PositionAnswer(Answer):
    """An open holding, valued. Amounts in US dollars, `pnl_pct` in percent of the cost.

    What is sold short has a negative quantity, cost and value.
    """

    ticker: Annotated[str, Field(examples=["AAPL"])]
    quantity: Annotated[Amount, Field(examples=[10])]
    available_quantity: Annotated[
        Amount, Field(description="Not set aside for orders that close it")
    ]
    avg_cost: Annotated[Amount, Field(examples=[190.25])]
    cost_basis: Annotated[Amount, Field(examples=[1902.5])]
    current_price: Annotated[
        Amount, Field(description="The last known price; see `unpriced`", examples=[191])
    ]
    market_value: Annotated[Amount, Field(examples=[1910])]
    unrealized_pnl: Annotated[Amount, Field(examples=[7.5])]
    pnl_pct: Annotated[Amount, Field(examples=[0.3942])]
    opened_at: Moment
    lots: Annotated[
        list[LotAnswer], Field(description="Its parts, where the account tells them apart")
    ]


class PortfolioAnswer(Answer):
    """An account's statement, in US dollars."""

    cash_balance: Annotated[Amount, Field(examples=[8097.5])]
    reserved_cash: Annotated[Amount, Field(description="Set aside for open buy orders")]
    short_collateral: Annotated[
        Amount, Field(description="What short sales brought, and their margin")
    ]
    maintenance_margin: Annotated[
        Amount, Field(description="What the account must be worth for what it sold short")
    ]
    buying_power: Annotated[
        Amount, Field(description="cash_balance - reserved_cash - short_collateral")
    ]
    positions_value: Annotated[Amount, Field(examples=[1910])]
    total_value: Annotated[Amount, Field(examples=[10007.5])]
    unrealized_pnl: Annotated[Amount, Field(examples=[7.5])]
    realized_pnl: Annotated[Amount, Field(examples=[0])]
    as_of: Moment
    unpriced: Annotated[
        list[str], Field(description="Tickers whose price is not current, valued at the last known")
    ]
    positions: list[PositionAnswer]


class PortfolioAfterTrade(PortfolioAnswer):
    """The statement after a trade, and the trade."""

    trade: TradeAnswer


class SnapshotAnswer(Answer):
    """What the account was worth at an instant, in US dollars."""

    recorded_at: Moment
    total_value: Annotated[Amount, Field(examples=[10007.5])]
    cash_balance: Annotated[Amount, Field(examples=[8097.5])]
    positions_value: Annotated[Amount, Field(examples=[1910])]
    incomplete: Annotated[bool, Field(description="A held ticker had no current price")]


def portfolio_fields(statement: Statement, now: datetime) -> dict[str, Any]:
    """Return the fields of a PortfolioAnswer that show a statement, ready to be sent."""
    return _fields(statement) | {"as_of": now}


@lru_cache(maxsize=256)
def _fields(statement: Statement) -> dict[str, Any]:
    """Write a statement once for all who are shown it."""
    account = statement.account
    fields = {
        "cash_balance": account.cash_balance,
        "reserved_cash": account.reserved_cash,
        "short_collateral": account.short_collateral,
        "maintenance_margin": statement.maintenance_margin,
        "buying_power": account.buying_power,
        "positions_value": statement.positions_value,
        "total_value": statement.total_value,
        "unrealized_pnl": statement.unrealized_pnl,
        "realized_pnl": account.realized_pnl,
        "as_of": None,
        "unpriced": statement.unpriced,
        "positions": [_written(line) for line in statement.lines],
    }
    return {name: written(value) for name, value in fields.items()}


@lru_cache(maxsize=16_384)
def _written(line: StatementLine) -> Written:
    """Write a position once, until it is traded or its price moves."""
    held, valuation = line.held, line.valuation
    return written(
        PositionAnswer(
            ticker=held.ticker,
            quantity=held.quantity,
            available_quantity=held.available,
            avg_cost=held.avg_cost,
            cost_basis=held.cost_basis,
            current_price=line.price,
            market_value=valuation.market_value,
            unrealized_pnl=valuation.unrealized_pnl,
            pnl_pct=valuation.pnl_pct,
            opened_at=held.opened_at,
            lots=[
                LotAnswer(
                    number=lot.number,
                    opened_at=lot.opened_at,
                    quantity=lot.quantity,
                    cost_basis=lot.cost,
                )
                for lot in held.lots or ()
            ],
        )
    )
