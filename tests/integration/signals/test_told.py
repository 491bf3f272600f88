"""What is told of signals: what was missed, to streams, to the audit trail, and to whom."""

import asyncio
from typing import Any

from sqlalchemy import select

from paperdesk.db.inspection import reading
from paperdesk.models import Signal
from support.desk import DeskClient, open_desk
from support.following import following
from support.hooks import Hook, all_processed, audited, buying, exact, make_hook, orders, selling
from support.keys import bearer, make_admin, make_key


async def test_an_alert_that_never_came_is_noticed_by_the_next_one(desk: DeskClient) -> None:
    hook = await make_hook(desk)
    first = await hook.done(
        buying(1, market_position="long", market_position_size=1, prev_market_position="flat")
    )
    lost = await hook.done(
        buying(2, market_position="long", prev_market_position="short", prev_market_position_size=1)
    )
    fine = await hook.done(selling(1, market_position="flat", prev_market_position="long"))
    other = await hook.done(buying(1, "MSFT", prev_market_position="short"))
    assert [each["missed"] for each in (first, fine, other)] == [None] * 3
    assert "The alert before left the strategy long 1, this one found it short 1" in lost["missed"]


async def test_streams_are_told_that_it_came_and_what_became_of_it(desk: DeskClient) -> None:
    hook = await make_hook(desk, max_position=5)
    async with following(desk.app.state.feed) as follower:
        bought = await hook.done(buying(2))
        await follower.until(lambda: len(follower.of("signal")) == 2)
        refused = await hook.done(buying(4))
        await hook.send(buying(4))
        await follower.until(lambda: len(follower.of("signal")) == 4)
        await follower.silent()
    told = follower.of("signal")
    assert [(each["signal_id"], each["status"], each["processed"]) for each in told] == [
        (bought["signal_id"], "queued", False),
        (bought["signal_id"], "executed", True),
        (refused["signal_id"], "queued", False),
        (refused["signal_id"], "rejected", True),
    ]
    assert told[1]["order_id"] == bought["order_id"]
    assert told[3]["error"] == refused["error"]


async def test_a_decision_is_told(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="propose")
    signal_id = (await hook.send(buying()))["signal_id"]
    async with following(desk.app.state.feed) as follower:
        await desk.post(f"/api/signals/{signal_id}/decline")
        # That it came may be told late, by way of the database.
        await follower.until(
            lambda: any(each["status"] == "rejected" for each in follower.of("signal"))
        )


async def test_the_audit_trail_says_that_the_webhook_did_it(desk: DeskClient) -> None:
    hook = await make_hook(desk, max_position=5, tickers=["AAPL"])
    await hook.done(buying(2))
    await hook.done(buying(4))
    await hook.send(buying(1, "MSFT"))
    await hook.send(buying(2))
    lines = await audited(desk)
    assert [line.action for line in lines] == [
        "signal.received",
        "signal.executed",
        "signal.received",
        "signal.rejected",
        "signal.rejected",
    ]
    assert {(line.actor, line.actor_id, line.user_id) for line in lines} == {
        ("webhook", hook.id, "default")
    }
    placed = await audited(desk, "order.placed")
    assert {(line.actor, line.actor_id) for line in placed} == {("webhook", hook.id)}


async def test_what_a_delivery_led_to_is_audited_under_its_request(
    desk: DeskClient, hook: Hook
) -> None:
    """Not under that of a later delivery of the same alert."""
    first = await hook.post(buying(2), X_Request_Id="the-first")
    await hook.post(buying(2), X_Request_Id="a-copy")
    signal = await hook.processed(first.json()["signal_id"])
    assert signal["request_id"] == "the-first"
    lines = [line for line in await audited(desk) if line.request_id == "the-first"]
    assert [line.action for line in lines] == ["signal.received", "signal.executed"]
    (placed,) = await audited(desk, "order.placed")
    assert placed.request_id == "the-first"
    again = await desk.post(
        f"/api/signals/{signal['signal_id']}/replay", headers={"X-Request-Id": "a-replay"}
    )
    replayed = await hook.processed(again.json()["signal_id"])
    assert (replayed["status"], replayed["request_id"]) == ("executed", "a-replay")


async def test_a_webhook_is_shown_without_its_token(desk: DeskClient) -> None:
    hook = await make_hook(desk, max_position=3)
    (listed,) = (await desk.get("/api/webhooks")).json()
    answer = await desk.get(f"/api/webhooks/{hook.id}")
    assert (answer.status_code, answer.json()) == (200, listed)
    assert (listed["id"], listed["limits"]["max_position"]) == (hook.id, 3)
    assert hook.token not in answer.text


async def test_what_a_webhook_is_made_and_changed_by_is_told(desk: DeskClient) -> None:
    hook = await make_hook(desk)
    await hook.change(max_position=3)
    await desk.post(f"/api/webhooks/{hook.id}/rotate")
    await desk.delete(f"/api/webhooks/{hook.id}")
    lines = await audited(desk, "webhook.")
    assert [line.action for line in lines] == [
        "webhook.made",
        "webhook.changed",
        "webhook.rotated",
        "webhook.removed",
    ]
    assert {line.subject for line in lines} == {hook.id}


