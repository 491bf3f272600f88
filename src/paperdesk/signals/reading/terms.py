"""The order that an alert asks for: its kind, its prices, how long it stands."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from paperdesk.models import OrderType, TimeInForce
from paperdesk.signals.reading.fields import BLANK, Fields
from paperdesk.signals.reading.texts import fold

_TYPES: Final[dict[str, OrderType]] = {
    **dict.fromkeys(("market", "mkt"), OrderType.market),
    **dict.fromkeys(("limit", "lmt"), OrderType.limit),
    **dict.fromkeys(("stop", "stp", "stopmarket", "slm"), OrderType.stop),
    **dict.fromkeys(("stoplimit", "stplmt", "sl"), OrderType.stop_limit),
    **dict.fromkeys(("trailingstop", "trailstop", "trail"), OrderType.trailing_stop),
    **dict.fromkeys(("ordertypebuylimit", "ordertypeselllimit"), OrderType.limit),
    **dict.fromkeys(("ordertypebuystop", "ordertypesellstop"), OrderType.stop),
    **dict.fromkeys(("ordertypebuystoplimit", "ordertypesellstoplimit"), OrderType.stop_limit),
}
_IMMEDIATE: Final = {"fok": TimeInForce.fok, "ioc": TimeInForce.ioc}
"""Autoview says these where others say the kind of order."""

_NAMES: Final = ("ordertype", "pricetype", "t")
_SOFT: Final = "type"
"""A field that may say the kind of order, or what to do, or neither."""

_STOPS: Final = frozenset({OrderType.stop, OrderType.stop_limit})
_LIMITS: Final = frozenset({OrderType.limit, OrderType.stop_limit})


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """How an order is to be placed."""

    order_type: OrderType = OrderType.market
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce | None = None


def says_type(value: object) -> bool:
    """Say whether a word names a kind of order."""
    return isinstance(value, str) and fold(value) in _TYPES


def terms_of(fields: Fields) -> OrderTerms:
    """Return the terms of the order. A kind that is not said follows from the prices."""
    said, time_in_force = _said(fields)
    limit, stop = _own(fields, "limitprice"), _own(fields, "stopprice")
    percent, amount = _own(fields, "trailpercent"), _own(fields, "trailamount", "trailprice")
    order_type = said or _implied(limit, stop, percent or amount)
    if order_type in _STOPS:
        stop = stop or fields.price("triggerprice")
    if order_type is OrderType.stop and limit is None:
        stop = stop or fields.price("price")
    if order_type in _LIMITS:
        limit = limit or fields.price("price", "openprice")
        if fields.value("orderpriceoffset") not in (None, 0, "0"):
            fields.problem("orderPriceOffset", "is not known to the desk; send limit_price")
    terms = OrderTerms(
        order_type,
        limit if order_type in _LIMITS else None,
        stop if order_type in _STOPS else None,
        amount if order_type is OrderType.trailing_stop else None,
        percent if order_type is OrderType.trailing_stop else None,
        time_in_force or _time_in_force(fields),
    )
    _check(fields, terms)
    for name, given, used in (
        ("limit_price", limit, terms.limit_price),
        ("stop_price", stop, terms.stop_price),
        ("the trail", percent or amount, terms.trail_percent or terms.trail_price),
    ):
        if given is not None and used is None:
            fields.warn(f"Not acted on: {name}; a {order_type} order has none.")
    return terms


def _own(fields: Fields, *names: str) -> Decimal | None:
    if any(value is BLANK for _, value in fields.values(*names)):
        fields.price(*names)
        return None
    return fields.price(*names)


def _said(fields: Fields) -> tuple[OrderType | None, TimeInForce | None]:
    said = [(name, value) for name, value in fields.values(*_NAMES) if value != ""]
    if says_type(fields.value(_SOFT)):
        said += fields.values(_SOFT)
    kinds: set[OrderType] = set()
    for name, value in said:
        folded = fold(value) if isinstance(value, str) else ""
        if folded in _IMMEDIATE:
            return OrderType.limit if fields.has("limitprice") else OrderType.market, _IMMEDIATE[
                folded
            ]
        if folded not in _TYPES:
            fields.problem(name, "must be one of market, limit, stop, stop_limit, trailing_stop")
        else:
            kinds.add(_TYPES[folded])
    if len(kinds) > 1:
        fields.problem(said[0][0], f"and {said[1][0]} contradict each other")
    return next(iter(kinds), None), None


def _implied(limit: Decimal | None, stop: Decimal | None, trail: Decimal | None) -> OrderType:
    if trail is not None:
        return OrderType.trailing_stop
    if limit is not None:
        return OrderType.limit if stop is None else OrderType.stop_limit
    return OrderType.market if stop is None else OrderType.stop


def _check(fields: Fields, terms: OrderTerms) -> None:
    if terms.order_type in _LIMITS and terms.limit_price is None:
        fields.problem("limit_price", f"a {terms.order_type} order needs it, more than 0")
    if terms.order_type in _STOPS and terms.stop_price is None:
        fields.problem("stop_price", f"a {terms.order_type} order needs it, more than 0")
    trails = (terms.trail_price is not None) + (terms.trail_percent is not None)
    if terms.order_type is OrderType.trailing_stop and trails != 1:
        fields.problem("trail_percent", "a trailing_stop order needs it or trail_price, not both")


def _time_in_force(fields: Fields) -> TimeInForce | None:
    for name, value in fields.values("timeinforce", "tif", "ordertimeinforce"):
        if value == "":
            continue
        try:
            return TimeInForce(fold(value) if isinstance(value, str) else "")
        except ValueError:
            fields.problem(name, f"must be one of {', '.join(TimeInForce)}")
    return None
