"""Whoever tries keys and tokens has to wait longer and longer; others do not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from support.databases import START
from support.desk import DeskClient, open_desk
from support.doors import make_webhook
from support.keys import bearer, make_admin
from support.pricing import SleeplessClock

ALERT = '{"ticker":"AAPL","action":"buy","quantity":1}'
FROM = "198.51.100.1"


async def statuses(desk: DeskClient, tries: list[tuple[str, dict[str, str]]]) -> list[int]:
    return [
        (await desk.post(path, content=ALERT, headers=headers)).status_code
        for path, headers in tries
    ]


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/hooks/wrong", {}, ALERT),
        ("/api/webhook?token=wrong", {}, ALERT),
        ("/api/webhook", {"x-webhook-token": "wrong"}, ALERT),
        ("/api/orders", bearer("wrong"), ALERT),
    ],
    ids=["path", "query", "header", "key"],
)
async def test_ten_tries_in_a_minute_are_free_and_then_each_costs_twice_the_wait(
    sqlite_url: str, path: str, headers: dict[str, str], body: str
) -> None:
    clock = SleeplessClock(START)
    async with open_desk(sqlite_url, clock=clock, auth="required") as desk:
        asked = headers | {"content-type": "application/json"}
        answers = [await desk.post(path, content=body, headers=asked) for _ in range(21)]

        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 11
        waits = [int(answer.headers["retry-after"]) for answer in answers[10:]]
        assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        assert {answer.json()["code"] for answer in answers[10:]} == {"RATE_LIMITED"}
        clock.advance(timedelta(minutes=1))
        assert (await desk.post(path, content=body, headers=asked)).status_code == 401


@contextmanager
def lookups(desk: DeskClient) -> Iterator[list[str]]:
    """Give the looks into the database for a token."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "token_hash =" in statement:
            found.append(statement)

    engine = desk.app.state.database.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_request_has_few_tokens_looked_up_however_many_it_brings(
    sqlite_desk: DeskClient,
) -> None:
    token = (await make_webhook(sqlite_desk, mode="record"))["token"]
    many = "&".join(f"token=wrong{n}" for n in range(50))
    inner = [{"secret": f"wrong{n}"} for n in range(20)]
    body = json.dumps({"ticker": "AAPL", "action": "buy", "inner": inner})
    header = {"x-webhook-token": token}

    with lookups(sqlite_desk) as looked:
        several = await statuses(
            sqlite_desk,
            [(f"/api/webhook?{many}", {}), ("/api/webhook?token=wrong", header)],
        )
        assert (several, looked) == ([401, 401], [])
        assert (await sqlite_desk.post("/api/webhook", content=body)).status_code == 401
        assert len(looked) == 4
    same = await statuses(sqlite_desk, [(f"/api/webhook?token={token}&token={token}", header)])
    assert same == [200]


async def test_secrets_of_a_body_are_not_looked_up_for_an_address_that_failed_too_often(
    sqlite_url: str,
) -> None:
    clock = SleeplessClock(START)
    async with open_desk(sqlite_url, clock=clock) as desk:
        token = (await make_webhook(desk, mode="record"))["token"]
        right = json.dumps({"ticker": "AAPL", "action": "buy", "quantity": 1, "secret": token})
        wrong = right.replace(token, "wrong")
        first = [await desk.post("/api/webhook", content=wrong) for _ in range(10)]
        with lookups(desk) as looked:
            refused = [await desk.post("/api/webhook", content=wrong) for _ in range(5)]
            refused.append(await desk.post("/api/webhook", content=right))
        by_token = await statuses(
            desk, [(f"/hooks/{token}", {}), ("/api/webhook", {"x-webhook-token": token})]
        )
        clock.advance(timedelta(seconds=60))
        later = await desk.post("/api/webhook", content=right)

    assert {answer.status_code for answer in first} == {401}
    assert looked == []
    assert {(each.status_code, each.headers["retry-after"]) for each in refused} == {(429, "60")}
    assert (by_token, later.status_code) == ([200, 200], 200)


async def test_keys_and_tokens_are_counted_together_address_by_address(sqlite_url: str) -> None:
    async with open_desk(sqlite_url, trusted_proxies="127.0.0.1") as desk:
        admin = await make_admin(desk)
        token = (await make_webhook(desk, mode="record", headers=bearer(admin)))["token"]
        guess = {"x-forwarded-for": FROM}
        other = {"x-forwarded-for": "198.51.100.2"}
        found = await statuses(
            desk,
            [
                *[("/hooks/wrong", guess)] * 5,
                *[("/api/orders", guess | bearer("wrong"))] * 5,
                ("/hooks/wrong", guess),
                ("/api/orders", guess | bearer("wrong")),
                ("/hooks/wrong", other),
                # Who has it is let in, wherever others guess from.
                (f"/hooks/{token}", guess),
            ],
        )

    assert found == [401] * 10 + [429, 429, 401, 200]


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"])
async def test_nobody_leaves_his_address_by_a_header_that_no_trusted_proxy_sent(
    sqlite_url: str, proxies: str
) -> None:
    async with open_desk(sqlite_url, auth="required", trusted_proxies=proxies) as desk:
        found = await statuses(
            desk,
            [
                ("/hooks/wrong", {"x-forwarded-for": f"198.51.100.{n}", "forwarded": f"for={n}"})
                for n in range(12)
            ],
        )

    assert found == [401] * 10 + [429] * 2


async def test_behind_a_proxy_what_a_client_wrote_itself_does_not_count(sqlite_url: str) -> None:
    async with open_desk(sqlite_url, auth="required", trusted_proxies="127.0.0.1") as desk:
        found = await statuses(
            desk,
            [("/hooks/wrong", {"x-forwarded-for": f"203.0.113.{n}, {FROM}"}) for n in range(12)],
        )

    assert found == [401] * 10 + [429] * 2


async def test_an_allow_list_of_a_webhook_believes_no_header_of_a_stranger(sqlite_url: str) -> None:
    allowed = ["52.89.214.238"]
    async with open_desk(sqlite_url) as desk:
        made = await make_webhook(desk, mode="record", allowed_addresses=allowed)
        forged = {"x-forwarded-for": allowed[0], "x-real-ip": allowed[0], "forwarded": "for=x"}
        refused = await desk.post(f"/hooks/{made['token']}", content=ALERT, headers=forged)

        assert refused.status_code == 403
        assert (await desk.get("/api/signals")).json() == []
