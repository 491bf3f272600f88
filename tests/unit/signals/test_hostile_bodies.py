"""Bodies that mean harm, or are merely broken: refused with a sentence, at once."""

import gzip
import json
import time
from typing import Any

import pytest

from paperdesk.signals.reading.body import LARGEST_BODY, read_body
from paperdesk.signals.reading.model import NotUnderstood, Understood
from support.alerts import body, refused, understood
from support.injections import INJECTIONS

ALERT = {"ticker": "AAPL", "action": "buy", "quantity": 1}
KIB64 = 65_536

BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "spaces": (b" \r\n\t ", "is empty"),
    "null": (b"null", "no object"),
    "true": (b"true", "no object"),
    "a string": (b'"buy AAPL"', "no object"),
    "a number": (b"-1.5e3", "no object"),
    "empty array": (b"[]", "array is empty"),
    "empty object": (b"{}", "names no ticker"),
    "arrays of arrays": (b"[[[[]]]]", "element is no object"),
    "too many": (json.dumps([ALERT] * 101).encode(), "more than 100"),
    "too many accounts": (body({**ALERT, "multiple_accounts": [{}] * 101}), "more than 100"),
    "odd accounts": (body({**ALERT, "multiple_accounts": "all"}), "must be a list"),
    "too many fields": (body(dict.fromkeys(map(str, range(201)))), "more than 200 fields"),
    "depth bomb": (b"[" * 30_000, "more than 32 deep"),
    "closed depth bomb": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "more than 32 deep"),
    "depth of 33": (b"[" * 33 + b"]" * 33, "more than 32 deep"),
    "duplicate key": (b'{"ticker":"AAPL","action":"buy","action":"sell"}', "twice: action"),
    "escaped duplicate": (b'{"action":"buy","\\u0061ction":"sell"}', "twice: action"),
    "infinite exponent": (b'{"ticker":"AAPL","action":"buy","quantity":1e999999}', "too long"),
    "tiny exponent": (b'{"ticker":"AAPL","action":"buy","quantity":1e-999999}', "too long"),
    "a million digits": (b'{"quantity":' + b"9" * 60_000 + b"}", "too long"),
    "infinity": (b'{"ticker":"AAPL","action":"buy","quantity":Infinity}', "quantity: is empty"),
    "comment": (b'{"ticker":"AAPL" /* hi */}', "not valid JSON"),
    "trailing comma": (b'{"ticker":"AAPL",}', "not valid JSON"),
    "two documents": (b'{"ticker":"AAPL"}{"ticker":"MSFT"}', "not valid JSON"),
    "single quotes": (b"{'ticker':'AAPL'}", "not valid JSON"),
    "line break in a string": (b'{"ticker":"AA\nPL"}', "not valid JSON"),
    "invalid UTF-8": (b'{"ticker":"\xff\xfe"}', "not text in UTF-8"),
    "overlong UTF-8": (b'{"ticker":"\xc0\xaf"}', "not text in UTF-8"),
    "encoded surrogate": (b'{"ticker":"\xed\xa0\x80"}', "not text in UTF-8"),
    "UTF-16": ('{"ticker":"AAPL"}'.encode("utf-16"), "not text in UTF-8"),
    "gzip": (gzip.compress(b"0" * 10_000_000), "compressed"),
    "too large": (b"x" * (LARGEST_BODY + 1), "larger than 65536"),
    "NUL": (b"\0" * 100, "in no form"),
    "form with a field twice": (b"symbol=AAPL&action=buy&action=sell", "twice"),
    "form with many fields": (b"a=b&" * 300, "more than 200 fields"),
}


@pytest.mark.parametrize(("raw", "reason"), BROKEN.values(), ids=BROKEN)
def test_broken_bodies_are_refused_with_a_sentence(raw: bytes, reason: str) -> None:
    signal = refused(raw)

    assert reason in signal.reason
    assert len(signal.reason) < 500


SLOW: dict[str, bytes] = {
    "quotes": b'"' * KIB64,
    "open quotes": (b'\\"' * KIB64)[: KIB64 - 1] + b'"',
    "open string": b'{"a":"' + b'\\"' * 30_000,
    "braces": b"{}" * 32_000,
    "commas": b"{" + b"," * 65_000,
    "colons": b'{"a"' + b":" * 65_000,
    "letters": b"a" * KIB64,
    "spaces": b" " * 65_000 + b"x",
    "spaces and pipes": b" " * 30_000 + b"|" + b" " * 30_000,
    "hashes": b"#" * 65_000,
    "hash before a block": b"#" * 60_000 + b"x(AAPL",
    "openings": b"a(A){" * 13_000,
    "half a block": b"a(A){" + b"b(" * 30_000,
    "pairs": b"s=AAPL " * 9_000,
    "lines": b"s=AAPL b=long\n" * 4_600,
    "password lines": b"x\n" * 32_000,
    "secrets": ("{" + ",".join(f'"token":"{i:012}"' for i in range(2_800)) + "}").encode(),
    "secret words": b"token=" * 10_000,
    "secret words of text": b" key = x" * 8_000,
    "equals": b"=" * 65_000,
    "ampersands": b"a=b&" * 16_000,
    "percents": b"%7B" * 21_000,
    "accounts": body(
        {**{f"f{i}": i for i in range(190)}, "multiple_accounts": [{"a": 1}] * 100, **ALERT}
    ),
    "fields": body({f"f{i}": i for i in range(4_000)}),
    "elements": body([{**{f"f{i}": 0 for i in range(50)}, **ALERT}] * 100),
    "long strings": body(dict.fromkeys(("ticker", "action", "note", "time"), "x" * 9000)),
    "digits with commas": body({**ALERT, "quantity": "1,000" * 12_000}),
    "astral": body({**ALERT, "note": "\U0001f680" * 5_000}),
    "times": b"2026-11-22T14:30:00" * 3_400,
    "years": b"2026-" * 13_000,
}


