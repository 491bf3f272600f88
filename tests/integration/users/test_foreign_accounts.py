"""A key of one account reads and moves nothing of another: every route is tried with its ids.

The routes come from the OpenAPI document. One that has a parameter or a body which is not known
here fails: say in the tables below what of account B it could name, or that it names nothing.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from paperdesk.models import ApiKey, Base, UserProfile
from support.desk import DeskClient
from support.keys import bearer, make_admin, make_key

NOBODY = "0192f2a4-5e0c-7cc1-8a1b-1c2d3e4f5a6b"
OF_NOBODY = {"ticker", "domain", "row_number"}
"""Path parameters that are no account's."""
NAMES_NOTHING = {
    "domain",
    "limit",
    "status",
    "side",
    "type",
    "source",
    "since",
    "until",
    "start",
    "end",
    "range",
    "points",
    "kind",
    "table",
    "by",
    "timeframe",
    "cancel_orders",
    "processed",
    "actor",
    "action",
    "level",
}
"""Query parameters that are nobody's."""

NEEDED = {"by": "strategy"}
"""Query parameters that a route asks for."""

SPAN = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
"""All of time."""

PER_PROCESS = {"portfolio_snapshots"}
"""Tables that the desk itself writes meanwhile."""


@dataclass(frozen=True)
class Foreign:
    """What there is of account B, and the keys of both accounts."""

    account: str
    order: str
    key: str
    webhook: str
    signal: str
    job: str
    marks: tuple[str, ...]
    """Texts that are in nothing but answers about B."""
    own: str
    own_key: str
    token: str
    """What opens B's webhook."""
    admin: str
    """The key of an administrator of the whole desk."""

    def path(self, name: str) -> str:
        """Return what a path parameter is filled with."""
        return {
            "order_id": self.order,
            "account_id": self.account,
            "key_id": self.key,
            "webhook_id": self.webhook,
            "signal_id": self.signal,
            "job_id": self.job,
            "row_number": "1",
            "ticker": "MSFT",
            "domain": "AI/Tech",
        }[name]

    def query(self, name: str) -> list[str]:
        """Return what a query parameter is tried with."""
        found = {
            "account": [self.account],
            "cursor": [self.order, self.account, self.key, self.webhook, "1000"],
            "client_order_id": ["b-key"],
            "strategy": ["b-strategy"],
            "ticker": ["MSFT"],
            "benchmark": ["MSFT"],
            "webhook_id": [self.webhook],
            "actor_id": [self.key, self.webhook],
            "subject": [self.order, self.webhook, self.signal, self.key, self.account],
            "request_id": ["b-request"],
            "job_id": [self.job],
        }
        return [] if name in NAMES_NOTHING else found[name]

    def body(self, operation: str) -> Any:
        """Return the body that an operation is tried with; None: it has none."""
        sale = {"ticker": "MSFT", "side": "sell", "quantity": 1}
        opening = {"name": "b-name", "cash_balance": 7000}
        action = {"kind": "split", "key": "b-action", "ticker": "MSFT", "numerator": 2}
        return {
            "trade": sale,
            "place_order": sale,
            "place_batch": {"orders": [sale | {"client_order_id": "b-key"}, sale]},
            "replace_order": {"quantity": 2},
            "close_position": {},
            "create_account": opening,
            "change_account": {"name": "taken", "cost_basis": "fifo"},
            "reset_account": {"cash_balance": 1},
            "clone": {"name": "b-name", "positions": True},
            "book_action": action | {"every_account": True},
            "move_cash": {"amount": 70, "kind": "deposit"},
            "reopen": {"accept": True},
            "watch": {"ticker": "MSFT"},
            "add_domain": {"name": "b-domain"},
            "put_stock": {"ticker": "MSFT", "domain": "EV"},
            "create_key": {"name": "x", "scopes": ["read"], "account_id": self.account},
            "replace_key": {"grace_seconds": 0},
            "create_webhook": {"name": "b-webhook", "mode": "execute"},
            "update_webhook": {"enabled": False, "mode": "execute", "name": "taken"},
            "rotate_signing_secret": {"grace_seconds": 0},
            "replay_signals": SPAN | {"webhook_id": self.webhook},
            "create_job": {"rows": [sale], "mode": "auto", "name": "taken"},
            "change_row": {"data": sale},
            "turn_killswitch": {"on": True, "account_id": self.account, "cancel_orders": True},
        }[operation]


