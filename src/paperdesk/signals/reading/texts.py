"""Text from outside is data: it is cleaned and cut, and never changes what an alert means."""

import hashlib
import re
import unicodedata
from decimal import Decimal
from typing import Any, Final

LONGEST: Final = 1024
_LONGEST_ID: Final = 255
_SPACES: Final = re.compile(r"\s+")
_OTHERS: Final = re.compile(r"[^A-Za-z0-9]+")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(value: Any, longest: int = LONGEST) -> str | None:
    """Return a text on one line without control and direction characters; None where none is."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    # What is cut off need not be looked at: a hidden character is at most one in two or three.
    spaced = _SPACES.sub(" ", str(value)[: 4 * longest])
    kept = "".join(each for each in spaced if unicodedata.category(each) not in _HIDDEN)
    return kept.strip()[:longest].strip() or None


def harmless(text: str) -> str:
    """Return a text that every database can keep: without NUL and without lone surrogates."""
    if "\0" not in text and text.isascii():
        return text
    return "".join(
        "\ufffd" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in text
    )


def identity(value: Any) -> str | None:
    """Return the id that a sender gives an alert: itself, or its hash where it must be changed.

    Two ids that differ stay different, which cutting and cleaning would not ensure.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    text = str(value)
    if not text.strip() or "{{" in text:
        return None
    if len(text) <= _LONGEST_ID and clean(text, _LONGEST_ID) == text:
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def fold(name: str) -> str:
    """Return a name or a word as it is compared: `Limit_Price` and `limitPrice` are the same."""
    return _OTHERS.sub("", name).lower()