async def test_a_key_of_another_account_finds_nothing(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    made = await desk.post(
        "/api/accounts", json={"name": "b", "cash_balance": 5_000}, headers=bearer(admin)
    )
    other = made.json()["id"]
    key = (await make_key(desk, "webhook", "trade", "read", by=admin, account_id=other))["key"]
    hook = await make_hook(desk, key=admin, mode="propose")
    signal_id = (await hook.send(buying()))["signal_id"]
    span = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    switch: dict[str, Any] = {"on": True}
    cases: list[tuple[str, str, Any]] = [
        ("GET", f"/api/webhooks/{hook.id}", None),
        ("PATCH", f"/api/webhooks/{hook.id}", {"name": "mine"}),
        ("DELETE", f"/api/webhooks/{hook.id}", None),
        ("POST", f"/api/webhooks/{hook.id}/rotate", None),
        ("POST", f"/api/webhooks/{hook.id}/signing-secret", {}),
        ("GET", f"/api/signals/{signal_id}", None),
        ("POST", f"/api/signals/{signal_id}/approve", None),
        ("POST", f"/api/signals/{signal_id}/decline", None),
        ("POST", f"/api/signals/{signal_id}/replay", None),
        ("POST", "/api/killswitch", switch | {"webhook_id": hook.id}),
        ("POST", "/api/killswitch", switch | {"account_id": "default"}),
        ("GET", "/api/webhooks?account=default", None),
        ("GET", "/api/signals?account=default", None),
        ("POST", "/api/signals/replay?account=default", span),
    ]
    for method, path, body in cases:
        answer = await desk.request(method, path, json=body, headers=bearer(key))
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.json()["code"] == "NOT_FOUND"
    for path in ("/api/webhooks", "/api/signals"):
        assert (await desk.get(path, headers=bearer(key))).json() == []
    answer = await desk.post(
        "/api/signals/replay", json=span | {"webhook_id": hook.id}, headers=bearer(key)
    )
    assert (answer.status_code, answer.json()) == (201, [])

    # Its own switch stops its own account, and it sees no other.
    own = await desk.post("/api/killswitch", json=switch, headers=bearer(key))
    assert own.json()["account_id"] == other
    await desk.post(
        "/api/killswitch", json=switch | {"account_id": "default"}, headers=bearer(admin)
    )
    shown = (await desk.get("/api/killswitch", headers=bearer(key))).json()
    assert [each["account_id"] for each in shown] == [other]
    assert (await hook.signal(signal_id))["status"] == "received"
    assert await orders(desk) == []


async def test_a_key_that_only_reads_changes_nothing(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    key = (await make_key(desk, "read", "trade", by=admin))["key"]
    hook = await make_hook(desk, key=admin, mode="propose")
    signal_id = (await hook.send(buying()))["signal_id"]
    for path in (
        "/api/webhooks",
        f"/api/webhooks/{hook.id}/rotate",
        f"/api/signals/{signal_id}/approve",
        f"/api/signals/{signal_id}/replay",
        "/api/killswitch",
    ):
        answer = await desk.post(path, json={}, headers=bearer(key))
        assert answer.status_code == 403, path
    assert (await desk.get(f"/api/signals/{signal_id}", headers=bearer(key))).status_code == 200


async def test_signals_can_be_read_beside_the_desk(database_url: str) -> None:
    """As programs do that open the database themselves; on PostgreSQL with another driver."""

    def payloads() -> list[Any]:
        with reading(database_url) as session:
            return list(session.scalars(select(Signal.payload)))

    async with open_desk(database_url) as desk:
        hook = await make_hook(desk)
        await hook.done('{"ticker": "AAPL", "action": "buy", "quantity": 0.1}')
        ((payload),) = await asyncio.to_thread(payloads)
    assert str(payload["quantity"]) == "0.1"


async def test_two_desks_share_one_queue(postgres_url: str) -> None:
    """What comes to the one that follows is executed by the one that leads, and told by both."""
    async with open_desk(postgres_url) as leader, open_desk(postgres_url) as follower:
        hook = await make_hook(follower)
        async with following(follower.app.state.feed) as told:
            answers = await asyncio.gather(
                *(follower.post(f"/hooks/{hook.token}", json=buying(2)) for _ in range(10)),
                *(leader.post(f"/hooks/{hook.token}", json=buying(2)) for _ in range(10)),
            )
            await told.until(lambda: len(told.of("signal")) >= 2)
        assert sorted(a.json()["status"] for a in answers) == ["duplicate"] * 19 + ["received"]
        await all_processed(follower)
        (order,) = await orders(leader)
        assert exact(await follower.get(f"/api/orders/{order.id}"))["status"] == "filled"
