"""Keeping secrets out of the audit trail, whoever put them into a line by mistake.

What is written is looked over as a whole first, by one expression: nearly always there is nothing.
"""

import re
from typing import Any, Final, cast

import msgspec

REDACTED: Final = "[redacted]"

_NAME: Final = re.compile(
    r"(?:token|secret|password|passwd|passphrase|credential|authorization|cookie|signature|bearer)"
    r"|(?:^|[_-]|[aA]pi)[kK]eys?(?:$|[_-](?:hash|secret|value))",
    re.IGNORECASE,
)
"""Names of what is a secret; `key_id` or `token_id` is none."""

_HARMLESS: Final = re.compile(r"(?:_id|_ids|_name|_version|_count|_at)$", re.IGNORECASE)

_VALUE: Final = re.compile(
    # The desk's own keys; their first characters alone, which tell keys apart, may be shown.
    r"\bpd_[A-Za-z0-9_-]{16,}"
    r"|(?<=/hooks/)[^\s\"'?#/]+"
    r"|(?<=[?&]token=)[^\s\"'&#]+"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    # 240 random bits and more as base64: webhook tokens are such.
    r"|(?<![A-Za-z0-9_-])(?=[a-z0-9_-]*[A-Z])(?=[A-Z0-9_-]*[a-z])[A-Za-z0-9_-]{40,}"
)

_SUSPECT: Final = re.compile(
    r"token|secret|passw|passphrase|credential|authorization|cookie|signature|bearer|key|pd_"
    r"|/hooks/|[A-Za-z0-9_-]{40}",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """Return a text with what looks like a secret taken out."""
    return _VALUE.sub(REDACTED, text) if _SUSPECT.search(text) else text


def without_secrets_in(encoded: bytes) -> str:
    """Return a JSON text without what looks like a secret, or stands under such a name."""
    text = encoded.decode()
    if _SUSPECT.search(text) is None:
        return text
    return msgspec.json.encode(_cleaned(msgspec.json.decode(encoded))).decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _VALUE.sub(REDACTED, value)
    if isinstance(value, list):
        return [_cleaned(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {
            without_secrets(name): REDACTED
            if inner is not None and _is_secret(name)
            else _cleaned(inner)
            for name, inner in cast("dict[str, Any]", value).items()
        }
    return value


def _is_secret(name: str) -> bool:
    return bool(_NAME.search(name)) and not _HARMLESS.search(name)
