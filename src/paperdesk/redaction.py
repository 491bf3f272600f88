"""What a secret looks like, and what it is called: for logs, the audit trail and what comes in."""

import re
from typing import Final

REDACTED: Final = "[redacted]"

_SECRET: Final = re.compile(
    # The desk's own keys; their first characters alone, which tell keys apart, may be shown.
    r"\bpd_[A-Za-z0-9_-]{16,}"
    # What senders sign with.
    r"|\bwhsec_[0-9a-f]{16,}"
    r"|(?<=/hooks/)[^\s\"'?#/]+"
    r"|(?<=[?&]token=)[^\s\"'&#]+"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    # A password in an address, such as the database's.
    r"|(?P<kept>://[^\s/:@\"']*:)[^\s/@\"']+(?=@)"
    # 240 random bits and more as base64: webhook tokens are such.
    r"|(?<![A-Za-z0-9_-])(?=[a-z0-9_-]*[A-Z])(?=[A-Z0-9_-]*[a-z])[A-Za-z0-9_-]{40,}"
)

NAMED_BY: Final = (
    *("secret", "pass", "pwd", "token", "key", "auth", "pin", "credential", "bearer", "cookie"),
    *("signature", "license"),
)
"""What the name of every secret has in it, in small letters: to see quickly where there is none."""

_LONG_NAME: Final = re.compile(
    r"password|passwd|passphrase|passcode|secret|credential|authorization|bearer|cookie"
    r"|(?:pwd|token|signature|(?:api|access|private|auth|pass)key|pincode|licenseid)"
    r"s?(?:hash|value)?[0-9]*$"
)
"""What is no part of any other word, so that spaces and capitals do not matter."""

_WHOLE_WORDS: Final = re.compile(
    r"(?:(?:^|(?<!low)(?<!high)(?<!band)_)pass|(?:^|_)(?:o?auth|pin)"
    r"|(?:^|(?:^|_)(?:api|access|private|master|signing|encryption|session|client|consumer|license"
    r"|webhook|bot|token)_)keys?)"
    r"(?:_(?:hash|value|code|header|key))?(?:_?[0-9]+)?$"
)
"""What is a secret as a word of its own: not in `spin`, `author`, `bypass`, `idempotency_key`."""

_NO_SECRET: Final = re.compile(r"(?:(?<!license)_ids?|_(?:name|version|count|at|required))$")
_BEFORE_A_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS: Final = re.compile(r"[^A-Za-z0-9]+")

_OWN: Final = re.compile(
    rb"\b(?:pd_[0-9A-Za-z]{10}_[0-9A-Za-z_-]{43}_[0-9A-Za-z]{6}|whsec_[0-9a-f]{64})"
)


def own_secrets(raw: bytes) -> list[str]:
    """Return the desk's own keys and signing secrets that stand in a body, wherever they stand."""
    return [found.decode() for found in _OWN.findall(raw)]


def names_a_secret(name: str) -> bool:
    """Say whether a field of this name holds what nobody may see."""
    words = _BETWEEN_WORDS.sub("_", _BEFORE_A_WORD.sub("_", name)).strip("_").lower()
    if _NO_SECRET.search(words):
        return False
    return bool(_LONG_NAME.search(words.replace("_", "")) or _WHOLE_WORDS.search(words))


def without_secrets(text: str) -> str:
    """Return a text with what looks like a secret taken out."""
    return _SECRET.sub(_redacted, text)


def _redacted(found: re.Match[str]) -> str:
    return (found["kept"] or "") + REDACTED
