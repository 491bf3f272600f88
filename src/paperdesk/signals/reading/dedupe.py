"""What makes two deliveries the same alert."""

import hashlib
from typing import Final, NamedTuple

from paperdesk.signals.reading.model import Delivery
from paperdesk.signals.reading.texts import identity

_ID: Final = "id"
_BODY: Final = "body"


class DedupeKey(NamedTuple):
    """What an alert is recognised by, within its webhook.

    Not `for_ever`: an equal alert is the same only within a window from the first one's arrival.
    """

    key: str
    for_ever: bool
    is_named: bool = False
    """Whether it is an id that the sender gave: another body may come under it."""


def dedupe_key(delivery: Delivery, index: int = 0, header_key: str | None = None) -> DedupeKey:
    """Return the key of one alert of a delivery.

    `header_key` is the Idempotency-Key of the request. The id in the alert goes before it: the
    sender of the request may be a relay, which numbers its requests, not the alerts. Without an id
    the body is the key, with its time, without its secrets; what the strategy calls its order is
    part of the body and never an id.
    """
    signal = delivery.signals[index]
    own = signal.explicit_id
    named = own or identity(header_key)
    if named is None:
        said = f"{delivery.canonical}\n{index}"
        return DedupeKey(f"{_BODY}:{_digest(said)}", signal.carries_time)
    alone = own is not None and not delivery.shares_id
    repeated = sum(each.explicit_id == own for each in delivery.signals) > 1
    several = len(delivery.signals) > 1 and (not alone or repeated)
    return DedupeKey(
        f"{_ID}:{_digest(named)}{f'#{index}' if several else ''}", for_ever=True, is_named=True
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