@pytest.fixture
async def foreign(desk: DeskClient) -> Foreign:
    """Two accounts in one desk, B with something in every table that there is a route for."""
    admin = await make_admin(desk)
    b_opening = {"name": "b-name", "cash_balance": 7000}
    opened = await desk.post(
        "/api/accounts", json=b_opening, headers=bearer(admin) | {"Idempotency-Key": "open-b"}
    )
    account = opened.json()["id"]
    as_b = bearer(admin) | {"X-Account": account}
    labels = {"strategy": "b-strategy", "note": "b-note"}
    bought = await desk.trade("MSFT", "buy", 3, client_order_id="b-key", headers=as_b, **labels)
    resting = await desk.post(
        "/api/orders",
        json={
            "ticker": "MSFT",
            "side": "buy",
            "type": "limit",
            "limit_price": 1,
            "quantity": 1,
            "time_in_force": "gtc",
            **labels,
        },
        headers=as_b,
    )
    cash = await desk.post(
        "/api/cash",
        json={"amount": 70, "kind": "deposit", "note": "b-note"},
        headers=as_b | {"Idempotency-Key": "b-cash"},
    )
    await desk.post("/api/watchlist", json={"ticker": "BRK.B"}, headers=as_b)
    key = await make_key(desk, "read", by=admin, account_id=account)
    webhook, signal, token = await alerted(desk, as_b)
    job = await job_of(desk, as_b)
    own = (
        await desk.post(
            "/api/accounts", json={"name": "a", "cash_balance": 9000}, headers=bearer(admin)
        )
    ).json()["id"]
    bound = (await make_key(desk, "admin", by=admin, account_id=own))["key"]
    assert (await desk.trade("AAPL", "buy", 1, headers=bearer(bound))).status_code == 200
    assert resting.status_code == 201
    order = str(resting.json()["id"])
    marks = (
        account,
        order,
        bought.json()["trade"]["id"],
        bought.json()["trade"]["order_id"],
        cash.json()["id"],
        key["id"],
        key["key_id"],
        webhook,
        signal,
        job,
        "b-job",
        "b-name",
        "b-note",
        "b-alert",
        "b-request",
        '"b-strategy"',
    )
    return Foreign(account, order, key["id"], webhook, signal, job, marks, own, bound, token, admin)


async def alerted(desk: DeskClient, headers: dict[str, str]) -> tuple[str, str, str]:
    """Make a webhook, and a signal that waits for approval. Return their ids, and the token."""
    asked = {"name": "b-webhook", "mode": "propose"}
    made = (
        await desk.post(
            "/api/webhooks", json=asked, headers=headers | {"X-Request-ID": "b-request"}
        )
    ).json()
    alert = {"ticker": "MSFT", "action": "buy", "quantity": 1, "note": "b-alert"}
    sent = await desk.post(f"/hooks/{made['token']}", json=alert)
    assert sent.status_code == 200, sent.text
    return str(made["id"]), str(sent.json()["signal_id"]), str(made["token"])


