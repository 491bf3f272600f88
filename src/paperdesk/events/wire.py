"""What one process tells the others through PostgreSQL's NOTIFY, in payloads that it takes.

A payload is a line of JSON that says what it is, and for a value the value's JSON below it. NOTIFY
is sent within a transaction, delivered when that commits, in the order of the commits, and to the
sender too.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from paperdesk.events.event import Event, Kind

CHANNEL: Final = "paperdesk_events"
MOST_AT_ONCE: Final = 2_048
"""Events of one account in one transaction; of more it is only said that there were many."""

LARGEST: Final = 256 * 1024
"""Characters of a value that is sent; of a larger one only that it is there."""

KEYS_A_PAYLOAD: Final = 120
"""A payload is shorter than 8000 bytes, and a key with its quotes has up to 40 or so."""

_LONGEST_PIECE: Final = 1_900
"""Characters, each up to four bytes."""

_LONGEST_ASCII_PIECE: Final = 7_600

_NOTIFY: Final = text(
    "SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload"
)


@dataclass(frozen=True, slots=True)
class Names:
    """Things that something happened to, to be read by whoever wants to know."""

    token: str
    account_id: str
    names: list[tuple[Kind, str]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an event that is longer than a payload; they come one after the other."""

    number: int
    of: int
    text: str


@dataclass(frozen=True, slots=True)
class Many:
    """More happened on an account than is told one by one."""

    account_id: str


def notify(connection: Connection | Session, payloads: Sequence[str]) -> None:
    """Send payloads, when the transaction commits."""
    if payloads:
        connection.execute(_NOTIFY, {"channel": CHANNEL, "payloads": list(payloads)})


def by_value(event: Event, data: bytes) -> Iterator[str]:
    """Return the payloads of an event with its JSON."""
    value = data.decode()
    if len(value) > LARGEST:
        yield many(event.account_id)
        return
    whole = _head("value", event.account_id, event.kind, event.key) + value
    size = _LONGEST_ASCII_PIECE if whole.isascii() else _LONGEST_PIECE
    pieces = [whole[first : first + size] for first in range(0, len(whole), size)]
    if len(pieces) == 1:
        yield whole
        return
    for number, piece in enumerate(pieces):
        yield _head("piece", number, len(pieces)) + piece


def by_name(token: str, events: Sequence[Event]) -> str:
    """Return the payload that names up to `KEYS_A_PAYLOAD` events of one account."""
    named = [
        [kind, [event.key for event in of_kind]]
        for kind, of_kind in groupby(events, key=attrgetter("kind"))
    ]
    return _head("names", token, events[0].account_id, named)


def many(account_id: str) -> str:
    """Return the payload that says that much happened on an account."""
    return _head("many", account_id)


def parsed(payload: str) -> Event | Names | Piece | Many | None:
    """Return what a payload says; None for what this version does not understand."""
    head, _, rest = payload.partition("\n")
    try:
        said: Any = json.loads(head)
    except ValueError:
        return None
    match said:
        case ["value", str(account_id), kind, str(key)]:
            return Event(account_id, kind, key, rest.encode())
        case ["piece", int(number), int(of)]:
            return Piece(number, of, rest)
        case ["names", str(token), str(account_id), named]:
            return Names(token, account_id, [(kind, key) for kind, keys in named for key in keys])
        case ["many", str(account_id)]:
            return Many(account_id)
        case _:
            return None


def _head(*said: Any) -> str:
    return json.dumps(said, separators=(",", ":")) + "\n"
