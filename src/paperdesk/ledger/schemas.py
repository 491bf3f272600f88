"""The bodies of the ledger's routes."""

from typing import Annotated

from pydantic import Field

from paperdesk.api.codec import Amount, Answer, Moment
from paperdesk.models import Side


class TradeAnswer(Answer):
    """A fill as it was booked. Amounts in US dollars."""

    id: Annotated[str, Field(examples=["019a9c3e-8f00-7cc3-9d1e-2f6a0b9d4e11"])]
    order_id: str | None
    ticker: Annotated[str, Field(examples=["AAPL"])]
    side: Side
    quantity: Annotated[Amount, Field(examples=[10])]
    price: Annotated[Amount, Field(examples=[190.25])]
    value: Annotated[Amount, Field(description="quantity x price", examples=[1902.5])]
    fee: Annotated[Amount, Field(examples=[0])]
    realized_pnl: Annotated[
        Amount, Field(description="What the trade made against the cost of what it closed")
    ]
    executed_at: Moment


class JournalTrade(TradeAnswer):
    """A fill with its place in the journal."""

    source: Annotated[str, Field(description="The door it came through", examples=["api"])]
    strategy: str | None
    sequence: Annotated[int, Field(description="Its number in the account's journal")]
    hash: Annotated[str, Field(description="SHA-256 chained to the entry before")]
