"""What is taken for a secret, and what is not."""

import json

import pytest

from paperdesk.audit.secrets import REDACTED, may_hold_secrets, without_secrets, without_secrets_in

KEY = "pd_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
TOKEN = "k9Xv0123456789_abcdefghijklmnopqrstuvwxyz-A"  # noqa: S105 - made up
SECRETS = [KEY, TOKEN, f"/hooks/{TOKEN[:12]}", "?token=abc", "Bearer abcdefgh"]
HARMLESS = [
    "buy 10 AAPL, market day: filled.",
    "01a20132-3d29-7c15-a1de-b3a0d7a7be53",
    "f" * 64,
    "pd_ab12cd34",
    "KEY was put on the watchlist.",
    "a-long-but-lower-case-name-of-a-strategy-that-nobody-types",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_in_a_text_and_taken_out(secret: str) -> None:
    text = f"before {secret} after"
    assert may_hold_secrets(text)
    assert REDACTED in without_secrets(text)
    assert without_secrets(text).startswith("before")
    assert without_secrets(text).endswith("after")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("token", "webhook_token", "token_hash", "secret", "client_secret", "signing_secret"),
        *("key", "api_key", "apiKey", "API-Key", "key_hash", "password", "Authorization", "cookie"),
        *("pwd", "passwd", "pass", "auth", "pin", "userPwd", "db_pass", "x-auth", "pinCode"),
    ],
)
def test_what_stands_under_the_name_of_a_secret_is_taken_out(name: str) -> None:
    text = json.dumps({"outer": [{name: "anything"}, {name: {"inner": 1}}, {name: None}]})
    assert may_hold_secrets(text)
    assert json.loads(without_secrets_in(text)) == {
        "outer": [{name: REDACTED}, {name: REDACTED}, {name: None}]
    }


@pytest.mark.parametrize(
    "name",
    [
        *("key_id", "token_id", "key_name", "monkey", "signing_version", "signature_required"),
        *("pass_count", "spin", "pinbar", "author", "idempotency_key"),
    ],
)
def test_what_only_sounds_like_one_stays(name: str) -> None:
    text = json.dumps({name: "anything"})
    assert json.loads(without_secrets_in(text)) == {name: "anything"}