@pytest.mark.parametrize("raw", SLOW.values(), ids=SLOW)
def test_no_body_takes_long(raw: bytes) -> None:
    assert len(raw) <= LARGEST_BODY or raw is SLOW["open quotes"]
    started = time.process_time()
    delivery = read_body(raw)

    assert time.process_time() - started < 1
    assert 1 <= len(delivery.signals) <= 100


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ('{"ticker":"AAPL","action":"buy","quantity":NaN}', "quantity"),
        ('{"ticker":"AAPL","action":"buy","quantity":}', "quantity"),
        ('{"ticker":"AAPL","action":"buy","quantity":,"x":1}', "quantity"),
        ('{"ticker":"AAPL","action":"buy","position_size":NaN}', "position_size"),
        ('{"ticker":"AAPL","action":"buy","orderType":"limit","price":NaN}', "price"),
        ('{"ticker":"AAPL","action":"buy","limit_price":}', "limit_price"),
        ('{"ticker":"AAPL","action":"buy","stopLoss":NaN}', "stopLoss"),
        ('{"ticker":"AAPL","action":"buy","strategy":{"position_size":NaN}}', "position_size"),
        ('{"ticker":"AAPL","action":}', "action"),
        ('{"ticker":,"action":"buy"}', "ticker"),
        ('{"ticker":"AAPL","action":buy}', "action"),
        ('{"ticker":AAPL,"action":"buy"}', "ticker"),
        ('{"ticker":"AAPL","action":"buy","x":[NaN]}', "not valid JSON"),
    ],
)
def test_placeholder_without_a_value_is_named_where_it_is_needed(said: str, field: str) -> None:
    assert field in refused(said).reason


@pytest.mark.parametrize(
    "said",
    [
        '{"ticker":"AAPL","action":"buy","quantity":2,"price":NaN}',
        '{"ticker":"AAPL","action":"buy","quantity":2,"close":}',
        '{"ticker":"AAPL","action":"buy","quantity":2,"plot_0":NaN,"rsi":,"volume":nan}',
        '{"ticker":"AAPL","action":"buy","quantity":2,"bar":{"open":NaN}}',
        '{"ticker":"AAPL","action":"buy","quantity":2,"prev_market_position_size":NaN}',
    ],
)
def test_placeholder_without_a_value_that_nobody_needs_is_left_aside(said: str) -> None:
    signal = understood(said)

    assert (signal.intent, signal.quantity and signal.quantity.amount) == ("buy", 2)
    assert read_body(said.encode()).payload is None


def test_payload_is_exact() -> None:
    delivery = read_body(b'{"a":0.1,"b":12345678901234567890,"c":[-0.0,1e2],"d":"\\ud800x\\u0000"}')

    assert repr(delivery.payload) == (
        "{'a': Decimal('0.1'), 'b': 12345678901234567890, 'c': [Decimal('0'), Decimal('1E+2')], "
        "'d': '\ufffdx\ufffd'}"
    )


TEXT_FIELDS = ("strategy", "order_id", "comment", "note", "message", "exchange", "whatever", "stub")


@pytest.mark.parametrize("name", TEXT_FIELDS)
def test_text_never_changes_what_an_alert_means(name: str) -> None:
    plain = understood(ALERT).model_dump(
        exclude={"strategy", "order_name", "note", "exchange", "warnings", "form"}
    )
    for text in INJECTIONS:
        for said in (json.dumps({**ALERT, name: text}), json.dumps({name: text, **ALERT})):
            signal = understood(said)
            shown = signal.model_dump()

            assert {field: shown[field] for field in plain} == plain, text
            kept = signal.model_dump_json()
            assert not any(each in kept for each in "\u202e\u2066\u200b\x1b\ufeff"), text


def test_there_are_enough_injections() -> None:
    assert len(set(INJECTIONS)) >= 50


@pytest.mark.parametrize("name", ["ticker", "action", "quantity", "limit_price", "orderType"])
def test_text_where_something_else_belongs_never_does_more(name: str) -> None:
    """A word of ours is that word; anything else is refused."""
    for text in INJECTIONS:
        (signal,) = read_body(body({**ALERT, name: text})).signals
        if isinstance(signal, Understood):
            assert (name, text) in {
                *(("action", word) for word in ("sell", "close", "cancel", "flat")),
                *(("action", word) for word in ("\u202esell\u202c", "s\u200be\u200bl\u200bl")),
                *(("action", "\ufeffsell"), ("ticker", "sell"), ("ticker", "close")),
                *(("ticker", "cancel"), ("ticker", "flat")),
            } or name == "ticker"


def test_injections_as_whole_bodies_are_understood_only_where_they_are_a_form() -> None:
    for text in INJECTIONS:
        for signal in read_body(text.encode()).signals:
            if isinstance(signal, NotUnderstood):
                assert signal.reason


def test_names_of_fields_are_data_too() -> None:
    said: dict[str, Any] = {**ALERT, "x\u202e\x1b[2J" + "y" * 500: "z"}
    (warning,) = understood(said).warnings

    assert "\u202e" not in warning
    assert "\x1b" not in warning
    assert len(warning) < 100
