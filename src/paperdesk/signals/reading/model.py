"""What an alert was understood to say. It is stored, and shown in answers, as it stands here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from paperdesk.models import OrderType, TimeInForce
from paperdesk.signals.reading.amounts import ExactDecimal

Exact = Annotated[ExactDecimal, WithJsonSchema({"type": "number"})]
"""A Decimal: a JSON number in an answer, a string of its digits where it is stored."""

Moment = Annotated[AwareDatetime, WithJsonSchema({"type": "string", "format": "date-time"})]


class Intent(StrEnum):
    """What the sender wants to happen to the position."""

    buy = "buy"
    sell = "sell"
    enter_long = "enter_long"
    enter_short = "enter_short"
    exit_long = "exit_long"
    exit_short = "exit_short"
    close = "close"
    reverse = "reverse"
    target = "target"
    cancel = "cancel"


class QuantityKind(StrEnum):
    """What the amount of a quantity counts."""

    shares = "shares"
    cash = "cash"
    percent_of_equity = "percent_of_equity"
    percent_of_position = "percent_of_position"


class Form(StrEnum):
    """The family of alerts that a body was recognised as. It changes nothing of the meaning."""

    plain = "plain"
    openalgo = "openalgo"
    three_commas = "three_commas"
    traderspost = "traderspost"
    pickmytrade = "pickmytrade"
    okx = "okx"
    altrady = "altrady"
    metaapi = "metaapi"
    tv_hub = "tv_hub"
    alerts_processor = "alerts_processor"
    kitkat = "kitkat"
    alertatron = "alertatron"
    autoview = "autoview"
    command_line = "command_line"
    pipes = "pipes"
    gunbot = "gunbot"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quantity(_Value):
    """How much: always more than nothing."""

    amount: Annotated[Exact, Field(examples=[10])]
    kind: QuantityKind = QuantityKind.shares


class Exit(_Value):
    """Where a position is to be left again: one of the measures, and perhaps a limit.

    `percent` is the distance from the entry. `amount` is in US dollars: of the price of one share,
    or of what is made or lost in total, as `amount_of` says. A trail follows the best price.
    """

    price: Exact | None = None
    percent: Annotated[Exact | None, Field(examples=[5])] = None
    amount: Exact | None = None
    amount_of: Literal["share", "total"] | None = None
    trail_price: Exact | None = None
    trail_percent: Exact | None = None
    limit_price: Annotated[
        Exact | None, Field(description="Of a stop loss: no worse than this price")
    ] = None


Position = Literal["long", "short", "flat"]


class Understood(_Value):
    """One alert, as the desk reads it, whatever form it came in."""

    intent: Annotated[
        Intent,
        Field(description="target: hold `target` shares afterwards; enter_*: close the other side"),
    ]
    ticker: Annotated[str, Field(examples=["AAPL"])]
    exchange: Annotated[str | None, Field(examples=["NASDAQ"])] = None
    quantity: Annotated[
        Quantity | None, Field(description="Of a close or an exit, null is all of it")
    ] = None
    target: Annotated[
        Exact | None, Field(description="The position to hold afterwards; negative is short")
    ] = None
    order_type: OrderType = OrderType.market
    limit_price: Exact | None = None
    stop_price: Exact | None = None
    trail_price: Exact | None = None
    trail_percent: Exact | None = None
    time_in_force: TimeInForce | None = None
    take_profit: Exit | None = None
    stop_loss: Exit | None = None
    reference_price: Annotated[
        Exact | None, Field(description="What the sender saw; nothing is bought at it")
    ] = None
    sent_at: Moment | None = None
    carries_time: bool = False
    time_unread: Annotated[
        bool, Field(description="It says when it was sent, and that cannot be read")
    ] = False
    max_lag: Annotated[
        Exact | None, Field(description="Seconds after sent_at at which the sender calls it stale")
    ] = None
    strategy: str | None = None
    order_name: Annotated[
        str | None, Field(description="How the strategy calls its order; it repeats")
    ] = None
    note: str | None = None
    market_position: Position | None = None
    market_position_size: Exact | None = None
    prev_market_position: Position | None = None
    prev_market_position_size: Exact | None = None
    explicit_id: Annotated[
        str | None, Field(description="What the sender calls this very alert")
    ] = None
    form: Form = Form.plain
    warnings: Annotated[
        tuple[str, ...], Field(description="What was said and is not acted on")
    ] = ()


class NotUnderstood(_Value):
    """An alert that no rule understands, with a sentence that says what to send instead."""

    reason: Annotated[
        str, Field(examples=["The alert names no ticker. Send one, such as ticker: AAPL."])
    ]
    problems: tuple[str, ...] = ()
    carries_time: bool = False
    explicit_id: str | None = None


def as_kept(stored: Mapping[str, Any]) -> Understood | NotUnderstood:
    """Return what an alert was understood to say, from what is stored of it."""
    return (NotUnderstood if "reason" in stored else Understood).model_validate(stored)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One body that came in, without its secrets.

    `payload` is its JSON value, numbers exact, or None where it is no JSON; `redacted` its bytes.
    `signals` has at least one element, and at most 100. `secrets` are for comparison with the
    token of the webhook, and never to be kept. `canonical` is the same for bodies that say the
    same, however they are spaced and sorted.
    """

    payload: Any
    signals: tuple[Understood | NotUnderstood, ...]
    redacted: bytes
    canonical: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())
    shares_id: bool = False
    """Whether the id stands over all of the signals, not over each."""
