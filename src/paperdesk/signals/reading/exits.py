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
_PRICES: Final = ("price", "stopprice", "triggerprice")
_TRAIL_PERCENTS: Final = ("trailpercent",)
_TRAIL_PRICES: Final = ("trailamount", "trailprice")
_MEASURES: Final = frozenset(
    {*_PRICES, *_TRAIL_PERCENTS, *_TRAIL_PRICES, "limitprice", "percent", "amount"}
)
_EXIT_TYPES: Final = frozenset({"stop", "stoplimit", "trailingstop", "limit", "market"})


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
            found += _Spelled(fields, name, cast("dict[str, Any]", value)).exits(names)
        elif (number := _positive(fields, name, value)) is not None:
            found.append(_either(number, in_points=in_points))
    found += [Exit(price=each) for each in _all(fields, names.price)]
    found += [Exit(percent=each) for each in _all(fields, names.percent)]
    found += [Exit(amount=each, amount_of="total") for each in _all(fields, names.dollars)]
    if any(each != found[0] for each in found):
        fields.problem(names.either[0], "is said in several ways that differ; send one of them")
    return found[0] if found else None


def _all(fields: Fields, names: tuple[str, ...]) -> list[Decimal]:
    numbers = (_positive(fields, name, value) for name, value in fields.values(*names))
    return [number.value for number in numbers if number is not None]


def _either(number: Number, *, in_points: bool) -> Exit:
    if number.percent:
        return Exit(percent=number.value)
    if in_points:
        return Exit(amount=plain(number.value * _POINT), amount_of="share")
    return Exit(price=number.value)


class _Spelled:
    """An object such as {"type": "stop_limit", "stopPrice": 95, "limitPrice": 94}."""

    def __init__(self, fields: Fields, name: str, said: Mapping[str, Any]) -> None:
        self._fields = fields
        self._name = name
        self._kind = ""
        self._members: dict[str, Decimal] = {}
        for inner, value in said.items():
            self._read(inner, value)

    def _read(self, inner: str, value: Any) -> None:
        folded, name = fold(inner), f"{self._name}.{inner}"
        if folded in _MEASURES:
            number = None if value is None else _positive(self._fields, name, value)
            if number is None:
                return
            if number.percent and folded not in {"percent", "trailpercent"}:
                self._fields.problem(name, "must be a price, without a percent sign")
            if self._members.setdefault(folded, number.value) != number.value:
                self._fields.problem(name, "is said twice, differently")
        elif folded == "type":
            self._kind = fold(value) if isinstance(value, str) else "?"
            if self._kind not in _EXIT_TYPES:
                self._fields.problem(name, "must be stop, stop_limit or trailing_stop")
        elif value not in (None, "", False):
            self._fields.warn(f"Not acted on: {name[:128]}.")

    def exits(self, names: _Names) -> list[Exit]:
        """Return the exits that it names. More than one is for the caller to complain of."""
        members = self._members
        limit = None if names is _GAIN else members.get("limitprice")
        if names is _LOSS and self._kind == "stoplimit" and limit is None:
            self._fields.problem(f"{self._name}.limitPrice", "is needed for a stop_limit")
        prices = [members[key] for key in _PRICES if key in members]
        if names is _GAIN and "limitprice" in members:
            prices.append(members["limitprice"])
        made = [Exit(price=price, limit_price=limit) for price in prices]
        if "percent" in members:
            made.append(Exit(percent=members["percent"], limit_price=limit))
        if "amount" in members:
            amount = members["amount"]
            made.append(Exit(amount=amount, amount_of="share", limit_price=limit))
        made += [Exit(trail_percent=members[key]) for key in _TRAIL_PERCENTS if key in members]
        made += [Exit(trail_price=members[key]) for key in _TRAIL_PRICES if key in members]
        return made or ([] if limit is None else [Exit(price=limit)])


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
