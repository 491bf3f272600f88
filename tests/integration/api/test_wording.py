"""What a refused field is told: in the words of whoever sent it."""

from typing import Any

import pytest

from support.desk import DeskClient

HOOK = {"name": "x", "mode": "record"}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name: must not be empty."),
    ({"name": "x" * 129}, "name: must have at most 128 characters; shorten it."),
    ({"max_position": -1}, "max_position: must be more than 0."),
    ({"window_seconds": 1}, "window_seconds: must be at least 15."),
    ({"tickers": ["AAPL"] * 1001}, "tickers: must have at most 1000 items; send less at once."),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=lambda each: str(each)[:20])
async def test_a_refused_field_is_told_in_its_own_words(
    sqlite_desk: DeskClient, change: dict[str, Any], words: str
) -> None:
    answer = await sqlite_desk.post("/api/webhooks", json=HOOK | change)

    assert (answer.status_code, answer.json()["detail"]) == (422, words)
