"""The bodies of the orders' routes."""

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
from paperdesk.models import OrderStatus, OrderType, Side, TimeInForce

LARGEST_BATCH = 500


def _shares(value: Decimal) -> Decimal:
    if not 0 < value <= booking.LARGEST_AMOUNT:
        raise ValueError("must be more than 0 and at most 1000000000 shares")
    return value


def _dollars(value: Decimal) -> Decimal:
    if not 0 < value <= booking.LARGEST_AMOUNT:
        raise ValueError("must be more than 0 and at most 1000000000 US dollars")
    if booking.money(value) != value:
        raise ValueError("must have at most 6 decimal places")
    return value


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


class OrderRequest(Ask):
    """An order, by `quantity` or by `notional`. This version takes market orders."""

    ticker: Annotated[str, Field(max_length=64, examples=["AAPL"])]
    side: Annotated[Side, Field(examples=["buy"])]
    type: Literal["market"] = "market"
    time_in_force: Literal["day"] = "day"
    quantity: Shares | None = None
    notional: Annotated[
        Annotated[AmountIn, AfterValidator(_dollars)] | None,
        Field(description="US dollars to trade for, to 6 places, instead of `quantity`"),
    ] = None
    client_order_id: OwnKey | None = None
    strategy: Label | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("give either quantity or notional")
        return self


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


class OrderResult(Answer):
    """What came of one order of a batch."""

    status: Annotated[
        Literal["filled", "refused", "unknown"],
        Field(
            description="refused: nothing was booked. unknown: ask again with the same key",
            examples=["filled"],
        ),
    ]
    replayed: Annotated[
        bool, Field(description="An earlier request with the key made it; nothing was booked now")
    ] = False
    order: OrderAnswer | None = None
    trade: TradeAnswer | None = None
    problem: Annotated[Problem | None, Field(description="Why it was not filled")] = None


class BatchAnswer(Answer):
    """A result for each order, in the sequence of the request."""

    results: Annotated[list[OrderResult], Field(examples=[[]])]
