"""What is a key, and what a request brings."""

import pytest

from paperdesk.users.credentials import (
    UNUSABLE,
    Credential,
    Unusable,
    given,
    new_credential,
    parse,
)

KEY = Credential("0123456789", "_" * 21 + "-" * 22)


def test_a_key_that_is_full_of_underscores_is_read_by_its_lengths() -> None:
    assert parse(KEY.key) == KEY


def test_a_new_key_has_its_parts_and_is_like_no_other() -> None:
    made = [new_credential() for _ in range(200)]

    assert len({one.key_id for one in made}) == len({one.secret for one in made}) == 200
    for one in made:
        prefix, key_id, rest = one.key.split("_", 2)
        assert (prefix, len(key_id), len(rest)) == ("pd", 10, 43 + 1 + 6)
        assert parse(one.key) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pd_",
        KEY.key[:-1],
        KEY.key + "0",
        KEY.key[:-1] + ("1" if KEY.key[-1] == "0" else "0"),
        KEY.key.replace("pd_", "PD_"),
        KEY.key.replace("0123456789", "012345678ä"),
        KEY.key.replace("0123456789", "9876543210"),
        KEY.key.replace("-", "+"),
        KEY.key + "\n",
    ],
    ids=range(10),
)
def test_what_is_no_key_or_was_mistyped_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_key_does_not_show_its_secret_by_itself() -> None:
    assert KEY.secret not in repr(KEY)
    assert KEY.secret not in str(KEY)


ALPACA = [(b"apca-api-key-id", KEY.key_id), (b"apca-api-secret-key", KEY.secret)]
OTHER = new_credential()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"authorization", "Basic YTpi")], None),
        ([(b"authorization", f"Bearer {KEY.key}")], KEY),
        ([(b"authorization", f"bearer   {KEY.key}  ")], KEY),
        (ALPACA, KEY),
        ([*ALPACA, (b"authorization", f"Bearer {KEY.key}")], KEY),
        ([*ALPACA, (b"authorization", "Basic YTpi")], KEY),
        ([*ALPACA, (b"authorization", f"Bearer {OTHER.key}")], UNUSABLE),
        ([*ALPACA, (b"authorization", "Bearer no")], UNUSABLE),
        ([(b"authorization", f"Bearer {KEY.key}"), (b"authorization", "Bearer no")], UNUSABLE),
        ([*ALPACA, (b"apca-api-key-id", OTHER.key_id)], UNUSABLE),
        (ALPACA[:1], UNUSABLE),
        (ALPACA[1:], UNUSABLE),
        ([(b"authorization", "Bearer")], UNUSABLE),
        ([(b"authorization", "Bearer \u00e4\u00f6")], UNUSABLE),
        ([(b"apca-api-key-id", "\u00e4" * 10), (b"apca-api-secret-key", KEY.secret)], UNUSABLE),
    ],
    ids=range(16),
)
def test_a_request_brings_one_key_or_none_that_counts(
    headers: list[tuple[bytes, str]], expected: Credential | Unusable | None
) -> None:
    assert given([(name, value.encode("latin-1")) for name, value in headers]) == expected
