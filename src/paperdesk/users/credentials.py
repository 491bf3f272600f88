"""What a key looks like, and how it comes with a request.

`pd_<key id>_<secret>_<checksum>`. The parts have fixed lengths, because the secret, in base64url,
may have `_` and `-` itself. The checksum makes a key that leaked findable, and a mistyped one cost
no look into the database.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY_ID_LENGTH: Final = 10
_SECRET_BYTES: Final = 32
_CHECKSUM_LENGTH: Final = 6
_KEY_ID: Final = re.compile(r"[0-9A-Za-z]{10}")
_SECRET: Final = re.compile(r"[0-9A-Za-z_-]{43}")
_KEY: Final = re.compile(r"(pd_([0-9A-Za-z]{10})_([0-9A-Za-z_-]{43}))_([0-9A-Za-z]{6})")


@dataclass(frozen=True, slots=True)
class Credential:
    """A key id and the secret that comes with it. Never shows the secret by itself."""

    key_id: str
    secret: str = field(repr=False)

    @property
    def key(self) -> str:
        """The key as its owner keeps it."""
        text = f"pd_{self.key_id}_{self.secret}"
        return f"{text}_{_checksum(text)}"

    @property
    def secret_hash(self) -> str:
        """The SHA-256 of the secret: 256 random bits need no slow hash."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


class Unusable(Enum):
    """Where a request brings something, but nothing that could be a key."""

    unusable = "unusable"


UNUSABLE: Final = Unusable.unusable


def new_credential() -> Credential:
    """Return a credential that nobody has seen before."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_ID_LENGTH))
    return Credential(key_id, secrets.token_urlsafe(_SECRET_BYTES))


def parse(text: str) -> Credential | None:
    """Return the credential in a key; None where it is none, or has the wrong checksum."""
    found = _KEY.fullmatch(text)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return Credential(found[2], found[3])


def given(headers: Iterable[tuple[bytes, bytes]]) -> Credential | Unusable | None:
    """Return the credential that a request brings; None where it brings none.

    It comes as `Authorization: Bearer`, or as the pair of headers of Alpaca's clients. A request
    with two different ones is nobody's. Another scheme of Authorization is a proxy's own affair.
    """
    found: set[Credential | None] = set()
    key_ids: set[str] = set()
    parts: set[str] = set()
    for name, value in headers:
        match name:
            case b"authorization":
                scheme, _, text = value.decode("latin-1").strip().partition(" ")
                if scheme.lower() == "bearer":
                    found.add(parse(text.strip()))
            case b"apca-api-key-id":
                key_ids.add(value.decode("latin-1").strip())
            case b"apca-api-secret-key":
                parts.add(value.decode("latin-1").strip())
            case _:
                pass
    if key_ids or parts:
        found.add(_pair(key_ids, parts))
    if not found:
        return None
    return found.pop() or UNUSABLE if len(found) == 1 else UNUSABLE


def _pair(key_ids: set[str], parts: set[str]) -> Credential | None:
    if len(key_ids) != 1 or len(parts) != 1:
        return None
    key_id, secret = key_ids.pop(), parts.pop()
    if not (_KEY_ID.fullmatch(key_id) and _SECRET.fullmatch(secret)):
        return None
    return Credential(key_id, secret)


def _checksum(text: str) -> str:
    """Return the CRC-32 of a text in six digits of base 62."""
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
