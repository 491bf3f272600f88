"""Numbers as brokers write them: decimal marks, thousands, signs, currencies. Never a float."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from paperdesk.imports.model import Code, DecimalMark, Question, Unreadable
from paperdesk.ledger.booking import EXACT, LARGEST_AMOUNT, PRICE_PLACES

Number = tuple[Decimal | None, str | None]
"""A number, None for a dash and the like, and the currency that stands in it, if one does."""

_BLANKS: Final = frozenset({"", "-", "--", "—", "n/a", "N/A", "null"})
_PLAIN: Final = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
"""What needs neither rounding nor a check of its size."""
_DRESSED: Final = re.compile(
    r"(?P<open>\()?@?(?P<sign>[-+\u2212]?) ?(?P<before>US\$|C\$|CA\$|A\$|[$€£¥]|[A-Za-z]{3})?"
    r"[ \u00a0]?(?P<inner>[-+\u2212]?)"
    r"(?P<digits>[0-9.,'\u2019 \u00a0\u202f]*[0-9.,])(?P<exponent>[eE][-+]?[0-9]{1,2})?"
    r"[ \u00a0]?(?P<after>[$€£¥]|[A-Za-z]{3})?(?P<last>-?)(?P<close>\))?"
)
_SYMBOLS: Final = {
    "US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "€": "EUR", "£": "GBP", "¥": "JPY",
    "$": None,
}  # fmt: skip
_MINUS: Final = "\u2212"
_MARKS: Final = re.compile(r"[.,]")
_GROUPED: Final = {
    mark: re.compile(
        rf"[0-9]{{1,3}}(?P<group>[{other}'\u2019 \u00a0\u202f])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
        rf"(?:\{mark}[0-9]*)?|[0-9]+(?:\{mark}[0-9]*)?|\{mark}[0-9]+"
    )
    for mark, other in ((".", ","), (",", "."))
}
_ZERO: Final = Decimal(0)
_LONGEST: Final = 64
_REMEMBERED: Final = 1 << 16
_DIGITS_OF_A_GROUP: Final = 3


class Numbers:
    """Reads the numbers of one file. Without a decimal mark it takes the first that is certain."""

    def __init__(self, mark: DecimalMark | None) -> None:
        self.mark: DecimalMark | None = mark
        self.read = lru_cache(_REMEMBERED)(self._read)

    def _read(self, text: str) -> Number:
        """Return what a text says. Raises Unreadable where it is no number."""
        if _PLAIN.fullmatch(text) and (self.mark == "." or "." not in text):
            return Decimal(text.rstrip("0").rstrip(".") if "." in text else text) or _ZERO, None
        if text in _BLANKS:
            return None, None
        match = _DRESSED.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None or (match["open"] is None) != (match["close"] is None):
            raise Unreadable(Code.NUMBER, f"{text[:_LONGEST]!r} is no number")
        signs = [match["sign"], match["inner"], match["last"]]
        if sum(map(bool, signs)) + bool(match["open"]) > 1 or (match["before"] and match["after"]):
            raise Unreadable(Code.NUMBER, f"{text!r} is no number")
        digits = self._digits(match["digits"].strip(), text)
        value = _within(Decimal(digits + (match["exponent"] or "")), text)
        negative = match["open"] or "-" in signs or _MINUS in signs
        currency = match["before"] or match["after"]
        if currency is not None:
            currency = _SYMBOLS.get(currency, currency)
        return (-value if negative and value else value), currency

    def _digits(self, text: str, whole: str) -> str:
        """Return plain digits with a point."""
        found = evidence(text)
        if self.mark is None:
            if found is None and _MARKS.search(text):
                raise Unreadable(
                    Code.DECIMAL_MARK, f"{whole!r} can mean two numbers; say which decimal mark"
                )
            self.mark = found
        mark = self.mark or "."
        if not _GROUPED[mark].fullmatch(text):
            if found is not None and found != mark:
                raise Unreadable(
                    Code.DECIMAL_MARK, f"{whole!r} has another decimal mark than the other rows"
                )
            raise Unreadable(Code.NUMBER, f"{whole!r} is no number")
        return re.sub(f"[^0-9{mark}]", "", text).replace(mark, ".")


def evidence(text: str) -> DecimalMark | None:
    """Return the decimal mark that a number must have been written with, None if not certain."""
    marks = _MARKS.findall(text)
    if not marks:
        return None
    last: DecimalMark = "." if marks[-1] == "." else ","
    other: DecimalMark = "," if last == "." else "."
    if len(set(marks)) > 1:
        return last
    if len(marks) > 1:
        return other
    before, _, after = text.partition(last)
    whole = before.strip()
    is_group = (
        len(after.strip()) == _DIGITS_OF_A_GROUP
        and 1 <= len(whole) <= _DIGITS_OF_A_GROUP
        and whole != "0"
    )
    return None if is_group else last


def decimal_mark(samples: Iterable[str]) -> DecimalMark | None:
    """Return the decimal mark of a file, None where no number of it has a mark.

    Raises Question where its numbers do not say, or contradict each other.
    """
    found: dict[DecimalMark, str] = {}
    uncertain = None
    for text in dict.fromkeys(samples):
        match = _DRESSED.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            continue
        mark = evidence(match["digits"])
        if mark is not None:
            found.setdefault(mark, text)
        elif uncertain is None and _MARKS.search(match["digits"]):
            uncertain = text
    if len(found) == 1:
        return next(iter(found))
    if found:
        said = f"It has {found['.']} and {found[',']}"
    elif uncertain is not None:
        said = f"{uncertain} can mean two numbers"
    else:
        return None
    raise Question(
        f"Which decimal mark do the numbers of the file have? {said}. Say decimal: '.' or ','.",
        "decimal",
        (".", ","),
    )


def ratio_of(text: str) -> tuple[int, int]:
    """Return new and old shares of a split: `4:1`, `4-for-1`, `4/1`, `4` or `0.1`."""
    parts = re.fullmatch(
        r"([0-9]+(?:\.[0-9]+)?)(?: ?(?::|/|-?for-?|-for-| for ) ?([0-9]+(?:\.[0-9]+)?))?",
        text.strip(),
        re.IGNORECASE,
    )
    if parts is None or len(text) > _LONGEST:
        raise Unreadable(Code.RATIO, f"{text[:_LONGEST]!r} is no ratio such as 4:1")
    new, old = Fraction(parts[1]), Fraction(parts[2] or 1)
    if not new or not old:
        raise Unreadable(Code.RATIO, "must be of two numbers that are more than 0")
    ratio = new / old
    return ratio.numerator, ratio.denominator


def plain(value: Decimal) -> Decimal:
    """Return the number to 9 places, without an exponent and without trailing zeros."""
    rounded = value.quantize(PRICE_PLACES, ROUND_HALF_EVEN, EXACT)
    if rounded == (whole := rounded.to_integral_value()):
        return whole.quantize(Decimal(1), context=EXACT)
    return rounded.normalize(EXACT)


def _within(value: Decimal, text: str) -> Decimal:
    if not -LARGEST_AMOUNT <= value <= LARGEST_AMOUNT:
        raise Unreadable(Code.TOO_LARGE, f"{text[:_LONGEST]!r} is more than 1000000000")
    return plain(value)
