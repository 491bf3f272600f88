"""Take profit and stop loss, as objects, as prices, in percent and in dollars."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

from paperdesk.signals.reading.amounts import Blank, Number, Unreadable, plain, read_number
from paperdesk.signals.reading.fields import BLANK, Fields
from paperdesk.signals.reading.model import Exit
from paperdesk.signals.reading.texts import fold

_WHOLE: Final = Decimal(100)
_LARGEST_PERCENT: Final = Decimal(10_000)
_POINT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Names:
    either: tuple[str, ...]
    """A price, or a percentage where it has the sign; or an object."""
    price: tuple[str, ...]
    percent: tuple[str, ...]
    dollars: tuple[str, ...]


_GAIN: Final = _Names(
    either=("takeprofit", "tp"),
    price=("takeprofitprice", "tpprice", "tpp"),
    percent=("percentagetp", "takeprofitpercent", "tppercent"),
    dollars=("dollartp",),
)
_LOSS: Final = _Names(
    either=("stoploss", "sl"),
    price=("stoplossprice", "slprice", "slp"),
    percent=("percentagesl", "stoplosspercent", "slpercent"),
    dollars=("dollarsl",),
)
_PRICES: Final = {"price", "limitprice", "stopprice", "triggerprice"}
_TRAILS: Final = {
    "trailpercent": "trail_percent",
    "trailamount": "trail_price",
    "trailprice": "trail_price",
}


def take_profit(fields: Fields, *, in_points: bool = False) -> Exit | None:
    """Return where a gain is taken. 0 and empty mean nowhere."""
    return _exit(fields, _GAIN, in_points=in_points)


def stop_loss(fields: Fields, *, in_points: bool = False) -> Exit | None:
    """Return where a loss is cut. 0 and empty mean nowhere."""
    found = _exit(fields, _LOSS, in_points=in_points)
    if found is not None and max(found.percent or 0, found.trail_percent or 0) >= _WHOLE:
        fields.problem("stop_loss", "must be less than 100 percent away")
    return found


def _exit(fields: Fields, names: _Names, *, in_points: bool) -> Exit | None:
    found: list[Exit] = []
    for name, value in fields.values(*names.either):
        if isinstance(value, dict):
            found += _of_object(fields, name, cast("dict[str, Any]", value), names)
        elif (number := _positive(fields, name, value)) is not None:
            found.append(_either(number, in_points=in_points))
    for name, value in fields.values(*names.price):
        if (number := _positive(fields, name, value)) is not None:
            found.append(Exit(price=number.value))
    for name, value in fields.values(*names.percent):
        if (number := _positive(fields, name, value)) is not None:
            found.append(Exit(percent=number.value))
    for name, value in fields.values(*names.dollars):
        if (number := _positive(fields, name, value)) is not None:
            found.append(Exit(amount=number.value, amount_of="total"))
    if any(each != found[0] for each in found):
        fields.problem(names.either[0], "is said in several ways that differ; send one of them")
    return found[0] if found else None


def _either(number: Number, *, in_points: bool) -> Exit:
    if number.percent:
        return Exit(percent=number.value)
    if in_points:
        return Exit(amount=plain(number.value * _POINT), amount_of="share")
    return Exit(price=number.value)


def _of_object(fields: Fields, name: str, said: Mapping[str, Any], names: _Names) -> list[Exit]:
    """Read an object such as {"type": "stop_limit", "stopPrice": 95, "limitPrice": 94}."""
    members: dict[str, Decimal] = {}
    for inner, value in said.items():
        folded = fold(inner)
        if folded in {*_PRICES, *_TRAILS, "percent", "amount"}:
            number = None if value is None else _positive(fields, f"{name}.{inner}", value)
            if number is not None:
                if number.percent and folded != "percent":
                    fields.problem(f"{name}.{inner}", "must be a price, without a percent sign")
                members[folded] = number.value
        elif folded == "type":
            if fold(str(value)) not in {"stop", "stoplimit", "trailingstop", "limit", "market"}:
                fields.problem(f"{name}.type", "must be stop, stop_limit or trailing_stop")
        elif value not in (None, "", False):
            fields.warn(f"Not acted on: {name}.{inner[:64]}.")
    gains = names is _GAIN
    limit = None if gains else members.pop("limitprice", None)
    made = [Exit(price=members[key], limit_price=limit) for key in sorted(_PRICES & members.keys())]
    if "percent" in members:
        made.append(Exit(percent=members["percent"], limit_price=limit))
    if "amount" in members:
        made.append(Exit(amount=members["amount"], amount_of="share", limit_price=limit))
    made += [
        Exit.model_validate({field: members[key]})
        for key, field in _TRAILS.items()
        if key in members
    ]
    if limit is not None and not made:
        made.append(Exit(price=limit))
    if any(fold(inner) == "type" and fold(str(v)) == "stoplimit" for inner, v in said.items()):
        if limit is None and not gains:
            fields.problem(f"{name}.limitPrice", "is needed for a stop_limit")
    return made


def _positive(fields: Fields, name: str, value: Any) -> Number | None:
    try:
        if value is BLANK:
            fields.problem(name, "is empty; its placeholder had no value")
            return None
        number = read_number(value)
    except Blank:
        return None
    except Unreadable as error:
        fields.problem(name, str(error))
        return None
    if number.value < 0:
        fields.problem(name, "must be more than 0")
    elif number.percent and number.value > _LARGEST_PERCENT:
        fields.problem(name, "must be at most 10000 percent")
    return number if number.value > 0 else None
