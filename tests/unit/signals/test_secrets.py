"""Secrets leave a body before anything is kept of it."""

import json
from typing import Any

import pytest

from paperdesk.signals.reading.body import read_body
from support.alerts import body

HIDE = "hunter2-hunter2"
ALERT = {"ticker": "AAPL", "action": "buy", "quantity": 1}

NAMES = (
    *("secret", "passphrase", "password", "key", "token", "apikey", "api_key", "API-Secret"),
    *("signalToken", "connector_secret", "email_token", "webhookToken", "privateKey"),
    *("my_bot_token", "desk password", "twoFactorSecret", "pwd", "passwd", "pass", "auth", "pin"),
    *("Authorization", "userPwd", "db_pass", "x-auth", "auth_key", "pinCode", "USER_PIN", "oauth"),
)

BODIES: dict[str, Any] = {
    **{name: {**ALERT, name: HIDE} for name in NAMES},
    "nested": {**ALERT, "multiple_accounts": [{"token": HIDE, "account_id": "A"}]},
    "in an array": [{**ALERT, "key": HIDE}],
    "copied": {**ALERT, "token": HIDE, "note": f"my {HIDE}!", "strategy": HIDE},
    "escaped": '{"ticker":"AAPL","action":"buy","\\u006bey":"hunter2-\\u0068unter2"}',
    "an object": {**ALERT, "secret": {"value": [HIDE]}},
    "said in a text": {**ALERT, "note": f"token={HIDE}"},
    "not JSON": f'{{"ticker":"AAPL","action":buy,"token":"{HIDE}"}}',
    "in single quotes": f"{{'ticker': 'AAPL', 'action': 'buy', 'secret': '{HIDE}'}}",
    "in single quotes in a text": {**ALERT, "note": f"sent {{'token':'{HIDE}'}}"},
    "copied beside JSON": f'{{"ticker":"AAPL","token":"{HIDE}"}} and x={HIDE}',
    "broken off": f'{{"ticker":"AAPL","token":"{HIDE}',
    "mended": f'{{"ticker":"AAPL","action":"buy","open":NaN,"token":"{HIDE}"}}',
    "said shortly in a text": {**ALERT, "note": f"see: pwd={HIDE} pin: {HIDE}"},
    "in a form": f"token={HIDE}&symbol=AAPL&action=buy",
    "copied in a form": f"note={HIDE}&symbol=AAPL&action=buy&token={HIDE}",
    "JSON in a form": f"payload=%7B%22ticker%22%3A%22AAPL%22%2C%22key%22%3A%22{HIDE}%22%7D",
    "beside JSON in a form": f"key={HIDE}&payload=%7B%22ticker%22%3A%22AAPL%22%7D",
    "password line": f"{HIDE}\nlong AAPL q=1",
    "password line of prose": f"{HIDE}\nplease buy",
    "pipes": f"{HIDE}|mine|buy|AAPL",
    "other pipes": f"{HIDE}|mine|buy",
    "keys": f"{HIDE}(AAPL) {{ market(side=buy, amount=1); }}",
    "pair": f"key={HIDE} s=AAPL b=long q=1",
    "pair in prose": f"hello password: {HIDE} world",
    "quoted pair": f"hello 'token': x token = '{HIDE}'",
}


@pytest.mark.parametrize("said", BODIES.values(), ids=BODIES)
def test_secrets_are_found_and_not_kept(said: Any) -> None:
    delivery = read_body(body(said))

    assert HIDE in delivery.secrets
    kept = (delivery.redacted.decode(), repr(delivery), str(delivery.payload), delivery.canonical)
    assert not any(HIDE in each for each in kept)


@pytest.mark.parametrize("said", BODIES.values(), ids=BODIES)
def test_what_is_kept_can_be_read_again_to_the_same(said: Any) -> None:
    delivery = read_body(body(said))
    again = read_body(delivery.redacted)

    assert again.signals == delivery.signals
    assert again.payload == delivery.payload
    assert again.canonical == delivery.canonical
    assert again.redacted == delivery.redacted
    assert again.secrets == ()


def test_known_secret_is_hidden_wherever_it_stands() -> None:
    said = json.dumps({**ALERT, f"odd {HIDE}": 1, "url": f"https://x/hooks/{HIDE}"})
    delivery = read_body(said.encode(), known_secrets=[HIDE])

    assert HIDE not in delivery.redacted.decode() + str(delivery.payload) + repr(delivery)


def test_body_without_secrets_is_kept_to_the_byte() -> None:
    raw = b'\xef\xbb\xbf {"ticker" : "AAPL",\r\n"action":"buy"} \n'
    assert read_body(raw).redacted == raw


def test_number_can_be_a_secret() -> None:
    delivery = read_body(body({**ALERT, "key": 123456}))

    assert delivery.secrets == ("123456",)
    assert b"123456" not in delivery.redacted


@pytest.mark.parametrize("raw", [b"\x1f\x8b\x08" + b"secret" * 9, b"secret" * 20_000])
def test_nothing_is_kept_of_what_nobody_looked_into(raw: bytes) -> None:
    assert b"secret" not in read_body(raw).redacted


def test_secret_in_what_is_no_text_is_hidden() -> None:
    delivery = read_body(b'{"token":"' + HIDE.encode() + b'","x":"\xff"}')

    assert HIDE in delivery.secrets
    assert HIDE.encode() not in delivery.redacted
    assert b"\xff" in delivery.redacted


@pytest.mark.parametrize(
    "name",
    [
        *(
            "pass_count",
            "spin",
            "pinbar",
            "pin_bar",
            "author",
            "bypass",
            "high_pass",
            "authored_by",
        ),
        *("idempotency_key", "key_level", "compass", "keyword", "token_id", "passed", "opinion"),
    ],
)
def test_what_only_sounds_like_a_secret_is_kept(name: str) -> None:
    raw = body({**ALERT, name: HIDE, "note": f"{name}={HIDE}"})
    delivery = read_body(raw)
    assert (delivery.redacted, delivery.secrets) == (raw, ())
