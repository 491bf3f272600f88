"""How much an alert wants: so many shares, so much cash, or a share of something."""

from decimal import Decimal
from typing import Any, Final

from paperdesk.signals.reading.amounts import CONTEXT, Number, Unreadable, plain, read_number
from paperdesk.signals.reading.fields import Fields
from paperdesk.signals.reading.model import Intent, Quantity, QuantityKind
from paperdesk.signals.reading.words import kind_of

SHARES: Final = (
    *("quantity", "qty", "size", "contracts", "amount", "q", "orderamount", "ordercontracts"),
    *("orderquantity", "strategyordercontracts", "positionsizepercent"),
)
_CASH: Final = ("sizeusd", "notional", "amountusd", "cash")
_KINDS: Final = ("quantitytype", "investmenttype", "currencytype", "ordercurrencytype", "qt")
TARGETS: Final = ("positionsize", "strategypositionsize", "targetposition", "target")
_WHOLE: Final = Decimal(100)
_LARGEST_PERCENT: Final = Decimal(1_000)
_CLOSES: Final = frozenset({Intent.exit_long, Intent.exit_short, Intent.close})
"""What takes no size for all of it; so does PickMyTrade with a quantity of 0."""
_OF_POSITION: Final = frozenset({Intent.sell, *_CLOSES})
"""A percentage of what these close; of the others it is one of the account's worth."""


def target_of(fields: Fields) -> Decimal | None:
    """Return the position to hold afterwards; negative is short."""
    number = fields.number(*TARGETS)
    if number is not None and number.percent:
        fields.problem("position_size", "must be a number of shares, without a percent sign")
    return None if number is None else number.value


def skip_quantity(fields: Fields) -> None:
    """Mark the fields of a size as read where a target says more."""
    fields.values(*SHARES, *_CASH, *_KINDS, "riskpercentage")


def quantity_of(fields: Fields, intent: Intent, *, metaapi: bool) -> Quantity | None:
    """Return how much is wanted, or None where the alert does not say."""
    number = fields.number(*SHARES, *(("volume",) if metaapi else ()))
    cash = fields.number(*_CASH)
    risk = fields.seen("riskpercentage") or Decimal(0)
    kinds = [(name, value) for name, value in fields.values(*_KINDS) if value != ""]
    if not metaapi and number is None and fields.has("volume"):
        fields.warn("volume was taken for that of the bar. Send a size as quantity.")
    if fields.has("sizebyleverage"):
        fields.problem("sizeByLeverage", "is not known to the desk; send quantity or sizeUsd")
    if cash is not None and number is not None:
        fields.problem("sizeUsd", "and a quantity are both there; send one of them")
    if cash is not None:
        return _made(fields, cash, QuantityKind.cash)
    if risk:
        return _of_risk(fields, number, risk)
    if number is None or (not number.value and intent in _CLOSES):
        return None
    return _made(fields, number, _kind(fields, number, kinds, intent))


def _kind(
    fields: Fields, number: Number, said: list[tuple[str, Any]], intent: Intent
) -> QuantityKind:
    part = (
        QuantityKind.percent_of_position
        if intent in _OF_POSITION
        else QuantityKind.percent_of_equity
    )
    kinds: set[QuantityKind] = set()
    for name, value in said:
        try:
            kinds.add(kind_of(value) or part)
        except Unreadable as error:
            fields.problem(name, str(error))
    if len(kinds) > 1:
        fields.problem(said[0][0], f"and {said[1][0]} contradict each other")
    if number.percent:
        if kinds & {QuantityKind.cash}:
            fields.problem(said[0][0], "contradicts the percent sign of the quantity")
        return next(iter(kinds - {QuantityKind.shares}), part)
    return next(iter(kinds), QuantityKind.shares)


def _of_risk(fields: Fields, number: Number | None, risk: Decimal) -> Quantity | None:
    if number is not None and number.value:
        fields.problem("risk_percentage", "and a quantity are both there; send one of them")
    fields.warn(
        "risk_percentage was read as that share of the account's worth, not as the loss at the "
        "stop."
    )
    return _made(fields, Number(risk), QuantityKind.percent_of_equity)


def _made(fields: Fields, number: Number, kind: QuantityKind) -> Quantity | None:
    largest = {
        QuantityKind.percent_of_position: _WHOLE,
        QuantityKind.percent_of_equity: _LARGEST_PERCENT,
    }.get(kind)
    if number.value <= 0:
        fields.problem("quantity", "must be more than 0; which way is said by the action")
        return None
    if largest is not None and number.value > largest:
        fields.problem("quantity", f"must be at most {largest} percent")
        return None
    return Quantity(amount=number.value, kind=kind)


def multiplied(value: Any, factor: Any) -> Any:
    """Return a size times the multiplier of one account. Raises Unreadable."""
    times = read_number(factor)
    if times.percent or times.value <= 0:
        raise Unreadable("must be a number more than 0")
    number = read_number(value)
    product = plain(CONTEXT.multiply(number.value, times.value))
    return f"{product:f}%" if number.percent else product
