"""What makes two deliveries the same alert, and for how long."""

import json
from typing import Any

import pytest

from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.dedupe import DedupeKey, dedupe_key
from support.alerts import AT, body

ALERT = {"ticker": "AAPL", "action": "buy", "quantity": 1, "token": "hunter2"}


def keys(said: Any, header: str | None = None) -> list[DedupeKey]:
    delivery = read_body(body(said))
    return [dedupe_key(delivery, index, header) for index in range(len(delivery.signals))]


def key(said: Any, header: str | None = None) -> DedupeKey:
    (only,) = keys(said, header)
    return only


@pytest.mark.parametrize(
    "name", ["signal_id", "idempotency_key", "client_order_id", "alertTimestamp"]
)
def test_explicit_id_is_the_key_for_ever_whatever_else_is_said(name: str) -> None:
    first, second = key({**ALERT, name: "a-1"}), key({**ALERT, name: "a-1", "quantity": 2})

    assert first == second
    assert first.for_ever
    assert key({**ALERT, name: "a-2"}) != first


def test_header_is_an_explicit_id_and_that_of_the_alert_goes_before_it() -> None:
    assert (
        key(ALERT, "a-1")
        == key({**ALERT, "quantity": 2}, "a-1")
        == key({**ALERT, "signal_id": "a-1"})
    )
    assert key(ALERT, "a-1").for_ever
    assert key({**ALERT, "signal_id": "a-1"}, "x") == key({**ALERT, "signal_id": "a-1"}, "y")


@pytest.mark.parametrize("name", ["id", "order_id", "comment"])
def test_what_the_strategy_calls_its_order_is_body_and_no_key(name: str) -> None:
    named = {**ALERT, name: "Long"}

    assert not key(named).for_ever
    assert key(named) != key({**named, "quantity": 2})
    assert key(named) != key({**ALERT, name: "Short"})


def test_body_is_the_same_however_it_is_spaced_sorted_and_numbered() -> None:
    first = key('{"ticker":"AAPL","action":"buy","quantity":10}')

    assert key('{ "quantity": 1e1,\n "action":"buy", "ticker":"AAPL" }') == first
    assert key('\ufeff{"ticker":"AAPL","action":"buy","quantity":10.00}') == first
    assert key('{"ticker":"AAPL","action":"buy","quantity":"10"}') != first
    assert key('{"ticker":"AAPL","action":"buy","quantity":10.01}') != first


def test_text_is_the_same_however_it_is_spaced() -> None:
    assert key("s=AAPL  b=long q=1\r\n") == key("s=AAPL b=long q=1")
    assert key("s=AAPL b=long q=1") != key("s=AAPL b=long q=2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ALERT, {**ALERT, "token": "changed"}),
        ("first-pass\nlong AAPL q=1", "other-pass\nlong AAPL q=1"),
        ("key-one|mine|buy|AAPL", "key-two|mine|buy|AAPL"),
    ],
)
def test_secret_is_no_part_of_the_key(one: Any, other: Any) -> None:
    assert key(one) == key(other)


def test_time_is_part_of_the_key_and_makes_it_stand_for_ever() -> None:
    timed = {**ALERT, "time": AT}

    assert key(timed).for_ever
    assert not key(ALERT).for_ever
    assert key(timed) != key({**ALERT, "time": "2026-11-22T14:31:00Z"})
    assert key(f"s=AAPL b=long q=1 time={AT}").for_ever
    assert key({"timenow": AT, "nonsense": 1}).for_ever


@pytest.mark.parametrize("header", [None, "a-1"])
def test_equal_elements_of_an_array_are_several_alerts(header: str | None) -> None:
    first = keys([ALERT, ALERT], header)

    assert len(set(first)) == 2
    assert keys([ALERT, ALERT], header) == first


def test_id_over_several_accounts_does_not_make_them_one() -> None:
    several = {**ALERT, "signal_id": "a-1", "multiple_accounts": [{"a": 1}, {"a": 1}]}

    assert len(set(keys(several))) == 2


def test_key_of_the_request_is_never_that_of_an_element_with_an_id() -> None:
    assert len(set(keys([{**ALERT, "signal_id": "a-1"}, ALERT], "a-1"))) == 2


def test_ids_of_elements_are_keys_wherever_they_stand_unless_one_repeats() -> None:
    one, other = {**ALERT, "signal_id": "a-1"}, {**ALERT, "signal_id": "a-2"}

    assert keys([one, other]) == keys([other, one])[::-1]
    assert keys([one, other])[0] == key(one)
    assert len(set(keys([one, one]))) == 2


def test_long_ids_that_differ_at_the_end_differ() -> None:
    one, other = ({**ALERT, "signal_id": "x" * 2000 + end} for end in "ab")
    assert key(one) != key(other)


def test_json_and_text_never_share_a_key() -> None:
    texts = ("null", '"null"', "null null", json.dumps(["null"]))
    assert len({key(text).key for text in texts}) == len(texts)
