"""What a webhook lets its signals do, and how it takes its alerts. Kept as JSON with it."""

from datetime import datetime, time
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from paperdesk.api.codec import AmountIn, Text
from paperdesk.errors import InvalidRequest
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import Side, Webhook
from paperdesk.signals.reading.model import QuantityKind

WINDOW: Final = 30
"""Seconds within which equal bodies without a time are one signal, if the webhook says no other."""
_WALL_CLOCK: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
}
_SHORTEST_WINDOW: Final = 15
"""TradingView resends for so long."""
LONGEST_WINDOW: Final = 86_400
"""Seconds: longer than a day nobody sends the same alert again."""


class Weekday(StrEnum):
    """A day of the week, in the order of `datetime.weekday`."""

    mon = "mon"
    tue = "tue"
    wed = "wed"
    thu = "thu"
    fri = "fri"
    sat = "sat"
    sun = "sun"


class _Kept(BaseModel):
    """Base of what is kept as JSON, with what differs from its defaults alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _a_ticker(text: str) -> str:
    try:
        return parse_ticker(text)
    except InvalidRequest as refusal:
        raise ValueError(str(refusal).rstrip(".")) from None


def _without_a_zone(at: time) -> time:
    if at.tzinfo is not None:
        raise ValueError("must be a time of day such as 22:00, without a zone: it is the desk's")
    return at


def _a_network(text: str) -> str:
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        raise ValueError(
            "must be IP addresses or networks such as 52.89.214.238 or 10.0.0.0/8"
        ) from None


Ticker = Annotated[str, Field(max_length=64), AfterValidator(_a_ticker)]
_WallClock = Annotated[time, AfterValidator(_without_a_zone), WithJsonSchema(_WALL_CLOCK)]
_Positive = Annotated[AmountIn, Field(gt=0, le=1_000_000_000)]


class DefaultQuantity(_Kept):
    """How much a signal trades that does not say it."""

    amount: Annotated[_Positive, Field(examples=[10])]
    kind: QuantityKind = QuantityKind.shares


class QuietHours(_Kept):
    """A span of each day, in the desk's time zone, in which nothing is opened or added to.

    What closes or reduces a position still goes through. `until` before `since` runs past midnight.
    """

    since: Annotated[_WallClock, Field(examples=["22:00:00"])]
    until: Annotated[_WallClock, Field(examples=["08:00:00"])]
    days: Annotated[
        tuple[Weekday, ...], Field(min_length=1, max_length=7, examples=[["fri", "sat"]])
    ] = tuple(Weekday)

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.since == self.until:
            raise ValueError("must end at another time than they begin, such as 22:00 to 08:00")
        return self

    def cover(self, at: datetime, zone: ZoneInfo) -> bool:
        """Say whether an instant is in them. A span past midnight belongs to the day it began."""
        here = at.astimezone(zone)
        clock = here.time().replace(tzinfo=None)
        today = tuple(Weekday)[here.weekday()]
        yesterday = tuple(Weekday)[here.weekday() - 1]
        if self.since <= self.until:
            return today in self.days and self.since <= clock < self.until
        return (today in self.days and clock >= self.since) or (
            yesterday in self.days and clock < self.until
        )


class Limits(_Kept):
    """What the signals of a webhook may do. US dollars, shares and seconds; None: no limit."""

    tickers: Annotated[
        tuple[Ticker, ...] | None,
        Field(max_length=1000, description="The only ones it trades", examples=[["AAPL", "MSFT"]]),
    ] = None
    sides: Annotated[
        tuple[Side, ...] | None,
        Field(min_length=1, max_length=2, description="The only ones it trades, closing included"),
    ] = None
    max_notional_per_order: Annotated[
        _Positive | None,
        Field(description="US dollars that one order may open", examples=[2500]),
    ] = None
    max_notional_per_day: Annotated[
        _Positive | None,
        Field(description="US dollars that the orders of a day may open, in the desk's time zone"),
    ] = None
    max_position: Annotated[
        _Positive | None,
        Field(description="Shares of a stock, long or short, open orders included", examples=[100]),
    ] = None
    max_position_notional: Annotated[
        _Positive | None,
        Field(description="US dollars that a position may be worth, open orders included"),
    ] = None
    stale_after_seconds: Annotated[
        int | None,
        Field(ge=1, le=86_400, description="The age at which an alert that says its time is late"),
    ] = None
    quiet_hours: Annotated[
        tuple[QuietHours, ...], Field(max_length=20, description="When nothing is opened")
    ] = ()
    rate_per_minute: Annotated[
        int | None,
        Field(
            ge=1, le=1_000_000, description="Deliveries in a minute; null: as the desk's setting"
        ),
    ] = None


class Taking(_Kept):
    """How a webhook takes its alerts."""

    symbols: Annotated[
        dict[Text, Ticker],
        Field(
            max_length=1000,
            description="The ticker for a name in the alerts",
            examples=[{"NQ1!": "QQQ"}],
        ),
    ] = Field(default_factory=dict[str, str])
    default_quantity: Annotated[
        DefaultQuantity | None, Field(description="Of an alert that does not say how much")
    ] = None
    window_seconds: Annotated[
        int,
        Field(
            ge=_SHORTEST_WINDOW,
            le=LONGEST_WINDOW,
            description="Seconds in which equal bodies without a time are one signal",
        ),
    ] = WINDOW
    allowed_addresses: Annotated[
        tuple[Annotated[str, AfterValidator(_a_network)], ...] | None,
        Field(
            max_length=100,
            description="The only addresses and networks that may send",
            examples=[["52.89.214.238", "10.0.0.0/8"]],
        ),
    ] = None
    signature_required: Annotated[
        bool, Field(description="Whether every delivery has to be signed")
    ] = False


def limits_of(webhook: Webhook) -> Limits:
    """Return the limits of a webhook."""
    return Limits.model_validate(webhook.limits or {})


def taking_of(webhook: Webhook) -> Taking:
    """Return how a webhook takes its alerts."""
    return Taking.model_validate(webhook.settings or {})


def kept(terms: _Kept) -> dict[str, Any]:
    """Return what is stored of terms: what differs from their defaults, amounts as text."""
    return terms.model_dump(mode="json", exclude_defaults=True)
