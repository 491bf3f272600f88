"""HMAC for senders of our own: who signs a delivery knows the webhook's secret.

A sender that can set headers signs `v1:<timestamp>:<raw body>` with HMAC-SHA256 and sends

    X-Paperdesk-Timestamp: 1795212345
    X-Paperdesk-Signature: v1=<64 hex digits>

Several signatures, separated by commas, may be sent while a secret is rotated. The secret of a
webhook is derived from a secret of the desk, so that neither the database nor a copy of it holds
one. The timestamp is in Unix seconds and at most five minutes from the desk's clock.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from paperdesk.errors import InvalidState, Unauthenticated
from paperdesk.models import Webhook

TIMESTAMP: Final = "x-paperdesk-timestamp"
SIGNATURE: Final = "x-paperdesk-signature"
TOLERANCE: Final = timedelta(seconds=300)
_VERSION: Final = "v1"
_LONGEST_TIMESTAMP: Final = 12
_MOST_SIGNATURES: Final = 8
_REFUSAL: Final = (
    "The signature of this delivery is missing, old or wrong. Sign v1:<timestamp>:<body> with the "
    "webhook's secret and send X-Paperdesk-Timestamp and X-Paperdesk-Signature. The timestamp is "
    "in Unix seconds and counts for 300 of them: check the sender's clock."
)


class Signer:
    """Derives the secrets of webhooks from the desk's own, and checks what was signed with them."""

    def __init__(self, secret: SecretStr | None, key_file: Path | None) -> None:
        """`secret` is a setting; else `key_file`, made when needed, keeps one."""
        self._secret = secret.get_secret_value().encode() if secret else None
        self._key_file = key_file

    def secret_of(self, webhook_id: str, version: int) -> str:
        """Return the secret that senders sign with. Raises InvalidState where the desk has none."""
        text = f"webhook:{webhook_id}:{version}".encode()
        digest = hmac.digest(self._desk_secret(), text, "sha256")
        return f"whsec_{digest.hex()}"

    def check(
        self, webhook: Webhook, headers: tuple[str | None, str | None], raw: bytes, now: datetime
    ) -> None:
        """Raise Unauthenticated unless the timestamp and signature headers fit the raw body."""
        timestamp, signatures = headers
        if timestamp is None or signatures is None or not _is_near(timestamp, now):
            raise Unauthenticated(_REFUSAL)
        versions = [webhook.signing_version]
        if webhook.previous_until is not None and now < webhook.previous_until:
            versions.append(webhook.signing_version - 1)
        signed = f"{_VERSION}:{timestamp}:".encode() + raw
        given = [each.strip().encode() for each in signatures.split(",")[:_MOST_SIGNATURES]]
        fits = False
        for version in versions:
            key = self.secret_of(webhook.id, version).encode()
            expected = f"{_VERSION}={hmac.new(key, signed, hashlib.sha256).hexdigest()}".encode()
            for each in given:
                fits |= hmac.compare_digest(each, expected)
        if not fits:
            raise Unauthenticated(_REFUSAL)

    def _desk_secret(self) -> bytes:
        if self._secret is None:
            if self._key_file is None:
                raise InvalidState(
                    "Signing needs a secret of the desk that all its processes share. Set "
                    "PAPERDESK_SECRET to 32 or more random characters and start them again."
                )
            self._secret = _kept_in(self._key_file)
        return self._secret


def _kept_in(path: Path) -> bytes:
    """Return the secret that a file keeps, and make the file where there is none."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
    return path.read_bytes().strip()


def _is_near(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()
