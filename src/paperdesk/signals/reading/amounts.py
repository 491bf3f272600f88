"""Numbers as alerts write them: JSON numbers, strings of digits, percentages."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import PlainSerializer

LARGEST: Final = Decimal(1_000_000_000)
PLACES: Final = Decimal("0.000000001")
CONTEXT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_LONGEST: Final = 64
_FARTHEST: Final = 64
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[+-]?[0-9]+,[0-9]+")
_NOTHING: Final = frozenset({"", "nan", "na", "n/a", "null", "none", "undefined"})

ExactDecimal = Annotated[
    Decimal, PlainSerializer(lambda value: format(value, "f"), when_used="json")
]


class Unreadable(ValueError):
    """A value that cannot be read; the message says what it must be."""


class Blank(Unreadable):
    """A value that is not there, although its field is: a placeholder that came out empty."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, and whether it was written with a percent sign."""

    value: Decimal
    percent: bool = False


def plain(value: Decimal) -> Decimal:
    """Return the same number to 9 places, without an exponent and without trailing zeros."""
    rounded = value.quantize(PLACES, ROUND_HALF_EVEN, CONTEXT)
    if not rounded:
        return Decimal(0)
    shortest = rounded.normalize(CONTEXT)
    return shortest.quantize(Decimal(1)) if shortest == shortest.to_integral_value() else shortest


def read_number(value: Any) -> Number:
    """Return the number that a JSON value is, or that a string says. Never a float.

    Raises Blank for what is empty or NaN, Unreadable for what is no number of a size that the desk
    can handle.
    """
    text = _text_of(value)
    percent = text.endswith("%")
    if percent:
        text = text[:-1].strip()
    if _GROUPED.fullmatch(text):
        raise Unreadable("must have no thousands separators: write 1000.5, not 1,000.5")
    if len(text) > _LONGEST:
        raise Unreadable("is too long for a number")
    if not _NUMBER.fullmatch(text):
        raise Unreadable("must be a number such as 10 or 0.5")
    try:
        number = Decimal(text)
    except InvalidOperation as error:  # pragma: no cover - the pattern allows none
        raise Unreadable("must be a number such as 10 or 0.5") from error
    if number and (abs(number.adjusted()) > _FARTHEST or abs(number) > LARGEST):
        raise Unreadable("must be at most 1000000000")
    return Number(plain(number) if number else Decimal(0), percent)


def _text_of(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise Unreadable("must be a number, or a string of digits such as 10 or 0.5")
    text = str(value).strip()
    if "{{" in text:
        raise Unreadable("has a placeholder that was not filled in")
    if text.lower() in _NOTHING:
        raise Blank("is empty; its placeholder had no value")
    return text
