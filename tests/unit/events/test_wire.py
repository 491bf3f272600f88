"""What one process tells the others fits into NOTIFY, and comes out as it went in."""

import pytest

from paperdesk.events import wire
from paperdesk.events.event import Event
from paperdesk.ids import new_id

LIMIT = 7_900


@pytest.mark.parametrize("letter", ["x", "é", "\N{PILE OF POO}", '"', "\n"])
@pytest.mark.parametrize("length", [1, 1_890, 7_550, 7_600, 20_000, 200_000])
def test_a_value_of_any_length_fits_and_comes_out_again(letter: str, length: int) -> None:
    data = (letter * length).encode()
    event = Event("default", "chat", 'a "key"', data)
    payloads = list(wire.by_value(event, data))
    assert max(len(payload.encode()) for payload in payloads) < LIMIT
    # PostgreSQL sends equal payloads of one transaction once.
    assert len(set(payloads)) == len(payloads)
    pieces = [wire.parsed(payload) for payload in payloads]
    whole = "".join(piece.text for piece in pieces if isinstance(piece, wire.Piece))
    assert (wire.parsed(whole) if whole else pieces[0]) == event


def test_of_a_value_beyond_all_bounds_only_its_account_is_told() -> None:
    data = b"x" * (wire.LARGEST + 1)
    event = Event("default", "chat", "1", data)
    (payload,) = wire.by_value(event, data)
    assert wire.parsed(payload) == wire.Many("default")


def test_names_fit_and_keep_their_order() -> None:
    events = [Event(new_id(), "order", new_id()) for _ in range(wire.KEYS_A_PAYLOAD - 1)]
    events.append(Event("default", "trade", new_id()))
    payload = wire.by_name("token", events)
    assert len(payload.encode()) < LIMIT
    said = wire.parsed(payload)
    assert isinstance(said, wire.Names)
    assert said.names == [(event.kind, event.key) for event in events]


@pytest.mark.parametrize("payload", ["", "{", "null", '["value"]', '["else",1]', '["piece","1",2]'])
def test_what_is_not_understood_is_nothing(payload: str) -> None:
    assert wire.parsed(payload) is None
