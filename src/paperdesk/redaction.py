"""What a secret looks like in a text, and taking it out: for logs and for the audit trail."""

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

_OWN: Final = re.compile(
    rb"\b(?:pd_[0-9A-Za-z]{10}_[0-9A-Za-z_-]{43}_[0-9A-Za-z]{6}|whsec_[0-9a-f]{64})"
)


def own_secrets(raw: bytes) -> list[str]:
    """Return the desk's own keys and signing secrets that stand in a body, wherever they stand."""
    return [found.decode() for found in _OWN.findall(raw)]


def without_secrets(text: str) -> str:
    """Return a text with what looks like a secret taken out."""
    return _SECRET.sub(_redacted, text)


def _redacted(found: re.Match[str]) -> str:
    return (found["kept"] or "") + REDACTED
