"""A row's data, made such that every database keeps them. Pure."""

import hashlib
from decimal import Decimal
from typing import Any, Final, cast

from paperdesk.db.exact_json import written

MOST_FIELDS: Final = 256
LONGEST_VALUE: Final = 1024
_LARGEST_POWER: Final = 64


def storable(value: Any) -> Any:
    """Return a row as it is kept: a flat object, or a plain value but null, of bounded size.

    What is nested in it is kept as its JSON text: no row of any kind has such, so it fails anyway.
    """
    if isinstance(value, dict):
        fields = list(cast("dict[str, Any]", value).items())[:MOST_FIELDS]
        return {_text(name): _plain(inner) for name, inner in fields}
    # A column of JSON that says nothing would be NULL.
    return "" if value is None else _plain(value)


def checksum(data: Any) -> str:
    """Return the SHA-256 of a row's data."""
    ordered = dict(sorted(cast("dict[str, Any]", data).items())) if isinstance(data, dict) else data
    return hashlib.sha256(written(ordered).encode()).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else _text(str(value))
        case Decimal():
            return value if abs(value.adjusted()) < _LARGEST_POWER else _text(str(value))
        case str():
            return _text(value)
        case _:
            try:
                return _text(str(value))
            except RecursionError:
                return "nested"


def _text(text: str) -> str:
    """Return text without what PostgreSQL takes in no JSON: NUL and halves of a pair."""
    cut = text[:LONGEST_VALUE].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return cut.encode("utf-8", "replace").decode()
