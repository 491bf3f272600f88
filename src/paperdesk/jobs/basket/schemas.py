"""A row of a basket: an order, by `quantity` or by `notional`."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from paperdesk.api.codec import AmountIn, Ask, Label, Note
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import OrderType, Side, TimeInForce
from paperdesk.orders.schemas import Shares, UnitPrice, dollars
from paperdesk.orders.terms import Terms


class BasketRow(Ask):
    """An order of a basket. Prices in US dollars, to 9 places."""

    ticker: Annotated[str, Field(max_length=64, examples=["AAPL"])]
    side: Annotated[Side, Field(examples=["buy"])]
    type: OrderType = OrderType.market
    time_in_force: TimeInForce = TimeInForce.day
    quantity: Shares | None = None
    notional: Annotated[AmountIn, AfterValidator(dollars)] | None = None
    limit_price: UnitPrice | None = None
    stop_price: UnitPrice | None = None
    trail_price: UnitPrice | None = None
    trail_percent: AmountIn | None = None
    extended_hours: bool = False
    strategy: Label | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("give either quantity or notional")
        return self

    def terms(self) -> Terms:
        """Return the terms of the order. Raises InvalidRequest where they do not fit each other."""
        terms = Terms(
            ticker=parse_ticker(self.ticker),
            side=self.side,
            type=self.type,
            time_in_force=self.time_in_force,
            quantity=self.quantity,
            notional=self.notional,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            trail_price=self.trail_price,
            trail_percent=self.trail_percent,
            extended_hours=self.extended_hours,
        )
        terms.check()
        return terms
