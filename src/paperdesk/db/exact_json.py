"""JSON columns that keep numbers as they are: what is not whole is a Decimal, never a float."""

import json
from decimal import Decimal
from typing import Any, Final

import msgspec

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = json.JSONDecoder(parse_float=Decimal)


def written(value: Any) -> str:
    """Return the JSON text of a value, its decimals as numbers, digit for digit."""
    return _encoder.encode(value).decode()


def read(stored: str | bytes | float) -> Any:
    """Return the value of a JSON text; SQLite keeps the text of a bare number as the number."""
    if isinstance(stored, (int, float)):
        return stored if isinstance(stored, int) else Decimal(repr(stored))
    return _decoder.decode(stored if isinstance(stored, str) else stored.decode())


EXACTLY: Final[dict[str, Any]] = {"json_serializer": written, "json_deserializer": read}
"""The options of an engine whose JSON columns are exact."""
