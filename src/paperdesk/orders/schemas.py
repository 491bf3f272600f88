"""The bodies of the orders' routes."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from paperdesk.api.codec import Amount, AmountIn, Answer, Ask, Label, Moment, Note
from paperdesk.api.problems import Problem, describe
from paperdesk.errors import InvalidRequest
from paperdesk.ledger import booking
from paperdesk.ledger.schemas import TradeAnswer
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import (
    Order,
    OrderClass,
    OrderLeg,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from paperdesk.orders.terms import StopLoss, Terms

LARGEST_BATCH = 500


def _shares(value: Decimal) -> Decimal:
    if not 0 < value <= booking.LARGEST_AMOUNT:
        raise ValueError("must be more than 0 and at most 1000000000 shares")
    return value


def dollars(value: Decimal) -> Decimal:
    """Return an amount to trade for. Raises ValueError where it cannot be one."""
    if not 0 < value <= booking.LARGEST_AMOUNT:
        raise ValueError("must be more than 0 and at most 1000000000 US dollars")
    if booking.money(value) != value:
        raise ValueError("must have at most 6 decimal places")
    return value


def _price(value: Decimal) -> Decimal:
    if not booking.PRICE_PLACES <= value <= booking.LARGEST_AMOUNT:
        raise ValueError("must be at least 0.000000001 and at most 1000000000 US dollars")
    return value


UnitPrice = Annotated[
    AmountIn,
    AfterValidator(_price),
    Field(description="US dollars a share, to 9 places; a number or a string", examples=[190]),
]
"""A price in a request."""

Shares = Annotated[
    AmountIn,
    AfterValidator(_shares),
    Field(description="Shares, to 9 places; a number or a string", examples=[10]),
]
"""A number of shares in a request."""

OwnKey = Annotated[
    Label,
    Field(description="Your own key: the same order under it has one effect, for ever"),
]
"""A `client_order_id` in a request."""


Lots = Annotated[
    list[Annotated[int, Field(ge=0, le=2**63 - 1)]],
    Field(
        min_length=1,
        max_length=1000,
        description="The numbers of the lots that it closes, in their order; else the account's "
        "cost basis decides",
        examples=[[12]],
    ),
]
"""Lots in a request."""


class TakeProfit(Ask):
    """The exit with a gain: a limit order."""

    limit_price: Annotated[UnitPrice, Field(examples=[210])]


class StopLossRequest(Ask):
    """The exit with a loss: at the market from the stop on, or with a limit no worse than that."""

    stop_price: Annotated[UnitPrice, Field(examples=[180])]
    limit_price: UnitPrice | None = None


class OrderRequest(Ask):
    """An order, by `quantity` or by `notional`. Prices in US dollars, to 9 places."""

    ticker: Annotated[str, Field(max_length=64, examples=["AAPL"])]
    side: Annotated[Side, Field(examples=["buy"])]
    type: OrderType = OrderType.market
    time_in_force: TimeInForce = TimeInForce.day
    quantity: Shares | None = None
    notional: Annotated[
        Annotated[AmountIn, AfterValidator(dollars)] | None,
        Field(description="US dollars to trade for, to 6 places, instead of `quantity`"),
    ] = None
    limit_price: UnitPrice | None = None
    stop_price: UnitPrice | None = None
    trail_price: UnitPrice | None = None
    trail_percent: Annotated[
        AmountIn | None, Field(description="In percent of the best price, to 6 places")
    ] = None
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.simple
    take_profit: TakeProfit | None = None
    stop_loss: StopLossRequest | None = None
    lots: Lots | None = None
    client_order_id: OwnKey | None = None
    strategy: Label | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("give either quantity or notional")
        return self

    def terms(self) -> Terms:
        """Return what is asked for. Raises InvalidRequest for a ticker that cannot be one."""
        loss = self.stop_loss
        return Terms(
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
            order_class=self.order_class,
            take_profit=self.take_profit.limit_price if self.take_profit else None,
            stop_loss=StopLoss(loss.stop_price, loss.limit_price) if loss else None,
            lots=None if self.lots is None else tuple(self.lots),
        )


class ReplaceRequest(Ask):
    """What shall be different in the order that takes the place of another."""

    quantity: Annotated[
        Shares | None, Field(description="Of the whole, with what was filled already")
    ] = None
    limit_price: Annotated[UnitPrice | None, Field(examples=[185.5])] = None
    stop_price: UnitPrice | None = None
    trail: Annotated[
        AmountIn | None,
        Field(description="The trail_price or trail_percent, whichever the order has"),
    ] = None
    time_in_force: TimeInForce | None = None
    client_order_id: OwnKey | None = None


class CloseRequest(Ask):
    """How much of a position to close; nothing closes all of it."""

    quantity: Shares | None = None
    percent: Annotated[
        AmountIn | None,
        Field(description="Of what is held, more than 0 and at most 100", examples=[50]),
    ] = None
    cancel_orders: Annotated[
        bool, Field(description="Cancel the open orders that would close it first")
    ] = False
    lots: Lots | None = None
    client_order_id: OwnKey | None = None
    strategy: Label | None = None
    note: Note | None = None


def _alone(value: Any, parse: ValidatorFunctionWrapHandler) -> OrderRequest | InvalidRequest:
    try:
        return parse(value)
    except ValidationError as error:
        problems = [problem | {"loc": ("order", *problem["loc"])} for problem in error.errors()]
        return InvalidRequest(describe(RequestValidationError(problems)))


class BatchRequest(Ask):
    """Orders, to be booked in this sequence. One that is not valid fails alone."""

    orders: Annotated[
        list[Annotated[OrderRequest, WrapValidator(_alone)]],
        Field(
            min_length=1,
            max_length=LARGEST_BATCH,
            examples=[[{"ticker": "AAPL", "side": "buy", "quantity": 10}]],
        ),
    ]


class OrderAnswer(Answer):
    """An order and what became of it. Amounts in US dollars and shares."""

    id: Annotated[str, Field(examples=["019a9c3e-8f00-7cc3-9d1e-2f6a0b9d4e11"])]
    client_order_id: Annotated[
        str, Field(description="The caller's key; without one the order's id")
    ]
    ticker: Annotated[str, Field(examples=["AAPL"])]
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Amount | None
    notional: Amount | None
    limit_price: Amount | None
    stop_price: Amount | None
    status: OrderStatus
    filled_quantity: Annotated[Amount, Field(examples=[10])]
    filled_avg_price: Annotated[Amount | None, Field(examples=[190.25])]
    source: Annotated[str, Field(description="The door it came through", examples=["api"])]
    strategy: str | None
    note: str | None
    submitted_at: Moment
    filled_at: Moment | None
    canceled_at: Moment | None
    expired_at: Moment | None
    trail_price: Amount | None
    trail_percent: Amount | None
    watermark: Annotated[
        Amount | None, Field(description="The best price, from which a trailing stop trails")
    ]
    extended_hours: bool
    order_class: OrderClass
    group_id: Annotated[str | None, Field(description="The same for orders that are linked")]
    leg: Annotated[OrderLeg | None, Field(description="What it is among linked orders")]
    replaces: Annotated[str | None, Field(description="The order whose place it took")]
    replaced_by: Annotated[str | None, Field(description="The order that took its place")]
    reason: Annotated[str | None, Field(description="Why it ended without being filled")]
    lots: Annotated[list[int] | None, Field(description="The lots that it was told to close")]
    reserved_cash: Annotated[Amount, Field(description="Set aside for it, US dollars")]
    reserved_quantity: Annotated[Amount, Field(description="Set aside for it, shares")]
    triggered_at: Annotated[Moment | None, Field(description="When its stop was reached")]
    expires_at: Annotated[Moment | None, Field(description="When it ends if it is not filled")]
    updated_at: Moment


class PlacedAnswer(OrderAnswer):
    """An order with those that are linked to it."""

    legs: Annotated[list[OrderAnswer], Field(default_factory=list)]


def placed_answer(order: Order, legs: Iterable[Order]) -> PlacedAnswer:
    """Return the answer that shows an order and those that are linked to it."""
    shown = [OrderAnswer.model_validate(leg) for leg in legs]
    return PlacedAnswer(**vars(OrderAnswer.model_validate(order)), legs=shown)


class OrderResult(Answer):
    """What came of one order of a batch."""

    status: Annotated[
        Literal["filled", "placed", "refused", "unknown"],
        Field(
            description="placed: it rests, or has ended; see its own status. refused: nothing was "
            "booked. unknown: ask again with the same key",
            examples=["filled"],
        ),
    ]
    replayed: Annotated[
        bool, Field(description="An earlier request with the key made it; nothing was booked now")
    ] = False
    order: PlacedAnswer | None = None
    trade: Annotated[TradeAnswer | None, Field(description="Its first trade")] = None
    problem: Annotated[Problem | None, Field(description="Why it was refused")] = None


class BatchAnswer(Answer):
    """A result for each order, in the sequence of the request."""

    results: Annotated[list[OrderResult], Field(examples=[[]])]
