"""From a request to the inbox: whose door it is, who may come through, and what is said."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, cast

import structlog

from paperdesk.clock import Clock
from paperdesk.errors import Forbidden, Unauthenticated
from paperdesk.models import Webhook
from paperdesk.redaction import own_secrets
from paperdesk.signals.arriving import Arrival, Element, Stored
from paperdesk.signals.doors import Doors
from paperdesk.signals.inbox import Inbox
from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.dedupe import DedupeKey, dedupe_key
from paperdesk.signals.reading.model import Delivery
from paperdesk.signals.signing import Signer
from paperdesk.signals.terms import taking_of
from paperdesk.users.addresses import Network, client_address, is_in, networks

SLOW_TO_READ: Final = 16 * 1024
"""Bytes from which on a body is read in a thread: the desk goes on meanwhile."""

MOST_SECRETS: Final = 4
"""Secrets of one body that are looked up: whoever sends many is guessing."""

log = structlog.get_logger()

Failed = Callable[[MutableMapping[str, Any]], None]
"""Is told of a request that came with no good token; raises RateLimited after too many."""

MayFail = Callable[[MutableMapping[str, Any]], None]
"""Raises RateLimited where a request with no good token would be one too many; counts nothing."""


class Intake:
    """Takes deliveries: finds their webhook, checks their sender, reads them and keeps them."""

    def __init__(
        self,
        doors: Doors,
        inbox: Inbox,
        signer: Signer,
        clock: Clock,
        rate_per_minute: int,
        trusted: Sequence[Network],
        failed: Failed,
        may_fail: MayFail,
    ) -> None:
        self.doors = doors
        self.signer = signer
        self._inbox = inbox
        self._clock = clock
        self._rate = rate_per_minute
        self._trusted = trusted
        self._failed = failed
        self._may_fail = may_fail

    async def webhook_for(
        self, scope: MutableMapping[str, Any], tokens: Sequence[str], raw: bytes
    ) -> Webhook:
        """Return the webhook that a request is for: its token, else a secret in its body, says so.

        Several tokens that differ open nothing. What costs a stranger one request costs the desk
        few looks; secrets in a body, none where too many wrong ones came from the address.
        Raises Unauthenticated, RateLimited after too many of those, and Forbidden for an address
        that the webhook does not allow.
        """
        named = {token for token in tokens if token}
        webhook = await self.doors.webhook_of(named) if len(named) == 1 else None
        if not tokens:
            self._may_fail(scope)
            secrets = (await _read(raw, {}, ())).secrets
            webhook = await self.doors.webhook_of(secrets[:MOST_SECRETS])
        if webhook is None:
            self._failed(scope)
            raise Unauthenticated("No webhook has this token. Use the one that it was made with.")
        allowed = taking_of(webhook).allowed_addresses
        if allowed is not None:
            address = client_address(scope, self._trusted)
            if address is None or not is_in(address, networks(allowed)):
                raise Forbidden("This webhook takes nothing from your address.")
        return webhook

    async def receive(
        self,
        webhook: Webhook,
        tokens: Sequence[str],
        raw: bytes,
        header_key: str | None,
        signed: tuple[str | None, str | None],
    ) -> list[Stored]:
        """Keep a delivery, and return its signals. Raises Unauthenticated, or as the inbox does."""
        now = self._clock.now()
        taking = taking_of(webhook)
        timestamp: str | None = None
        if taking.signature_required or (webhook.signing_version > 0 and signed[1] is not None):
            self.signer.check(webhook, signed, raw, now)
            timestamp = signed[0]
        delivery = await _read(raw, taking.symbols, tokens)
        elements = elements_of(delivery, header_key, timestamp)
        stored = await self._inbox.receive(Arrival(webhook.id, elements, now, self._rate))
        for each in stored:
            if each.other_body:
                log.warning("signal.other_body", signal=each.signal_id, webhook=webhook.id)
        return stored


async def _read(raw: bytes, symbols: Mapping[str, str], tokens: Sequence[str]) -> Delivery:
    # Whoever puts a key into a note by mistake: it is not kept either.
    tokens = [*tokens, *own_secrets(raw)]
    if len(raw) < SLOW_TO_READ:
        return read_body(raw, symbols=symbols, known_secrets=tokens)
    return await asyncio.to_thread(lambda: read_body(raw, symbols=symbols, known_secrets=tokens))


def elements_of(
    delivery: Delivery, header_key: str | None, signed_at: str | None = None
) -> list[Element]:
    """Return the signals of a delivery with their keys. What was signed at a time carries it."""
    elements: list[Element] = []
    for number, said in enumerate(delivery.signals):
        key = dedupe_key(delivery, number, header_key)
        if signed_at is not None and not key.for_ever:
            key = DedupeKey(f"{key.key}\n{signed_at}", for_ever=True)
        elements.append(
            Element(
                said,
                key,
                _payload(delivery.payload, number, len(delivery.signals)),
                delivery.redacted if number == 0 else None,
            )
        )
    return elements


def _payload(payload: Any, number: int, count: int) -> Any:
    """Return what is kept of the payload with one of several signals: its own part, or all once."""
    if isinstance(payload, list):
        parts = cast("list[Any]", payload)
        if len(parts) == count:
            return parts[number]
    return cast("Any", payload) if number == 0 else None
