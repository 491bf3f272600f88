"""Ids made by the application: UUID version 7 as text (RFC 9562, section 5.7), or version 8."""

import hashlib
import os
import threading
import time
from typing import Final

LONGEST = 36
"""Characters of an id at the most."""

_lock = threading.Lock()
_last = 0
_RANDOM = (1 << 74) - 1
_LOW = (1 << 62) - 1


def may_be_an_id(text: str, longest: int = LONGEST) -> bool:
    """Say whether a text that somebody sent can be an id, and a database be asked for it."""
    return len(text) <= longest and text.isascii() and text.isprintable()


def new_id() -> str:
    """Return a UUIDv7: 48 bits of Unix milliseconds, then random bits.

    Ids made by one process sort in the order they were made, also within one millisecond and when
    the machine's clock is set back: the 74 free bits of the last id are then counted up.
    """
    global _last  # noqa: PLW0603 - a process-wide counter is what makes ids monotonic
    milliseconds = time.time_ns() // 1_000_000
    with _lock:
        if milliseconds > _last >> 74:
            _last = (milliseconds << 74) | (int.from_bytes(os.urandom(10)) & _RANDOM)
        else:
            _last += 1
        value = _last
    high, low = value >> 62, value & _LOW
    number = ((high >> 12) << 80) | (0x7 << 76) | ((high & 0xFFF) << 64) | (0b10 << 62) | low
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_of(text: str) -> str:
    """Return the UUIDv8 of a text (RFC 9562, section 5.8): always the same of the same text."""
    return uuid_of_digits(hashlib.sha256(text.encode()).hexdigest(), 8)


def uuid_of(bits: int, version: int) -> str:
    """Return 128 bits as a UUID, six of them replaced by the version and the variant."""
    return uuid_of_digits(f"{bits:032x}", version)


def uuid_of_digits(digits: str, version: int) -> str:
    """Return the UUID of the first 32 of some hexadecimal digits, as `uuid_of` does of bits."""
    d, variant = digits, _VARIANTS[digits[16]]
    return f"{d[:8]}-{d[8:12]}-{version}{d[13:16]}-{variant}{d[17:20]}-{d[20:32]}"


_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
