"""Signatures of senders of our own."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from paperdesk.errors import InvalidState, Unauthenticated
from paperdesk.models import Webhook
from paperdesk.signals.signing import Signer

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
BODY = b'{"ticker": "AAPL"}'


def webhook(version: int = 2, previous_until: datetime | None = None) -> Webhook:
    return Webhook(id="w", signing_version=version, previous_until=previous_until)


def signed(secret: str, at: datetime = NOW, body: bytes = BODY) -> tuple[str, str]:
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"v1:{timestamp}:".encode() + body, hashlib.sha256)
    return timestamp, f"v1={digest.hexdigest()}"


@pytest.fixture
def signer() -> Signer:
    return Signer(SecretStr("x" * 32), None)


def test_who_knows_the_secret_is_let_in(signer: Signer) -> None:
    signer.check(webhook(), signed(signer.secret_of("w", 2)), BODY, NOW)


@pytest.mark.parametrize("away", [-301, 301])
def test_old_and_early_signatures_are_refused(signer: Signer, away: int) -> None:
    secret = signer.secret_of("w", 2)
    near = away - 1 if away > 0 else away + 1
    signer.check(webhook(), signed(secret, NOW + timedelta(seconds=near)), BODY, NOW)
    with pytest.raises(Unauthenticated):
        signer.check(webhook(), signed(secret, NOW + timedelta(seconds=away)), BODY, NOW)


def test_what_was_changed_on_the_way_is_refused(signer: Signer) -> None:
    timestamp, signature = signed(signer.secret_of("w", 2))
    for headers, body in (
        ((timestamp, signature), BODY + b" "),
        ((str(int(timestamp) + 1), signature), BODY),
        ((timestamp, signature[:-1] + ("0" if signature[-1] != "0" else "1")), BODY),
        ((timestamp, "v1="), BODY),
        ((timestamp, "v1=ä"), BODY),
        (("١٢٣", signature), BODY),
        (("9" * 400, signature), BODY),
        (("-1", signature), BODY),
        ((None, signature), BODY),
        ((timestamp, None), BODY),
    ):
        with pytest.raises(Unauthenticated):
            signer.check(webhook(), headers, body, NOW)


def test_secret_before_counts_until_its_grace_is_over(signer: Signer) -> None:
    old = signed(signer.secret_of("w", 1))
    until = NOW + timedelta(seconds=1)
    signer.check(webhook(2, until), old, BODY, NOW)
    for over in (webhook(2, NOW), webhook(2, None), webhook(3, until)):
        with pytest.raises(Unauthenticated):
            signer.check(over, old, BODY, NOW)


def test_sender_may_send_both_signatures(signer: Signer) -> None:
    timestamp, new = signed(signer.secret_of("w", 2))
    signer.check(webhook(), (timestamp, f"v1={'0' * 64}, {new}"), BODY, NOW)


def test_each_webhook_and_version_has_a_secret_of_its_own(signer: Signer) -> None:
    secrets = {signer.secret_of(w, v) for w in ("a", "b") for v in (1, 2)}
    assert len(secrets) == 4
    assert Signer(SecretStr("y" * 32), None).secret_of("a", 1) not in secrets


def test_desk_makes_its_own_secret_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "desk.db.key"
    first = Signer(None, path).secret_of("w", 1)
    assert Signer(None, path).secret_of("w", 1) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_desk_of_several_processes_asks_for_a_secret_that_they_share() -> None:
    with pytest.raises(InvalidState, match="PAPERDESK_SECRET"):
        Signer(None, None).secret_of("w", 1)
