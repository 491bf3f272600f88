"""Whoever tries keys and tokens has to wait longer and longer; others do not."""

from datetime import timedelta

import pytest

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
        ("/api/webhook", {}, '{"ticker":"AAPL","action":"buy","secret":"wrong"}'),
        ("/api/webhook", {}, ALERT),
        ("/api/orders", bearer("wrong"), ALERT),
    ],
    ids=["path", "query", "header", "body", "nothing", "key"],
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
