"""What senders are told: soon, the same for every wrong token, and never a secret."""

import json
from typing import Any

import httpx2
import pytest

from paperdesk.models import Webhook
from paperdesk.signals.terms import Limits, limits_of
from support.desk import DeskClient, open_desk
from support.hooks import (
    Hook,
    all_processed,
    audited,
    buying,
    everything_stored,
    exact,
    make_hook,
    orders,
    pass_time,
    rows,
    selling,
)

AT = "2026-11-20T15:00:00Z"
CONTENT_TYPES = [
    "application/json",
    "text/plain",
    "text/plain; charset=utf-8",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "multipart/form-data",
    "text/html",
    "nonsense",
]


async def test_received_duplicate_and_rejected_are_200(desk: DeskClient) -> None:
    hook = await make_hook(desk, tickers=["AAPL"])
    answers = [await hook.post(body) for body in (buying(), buying(), buying(ticker="MSFT"))]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json()["status"] for answer in answers] == ["received", "duplicate", "rejected"]
    first = answers[2].json()["first"]
    assert (first["status"], first["order_id"]) == ("rejected", None)
    assert "does not trade MSFT" in first["error"]
    again = await hook.send(buying(ticker="MSFT"))
    assert (again["status"], again["first"]) == ("duplicate", first)


async def test_what_is_not_understood_is_400_kept_and_counted(desk: DeskClient, hook: Hook) -> None:
    answers = [await hook.post("hello, world") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert {answer.json()["code"] for answer in answers} == {"NOT_UNDERSTOOD"}
    (row,) = await rows(desk)
    assert (row.raw, row.status, row.duplicates, row.processed) == (
        b"hello, world",
        "failed",
        2,
        True,
    )
    assert all(row.signal_id in answer.json()["detail"] for answer in answers)
    assert (await hook.signal(row.signal_id))["understood"]["reason"]


async def test_it_can_be_replayed_once_its_symbol_is_known(desk: DeskClient, hook: Hook) -> None:
    assert (await hook.post(buying(ticker="APPLE COMPUTER"))).status_code == 400
    (row,) = await rows(desk)
    await hook.change(symbols={"APPLE COMPUTER": "AAPL"})
    answer = await desk.post(f"/api/signals/{row.signal_id}/replay")
    assert answer.status_code == 201, answer.text
    replayed = await hook.processed(answer.json()["signal_id"])
    assert (replayed["status"], replayed["ticker"]) == ("executed", "AAPL")
    assert len(await orders(desk)) == 1


async def test_an_element_of_an_array_is_read_anew_by_its_replay(
    desk: DeskClient, hook: Hook
) -> None:
    await hook.post([buying(n, "APPLE COMPUTER") for n in ("1.10", "2.20")])
    kept = await rows(desk)
    await hook.change(symbols={"APPLE COMPUTER": "AAPL"})
    for each in reversed(kept):
        answer = await desk.post(f"/api/signals/{each.signal_id}/replay")
        assert answer.status_code == 201, answer.text
        replayed = await hook.processed(answer.json()["signal_id"])
        assert (replayed["status"], replayed["ticker"]) == ("executed", "AAPL")
        # And so is the replay of a replay.
        again = await desk.post(f"/api/signals/{replayed['signal_id']}/replay")
        assert (await hook.processed(again.json()["signal_id"]))["status"] == "executed"
    assert [str(order.quantity)[:3] for order in await orders(desk)] == ["2.2", "2.2", "1.1", "1.1"]


async def test_an_array_of_which_nothing_is_understood_is_400_and_kept(
    desk: DeskClient, hook: Hook
) -> None:
    body = [{"ticker": "AAPL", "number": n} for n in range(7)]
    for duplicates in range(2):
        answer = await hook.post(body)
        assert (answer.status_code, answer.json()["code"]) == (400, "NOT_UNDERSTOOD")
        kept = await rows(desk)
        assert [(row.status, row.duplicates) for row in kept] == [("failed", duplicates)] * 7
        detail = answer.json()["detail"]
        assert "does not say what to do" in detail
        assert "first of 7 alerts" in detail
        assert all(row.signal_id in detail for row in kept[:5])
        assert "and 2 more" in detail


async def test_an_array_that_is_understood_in_part_is_taken_in_part(
    desk: DeskClient, hook: Hook
) -> None:
    answer = await hook.send([buying(), {"ticker": "AAPL"}, 7, selling()])
    statuses = [each["status"] for each in answer["signals"]]
    assert statuses == ["received", "rejected", "rejected", "received"]
    await all_processed(desk)
    assert [str(order.side) for order in await orders(desk)] == ["buy", "sell"]


async def test_every_wrong_token_is_the_same_401(desk: DeskClient) -> None:
    deleted, rotated = await make_hook(desk), await make_hook(desk)
    assert (await desk.delete(f"/api/webhooks/{deleted.id}")).status_code == 204
    renewed = (await desk.post(f"/api/webhooks/{rotated.id}/rotate")).json()["token"]
    body = json.dumps(buying())
    wrong = json.dumps(buying(secret="0" * 43))
    answers = [
        await desk.post(f"/hooks/{deleted.token}", content=body),
        await desk.post(f"/hooks/{rotated.token}", content=body),
        await desk.post("/hooks/nobody", content=body),
        await desk.post("/api/webhook", content=body),
        await desk.post("/api/webhook", content=wrong),
        await desk.post("/api/webhook", content=body, headers={"X-Webhook-Token": deleted.token}),
        await desk.post(f"/api/webhook?token={rotated.token}", content=body),
        await desk.post("/api/webhook", content="hello"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    problems = [answer.json() for answer in answers]
    assert all(problem == problems[0] for problem in problems)
    assert problems[0]["code"] == "UNAUTHENTICATED"
    assert await rows(desk) == []
    assert (await desk.post(f"/hooks/{renewed}", content=body)).status_code == 200


async def test_too_many_wrong_tokens_slow_down_and_a_right_one_still_opens(
    desk: DeskClient, hook: Hook
) -> None:
    answers = [await desk.post(f"/hooks/wrong{n}", content="{}") for n in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [401] * 10
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert (await hook.post(buying())).status_code == 200


async def test_an_address_that_is_not_allowed_is_403(desk: DeskClient) -> None:
    hook = await make_hook(desk, allowed_addresses=["52.89.214.238", "10.0.0.0/8"])
    refused = await hook.post(buying(), X_Forwarded_For="10.1.2.3")
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert await rows(desk) == []
    await hook.change(allowed_addresses=["127.0.0.0/8"])
    assert (await hook.post(buying())).status_code == 200


async def test_a_trusted_proxy_says_whose_address_counts(sqlite_url: str) -> None:
    async with open_desk(sqlite_url, trusted_proxies=("127.0.0.1",)) as desk:
        hook = await make_hook(desk, allowed_addresses=["10.0.0.0/8"])
        assert (await hook.post(buying(), X_Forwarded_For="10.1.2.3")).status_code == 200
        assert (await hook.post(buying(), X_Forwarded_For="11.1.2.3")).status_code == 403
        assert (await hook.post(buying())).status_code == 403


async def test_too_fast_is_429_keeps_nothing_and_duplicates_are_free(timed: DeskClient) -> None:
    hook = await make_hook(timed, rate_per_minute=None)
    for n in range(10):
        assert (await hook.post(buying(n + 1))).status_code == 200
        for _ in range(3):
            assert (await hook.post(buying(n + 1))).json()["status"] == "duplicate"
    refused = await hook.post(buying(11))
    assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(refused.headers["Retry-After"]) <= 7
    assert len(await rows(timed)) == 10
    assert len(await audited(timed, "signal.received")) == 10
    # A duplicate is answered even now; and what was refused is taken when it comes in time.
    assert (await hook.post(buying(1))).json()["status"] == "duplicate"
    await pass_time(timed, int(refused.headers["Retry-After"]))
    assert (await hook.post(buying(11))).json()["status"] == "received"
    assert (await hook.post(buying(12))).status_code == 429
    assert [row.duplicates for row in await rows(timed)] == [4, *[3] * 9, 0]


async def test_each_webhook_has_an_allowance_of_its_own(timed: DeskClient) -> None:
    slow, other = await make_hook(timed, rate_per_minute=1), await make_hook(timed)
    assert (await slow.post(buying())).status_code == 200
    assert (await slow.post([buying(2), buying(3)])).status_code == 429
    assert [(await other.post(buying(n))).status_code for n in (1, 2, 3)] == [200] * 3
    assert len(await rows(timed)) == 4


@pytest.mark.parametrize("content_type", [*CONTENT_TYPES, None])
async def test_any_content_type_is_taken(sqlite_desk: DeskClient, content_type: str | None) -> None:
    hook = await make_hook(sqlite_desk)
    request = httpx2.Request(
        "POST", f"http://127.0.0.1:8000/hooks/{hook.token}", content=json.dumps(buying()).encode()
    )
    request.headers.pop("content-type", None)
    if content_type is not None:
        request.headers["content-type"] = content_type
    answer = await sqlite_desk.send(request)
    assert answer.status_code == 200, answer.text
    assert (await hook.processed(answer.json()["signal_id"]))["status"] == "executed"


@pytest.mark.parametrize("name", ["secret", "passphrase", "key", "apikey"])
@pytest.mark.parametrize("query", ["", "?token="])
async def test_a_secret_in_the_body_opens_and_is_never_kept(
    desk: DeskClient, name: str, query: str
) -> None:
    hook = await make_hook(desk)
    body = json.dumps(buying(**{name: hook.token}))
    answer = await desk.post(f"/api/webhook{query}", content=body)
    assert answer.status_code == 200, answer.text
    signal = await hook.processed(answer.json()["signal_id"])
    assert signal["status"] == "executed"
    # With the token where it belongs it is the same alert.
    plain = await hook.send(buying())
    assert hook.token not in answer.text + str(signal) + str(plain)
    assert hook.token not in await everything_stored(desk)


async def test_a_header_and_a_query_open(desk: DeskClient, hook: Hook) -> None:
    body = json.dumps(buying())
    by_header = await desk.post(
        "/api/webhook", content=body, headers={"X-Webhook-Token": hook.token}
    )
    by_query = await desk.post("/api/webhook", params={"token": hook.token}, content=body)
    by_url = await hook.post(body)
    answers = [by_header, by_query, by_url]
    assert [each.json()["status"] for each in answers] == ["received", "duplicate", "duplicate"]
    assert len({each.json()["signal_id"] for each in answers}) == 1


@pytest.mark.parametrize("ending", ["/", "?x=1", "/?x=1&account=nobody", "?%", "?x=%ff&x"])
@pytest.mark.parametrize("door", ["hooks", "api"])
async def test_what_stands_around_the_address_of_a_door_loses_no_alert(
    sqlite_desk: DeskClient, door: str, ending: str
) -> None:
    hook = await make_hook(sqlite_desk)
    path = f"/hooks/{hook.token}" if door == "hooks" else "/api/webhook"
    headers = {} if door == "hooks" else {"X-Webhook-Token": hook.token}
    answer = await sqlite_desk.post(path + ending, json=buying(), headers=headers)
    assert answer.status_code == 200, answer.text
    signal = await hook.processed(answer.json()["signal_id"])
    assert signal["status"] == "executed"
    # And it is the same alert as without.
    again = await sqlite_desk.post(path, json=buying(), headers=headers)
    assert again.json()["status"] == "duplicate"


async def test_there_is_nothing_below_a_door(sqlite_desk: DeskClient) -> None:
    hook = await make_hook(sqlite_desk)
    headers = {"X-Webhook-Token": hook.token}
    for path in ("/api/webhook/x", f"/hooks/{hook.token}/x"):
        answer = await sqlite_desk.post(path, json=buying(), headers=headers)
        assert answer.status_code == 404, path


@pytest.mark.parametrize("path", ["/hooks/", "/hooks//", "/hooks/nobody/", "/api/webhook/?x=1"])
async def test_no_token_is_no_token_whatever_the_address(
    sqlite_desk: DeskClient, path: str
) -> None:
    answer = await sqlite_desk.post(path, json=buying())
    assert answer.status_code in {401, 404}, answer.text


async def test_secrets_of_others_in_a_body_are_not_kept_either(
    desk: DeskClient, hook: Hook
) -> None:
    secret = "s3cr3t-of-a-broker-9f8e7d"  # noqa: S105 - it is none
    bodies: list[Any] = [
        buying(api_key=secret, api_secret=secret, signalToken=secret),
        [buying(2, passphrase=secret)],
        f"{secret}\nlong AAPL q=1",
        f"{secret}|my strategy|buy|AAPL",
        {"secret": secret, "nothing": "understood"},
    ]
    texts = [(await hook.post(body)).text for body in bodies]
    await all_processed(desk)
    texts += [str(await hook.signal(row.signal_id)) for row in await rows(desk)]
    assert len(await rows(desk)) == len(bodies)
    assert secret not in "".join(texts)
    assert secret not in await everything_stored(desk)


async def test_a_signature_is_needed_where_the_webhook_says_so(desk: DeskClient) -> None:
    hook = await make_hook(desk, signature_required=True)
    made = await desk.post(f"/api/webhooks/{hook.id}/signing-secret", json={})
    if made.status_code == 409:
        # PostgreSQL without PAPERDESK_SECRET.
        assert "PAPERDESK_SECRET" in made.json()["detail"]
        return
    assert (await hook.post(buying())).status_code == 401
    assert await rows(desk) == []
    assert made.json()["secret"] not in await everything_stored(desk)


async def test_the_list_of_signals_is_filtered_and_paged(desk: DeskClient, hook: Hook) -> None:
    for n in range(1, 5):
        await hook.done(buying(n, ticker="AAPL" if n % 2 else "MSFT"))
    await hook.post("hello")
    first = await desk.get("/api/signals?limit=2")
    shown = exact(first)
    assert [signal["ticker"] for signal in shown] == [None, "MSFT"]
    rest: list[Any] = []
    link = first.links.get("next")
    while link:
        answer = await desk.get(link["url"])
        rest += exact(answer)
        link = answer.links.get("next")
    assert [signal["understood"]["quantity"]["amount"] for signal in rest] == [3, 2, 1]
    for query, count in (
        ("ticker=AAPL", 2),
        ("status=failed", 1),
        ("processed=false", 0),
        (f"webhook_id={hook.id}", 5),
        ("webhook_id=other", 0),
    ):
        assert len((await desk.get(f"/api/signals?{query}")).json()) == count, query


async def test_the_limits_of_a_webhook_are_validated_once_a_delivery(
    sqlite_desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await make_hook(sqlite_desk, max_position=50)
    validated: list[str] = []

    def counted(webhook: Webhook) -> Limits:
        validated.append(webhook.id)
        return limits_of(webhook)

    monkeypatch.setattr("paperdesk.signals.arriving.limits_of", counted)
    await hook.send([buying(n) for n in range(1, 6)])
    assert validated == [hook.id]