async def job_of(desk: DeskClient, headers: dict[str, str]) -> str:
    """Make a job with a row that failed, and wait for its end. Return its id."""
    row = {"ticker": "MSFT", "side": "sell", "quantity": 1000, "note": "b-note"}
    body = {"rows": [row], "name": "b-job", "mode": "auto"}
    made = await desk.post("/api/jobs", json=body, headers=headers | {"Idempotency-Key": "b-key"})
    job_id = str(made.json()["id"])
    async with asyncio.timeout(20):
        path = f"/api/jobs/{job_id}"
        while not (await desk.get(path, headers=headers)).json()["completed_at"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return job_id


def operations(desk: DeskClient) -> Iterator[tuple[str, str, Any]]:
    """Give each operation that needs a key."""
    for path, methods in desk.app.openapi()["paths"].items():
        for method, operation in methods.items():
            if operation.get("security"):
                yield method.upper(), path, operation


def named(operation: Any, place: str) -> list[str]:
    return [each["name"] for each in operation.get("parameters", []) if each["in"] == place]


def chooses(operation: Any) -> bool:
    """Say whether a request chooses its account; else `account` only filters what it may see."""
    return "X-Account" in named(operation, "header")


def filled(path: str, operation: Any, foreign: Foreign, other: str | None = None) -> str:
    """Return a path with B's ids, or with `other` in the place of ids."""
    for name in named(operation, "path"):
        value = foreign.path(name)
        path = path.replace(f"{{{name}}}", other if other and name not in OF_NOBODY else value)
    return path


def tries(operation: Any, foreign: Foreign) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Give the query parameters and the headers to try an operation with."""
    needed = {name: NEEDED[name] for name in named(operation, "query") if name in NEEDED}
    yield needed, {}
    for name in named(operation, "query"):
        for value in foreign.query(name):
            yield needed | {name: value}, {}
    headers = named(operation, "header")
    for name in headers:
        values = {
            "X-Account": [foreign.account],
            "Idempotency-Key": ["b-key", "b-cash", "open-b"],
        }[name]
        for value in values:
            yield needed, {name: value}


async def ask(
    desk: DeskClient,
    key: str,
    method: str,
    path: str,
    operation: Any,
    foreign: Foreign,
    **more: Any,
) -> httpx2.Response:
    body = foreign.body(operation["operationId"]) if "requestBody" in operation else None
    headers = bearer(key) | more.pop("headers", {})
    return await desk.request(method, path, json=body, headers=headers, **more)


async def state_of(desk: DeskClient, account: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of an account, of every table."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    async with desk.app.state.database.read() as session:
        for table in Base.metadata.sorted_tables:
            if "user_id" in table.c and table.name not in PER_PROCESS:
                rows = await session.execute(select(table).where(table.c.user_id == account))
                found[table.name] = sorted((tuple(row) for row in rows), key=repr)
        row = await session.execute(select(UserProfile.__table__).where(UserProfile.id == account))
        found["users_profile"] = [tuple(each) for each in row]
    return found


async def test_no_route_reads_or_moves_anything_of_another_account(
    desk: DeskClient, foreign: Foreign
) -> None:
    before = await state_of(desk, foreign.account)
    asked = 0
    for method, path, operation in operations(desk):
        if "/stream" in path and not named(operation, "path"):
            # It does not end: below it is refused for a foreign account, and then followed.
            continue
        target = filled(path, operation, foreign)
        for query, headers in tries(operation, foreign):
            answer = await ask(
                desk,
                foreign.own_key,
                method,
                target,
                operation,
                foreign,
                params=query,
                headers=headers,
            )
            what = (method, path, query, headers, answer.text[:500])
            assert answer.status_code < 500, what
            assert not [mark for mark in foreign.marks if mark in answer.text], what
            chosen = {query.get("account"), headers.get("X-Account")}
            if chooses(operation) and foreign.account in chosen:
                assert answer.status_code == 404, what
            asked += 1

    assert asked > 100
    assert await state_of(desk, foreign.account) == before
    for table in ("orders", "positions", "watchlist", "webhooks", "signals", "jobs", "audit_logs"):
        assert before[table], table


async def test_what_is_another_accounts_looks_as_if_it_did_not_exist(
    desk: DeskClient, foreign: Foreign
) -> None:
    compared = 0
    for method, path, operation in operations(desk):
        names = set(named(operation, "path")) - OF_NOBODY
        places: list[dict[str, Any]] = [{}] if names else []
        if chooses(operation):
            places += [{"headers": {"X-Account": "?"}}, {"params": {"account": "?"}}]
        for place in places:
            answers: list[httpx2.Response] = []
            for other, account in ((None, foreign.account), (NOBODY, NOBODY)):
                target = filled(path, operation, foreign, other)
                with_id = {kind: dict.fromkeys(values, account) for kind, values in place.items()}
                if "params" in with_id:
                    with_id["params"] |= {
                        name: NEEDED[name] for name in named(operation, "query") if name in NEEDED
                    }
                answers.append(
                    await ask(desk, foreign.own_key, method, target, operation, foreign, **with_id)
                )
            theirs, nobodys = answers
            assert theirs.status_code == nobodys.status_code == 404, (method, path, place)
            assert theirs.content == nobodys.content, (method, path, place)
            compared += 1

    assert compared > 20


async def test_a_key_of_an_account_sees_that_account_alone(
    desk: DeskClient, foreign: Foreign
) -> None:
    headers = bearer(foreign.own_key)

    accounts = (await desk.get("/api/accounts", headers=headers)).json()
    own = (await desk.get("/api/portfolio", headers=headers)).json()
    named = await desk.get("/api/portfolio", headers=headers | {"X-Account": foreign.own})

    assert [account["id"] for account in accounts] == [foreign.own]
    assert [position["ticker"] for position in own["positions"]] == ["AAPL"]
    assert named.status_code == 200
    default = await desk.get("/api/portfolio", headers=headers | {"X-Account": "default"})
    assert default.status_code == 404


async def test_a_key_of_an_account_does_nothing_that_is_about_several(
    desk: DeskClient, foreign: Foreign
) -> None:
    headers = bearer(foreign.own_key)
    opening = {"name": "c", "cash_balance": 1}

    answers = [
        await desk.post("/api/accounts", json=opening, headers=headers),
        await desk.post(f"/api/accounts/{foreign.own}/clone", json={"name": "c"}, headers=headers),
        await desk.post("/api/verify", headers=headers),
        await desk.post("/api/reopen", json={}, headers=headers),
        await desk.post("/api/domains", json={"name": "c"}, headers=headers),
        await desk.delete("/api/stocks/MSFT", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6
    async with desk.app.state.database.read() as session:
        assert len((await session.scalars(select(UserProfile))).all()) == 3
        assert len((await session.scalars(select(ApiKey))).all()) == 3


async def test_the_list_of_accounts_goes_on_from_no_account_of_another(
    desk: DeskClient, foreign: Foreign
) -> None:
    theirs, nobodys = [
        await desk.get(f"/api/accounts?cursor={each}", headers=bearer(foreign.own_key))
        for each in (foreign.account, NOBODY)
    ]

    assert theirs.status_code == nobodys.status_code == 422
    assert theirs.content == nobodys.content


async def test_no_webhook_and_no_account_of_another_is_stopped_or_set_going(
    desk: DeskClient, foreign: Foreign
) -> None:
    headers = bearer(foreign.own_key)
    before = await state_of(desk, foreign.account)

    async def turn(**body: Any) -> httpx2.Response:
        return await desk.post("/api/killswitch", json=body, headers=headers)

    answers = [
        await turn(on=on, **who, **more)
        for on, more in ((True, {"cancel_orders": True}), (True, {}), (False, {}))
        for who in ({"webhook_id": foreign.webhook}, {"account_id": foreign.account})
    ]
    nobodys = [await turn(on=True, webhook_id=NOBODY), await turn(on=True, account_id=NOBODY)]
    mixed = await turn(on=True, webhook_id=foreign.webhook, account_id=foreign.own)

    assert [answer.status_code for answer in answers] == [404] * 6
    assert [answer.content for answer in answers[:2]] == [answer.content for answer in nobodys]
    assert mixed.status_code == 422
    assert await state_of(desk, foreign.account) == before


async def test_a_switch_that_names_nobody_is_the_keys_own_accounts_and_not_the_desks(
    desk: DeskClient, foreign: Foreign
) -> None:
    headers = bearer(foreign.own_key)
    before = await state_of(desk, foreign.account)

    turned = await desk.post(
        "/api/killswitch", json={"on": True, "cancel_orders": True}, headers=headers
    )
    after = await state_of(desk, foreign.account)
    alert = {"ticker": "MSFT", "action": "buy", "quantity": 2}
    sent = (await desk.post(f"/hooks/{foreign.token}", json=alert)).json()

    assert turned.json()["account_id"] == foreign.own
    assert after == before
    assert (sent["status"], sent["first"]["status"]) == ("received", "received")
    shown = (await desk.get("/api/killswitch", headers=headers)).json()
    assert [switch["account_id"] for switch in shown] == [foreign.own]
    # Another account's switch is nobody else's business; the desk's own is everybody's.
    for body in ({"on": True, "account_id": foreign.account, "reason": "b-note"}, {"on": True}):
        await desk.post("/api/killswitch", json=body, headers=bearer(foreign.admin))
    shown = (await desk.get("/api/killswitch", headers=headers)).json()
    assert [switch["account_id"] for switch in shown] == [None, foreign.own]
    released = await desk.post("/api/killswitch", json={"on": False}, headers=headers)
    assert released.json()["account_id"] == foreign.own
    left = (await desk.get("/api/killswitch", headers=bearer(foreign.admin))).json()
    assert [switch["account_id"] for switch in left] == [None, foreign.account]


async def test_a_span_is_replayed_of_the_keys_own_account_alone(
    desk: DeskClient, foreign: Foreign
) -> None:
    headers = bearer(foreign.own_key)
    await alerted(desk, headers)
    before = await state_of(desk, foreign.account)

    theirs = await desk.post(
        "/api/signals/replay", json=SPAN | {"webhook_id": foreign.webhook}, headers=headers
    )
    all_ = await desk.post("/api/signals/replay", json=SPAN, headers=headers)

    assert theirs.json() == []
    assert [signal["account_id"] for signal in all_.json()] == [foreign.own]
    assert await state_of(desk, foreign.account) == before


async def test_the_stream_of_an_account_tells_nothing_of_another(
    desk: DeskClient, foreign: Foreign
) -> None:
    feed = desk.app.state.feed
    said: list[bytes] = []

    async def follow(last_event_id: str | None) -> None:
        async for part in feed.follow(foreign.own, last_event_id):
            said.append(part)  # noqa: PERF401 - it does not end

    # Ids of events are no key to another account's log: at worst they are unknown.
    followers = [asyncio.create_task(follow(each)) for each in (None, "0", "1-1", foreign.order)]
    for _ in range(100):
        if feed.streams == len(followers):
            break
        await asyncio.sleep(0.01)
    as_b = bearer(foreign.admin) | {"X-Account": foreign.account}
    await desk.trade("MSFT", "buy", 1, headers=as_b, note="b-note")
    alert = {"ticker": "MSFT", "action": "buy", "quantity": 3, "note": "b-alert"}
    await desk.post(f"/hooks/{foreign.token}", json=alert)
    await desk.trade("AAPL", "buy", 1, headers=bearer(foreign.own_key), note="a-note")
    for _ in range(200):
        if b"".join(said).count(b"event: trade") >= len(followers):
            break
        await asyncio.sleep(0.01)
    for each in followers:
        each.cancel()
    await asyncio.gather(*followers, return_exceptions=True)

    text = b"".join(said).decode()
    assert text.count("event: trade") == len(followers)
    assert "AAPL" in text
    assert not [mark for mark in (*foreign.marks, "MSFT") if mark in text]


async def test_the_trail_shows_a_key_of_an_account_that_account_alone(
    desk: DeskClient, foreign: Foreign
) -> None:
    lines = (await desk.get("/api/audit?limit=500", headers=bearer(foreign.own_key))).json()
    all_ = (await desk.get("/api/audit?limit=500", headers=bearer(foreign.admin))).json()

    assert {line["account_id"] for line in lines} == {foreign.own}
    assert {foreign.own, foreign.account} < {line["account_id"] for line in all_}
