"""Keeping secrets out of the audit trail, whoever put them into a line by mistake.

What is written is looked over as a whole first: nearly always there is nothing.
"""

from typing import Any, Final, cast

import msgspec

from paperdesk.redaction import NAMED_BY, REDACTED, names_a_secret, without_secrets

_SIGNS: Final = (
    *(sign.encode() for sign in NAMED_BY),
    *(b"pd_", b"whsec_", b"://", b"/hooks/"),
)
_OF_A_SECRET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_APART: Final = bytes(byte if byte in _OF_A_SECRET else 32 for byte in range(256))
_LONG: Final = 40


def without_secrets_in(encoded: str) -> str:
    """Return a JSON text without what looks like a secret, or stands under such a name."""
    return msgspec.json.encode(_cleaned(msgspec.json.decode(encoded))).decode()


def may_hold_secrets(text: str) -> bool:
    """Say whether a text, of many lines at once, has to be looked at more closely.

    By plain searches, which take a tenth of an expression's time.
    """
    encoded = text.encode()
    lower = encoded.lower()
    if any(sign in lower for sign in _SIGNS):
        return True
    words = encoded.translate(_APART).split()
    # Small letters alone are an id or a hash, which stand in every line.
    return any(len(word) >= _LONG and not word.islower() for word in words)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {
            without_secrets(name): REDACTED
            if inner is not None and names_a_secret(name)
            else _cleaned(inner)
            for name, inner in cast("dict[str, Any]", value).items()
        }
    return value
