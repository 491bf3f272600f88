"""What a key may do: less than it asks for is refused, and the refusal names what it takes."""

import pytest

from support.desk import DeskClient
from support.keys import bearer, make_admin, make_key

BUY = {"ticker": "AAPL", "side": "buy", "quantity": 1}
RESTING = BUY | {"type": "limit", "limit_price": 1, "time_in_force": "gtc"}
CASES: list[tuple[str, str, object, str]] = [
    ("GET", "/api/portfolio", None, "read"),
    ("GET", "/api/orders", None, "read"),
    ("GET", "/api/prices", None, "read"),
    ("GET", "/api/accounts", None, "read"),
    ("POST", "/api/portfolio/trade", BUY, "trade"),
    ("POST", "/api/orders", RESTING, "trade"),
    ("POST", "/api/orders/batch", {"orders": [BUY]}, "trade"),
    ("DELETE", "/api/orders", None, "trade"),
    ("DELETE", "/api/positions", None, "trade"),
    ("POST", "/api/watchlist", {"ticker": "AAPL"}, "trade"),
    ("POST", "/api/cash", {"amount": 1, "kind": "deposit"}, "admin"),
    ("POST", "/api/accounts", {"name": "x", "cash_balance": 1}, "admin"),
    ("PATCH", "/api/accounts/default", {"name": "x"}, "admin"),
    ("POST", "/api/accounts/default/reset", {}, "admin"),
    (
        "POST",
        "/api/corporate-actions",
        {"kind": "dividend", "key": "k", "ticker": "AAPL", "per_share": 1},
        "admin",
    ),
    ("POST", "/api/verify", None, "admin"),
    ("POST", "/api/reopen", {}, "admin"),
    ("GET", "/api/keys", None, "admin"),
    ("POST", "/api/keys", {"name": "x", "scopes": ["read"]}, "admin"),
    ("DELETE", "/api/keys/x", None, "admin"),
    ("POST", "/api/keys/x/rotate", None, "admin"),
]
ENOUGH = {
    "read": {"read", "trade", "webhook", "admin"},
    "trade": {"trade", "admin"},
    "webhook": {"webhook", "admin"},
    "admin": {"admin"},
}


@pytest.mark.parametrize("scope", ["read", "trade", "webhook", "admin"])
async def test_a_key_does_what_its_scope_says_and_nothing_more(
    desk: DeskClient, scope: str
) -> None:
    admin = await make_admin(desk)
    key = (await make_key(desk, scope, by=admin))["key"]

    for method, path, body, needed in CASES:
        answer = await desk.request(method, path, json=body, headers=bearer(key))
        if scope in ENOUGH[needed]:
            assert answer.status_code not in {401, 403}, (method, path, answer.text)
        else:
            assert answer.status_code == 403, (method, path)
            assert answer.json()["code"] == "FORBIDDEN"
            assert f"the scope {needed}" in answer.json()["detail"]


async def test_who_may_only_manage_webhooks_makes_no_trade_through_one(desk: DeskClient) -> None:
    admin = bearer(await make_admin(desk))
    body = {"name": "x", "mode": "execute"}
    trading = (await desk.post("/api/webhooks", json=body, headers=admin)).json()
    proposing = await desk.post("/api/webhooks", json=body | {"mode": "propose"}, headers=admin)
    path = f"/api/webhooks/{proposing.json()['id']}"
    content = '{"ticker":"AAPL","action":"buy","quantity":1}'
    delivered = await desk.post(f"/hooks/{proposing.json()['token']}", content=content)
    signal = f"/api/signals/{delivered.json()['signal_id']}"
    span = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    account = {"account_id": "default"}
    tries: list[tuple[str, str, object]] = [
        ("POST", "/api/webhooks", body),
        ("PATCH", path, {"mode": "execute"}),
        ("POST", f"/api/webhooks/{trading['id']}/rotate", None),
        ("POST", f"{signal}/replay", None),
        ("POST", "/api/signals/replay", span),
        ("POST", "/api/killswitch", {"on": True, "cancel_orders": True, **account}),
        ("POST", f"{signal}/approve", None),
    ]
    allowed: list[tuple[str, str, object]] = [
        ("POST", "/api/webhooks", body | {"mode": "propose"}),
        ("PATCH", path, {"name": "y", "mode": "record"}),
        ("POST", f"{path}/rotate", None),
        ("PATCH", f"/api/webhooks/{trading['id']}", {"enabled": False}),
        ("POST", "/api/killswitch", {"on": True, **account}),
        ("POST", "/api/killswitch", {"on": False, **account}),
    ]
    alone, both = [
        bearer((await make_key(desk, *scopes, by=admin["Authorization"].split()[1]))["key"])
        for scopes in (["webhook"], ["webhook", "trade"])
    ]

    for method, where, asked in tries:
        answer = await desk.request(method, where, json=asked, headers=alone)
        assert answer.status_code == 403, (method, where, answer.text)
        assert "the scope trade" in answer.json()["detail"]
    assert (await desk.get("/api/killswitch", headers=alone)).json() == []
    assert [each["status"] for each in (await desk.get("/api/signals", headers=alone)).json()] == [
        "received"
    ]
    for method, where, asked in allowed:
        answer = await desk.request(method, where, json=asked, headers=alone)
        assert answer.is_success, (method, where, answer.text)
    for method, where, asked in tries:
        answer = await desk.request(method, where, json=asked, headers=both)
        assert answer.is_success, (method, where, answer.text)


async def test_a_refusal_comes_before_the_body_is_looked_at(sqlite_desk: DeskClient) -> None:
    admin = await make_admin(sqlite_desk)
    key = (await make_key(sqlite_desk, "read", by=admin))["key"]

    answer = await sqlite_desk.post("/api/orders", content=b"{no", headers=bearer(key))

    assert answer.status_code == 403


async def test_a_key_of_an_account_makes_keys_for_that_account_alone(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    body = {"name": "b", "cash_balance": 5}
    other = (await desk.post("/api/accounts", json=body, headers=bearer(admin))).json()["id"]
    bound = (await make_key(desk, "admin", by=admin, account_id="default"))["key"]

    own = await make_key(desk, "trade", by=bound)
    foreign = {"name": "x", "scopes": ["read"], "account_id": other}
    unknown = foreign | {"account_id": "nobody"}
    answers = [
        await desk.post("/api/keys", json=each, headers=bearer(bound))
        for each in (foreign, unknown)
    ]
    listed = (await desk.get("/api/keys", headers=bearer(bound))).json()

    assert own["account_id"] == "default"
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert {key["account_id"] for key in listed} == {"default"}
