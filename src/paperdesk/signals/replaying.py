"""Replaying signals: each becomes a new one, linked to the old, and goes through the same door."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from paperdesk.errors import InvalidState
from paperdesk.ids import new_id
from paperdesk.models import Signal, Webhook
from paperdesk.signals.arriving import Arrival, Element, Stored
from paperdesk.signals.inbox import Inbox
from paperdesk.signals.reading.alerts import Reading
from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.dedupe import DedupeKey
from paperdesk.signals.reading.model import NotUnderstood, Understood, as_kept
from paperdesk.signals.reading.several import read_value
from paperdesk.signals.terms import taking_of

MOST: Final = 1_000
"""Signals replayed by one request at the most."""


async def replay(
    inbox: Inbox,
    signals: Sequence[Signal],
    webhooks: dict[str, Webhook],
    key: str | None,
    now: datetime,
) -> list[Stored]:
    """Take signals in again, in their order, as their webhooks take alerts now.

    Under the same key they are taken in once. Raises InvalidState for one without a webhook, and
    what the inbox raises.
    """
    for signal in signals:
        if signal.webhook_id not in webhooks:
            raise InvalidState(
                f"Signal {signal.signal_id} came through no webhook, or through one that was "
                "deleted: there is no door to replay it through."
            )
    replayed: list[Stored] = []
    for webhook_id, some in groupby(signals, lambda signal: str(signal.webhook_id)):
        elements = [_element(each, webhooks[webhook_id], key) for each in some]
        replayed += await inbox.receive(Arrival(webhook_id, elements, now, rate_per_minute=1))
    return replayed


def _element(signal: Signal, webhook: Webhook, key: str | None) -> Element:
    repeat = f"replay:{signal.signal_id}:{key or new_id()}"
    return Element(
        said_by(signal, webhook),
        DedupeKey(repeat, for_ever=True),
        signal.payload,
        signal.raw,
        replay_of=signal.signal_id,
    )


def said_by(signal: Signal, webhook: Webhook) -> Understood | NotUnderstood:
    """Return what a signal says, read anew from its body, or from its own part of an array.

    Of the other bodies with several signals no part is kept: it is what was understood then.
    """
    symbols = taking_of(webhook).symbols
    if signal.raw is not None:
        whole = read_body(signal.raw, symbols=symbols).signals
        if len(whole) == 1:
            return whole[0]
    if signal.payload is not None:
        own, _ = read_value(signal.payload, Reading(symbols))
        if len(own) == 1:
            return own[0]
    kept = signal.understood
    if kept is None:
        return NotUnderstood(reason="Nothing is kept of what it said.")
    return as_kept(kept)
