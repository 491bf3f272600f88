"""DNS rebinding and pages of other sites: on every kind of route, and on hooks as well."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from support.desk import DeskClient, open_desk
from support.doors import make_webhook

ORDER = {"ticker": "AAPL", "side": "buy", "quantity": 1}
ALERT = '{"ticker":"AAPL","action":"buy","quantity":1}'
FORBIDDEN = 403
ROUTES = (
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/docs/static/swagger-ui.css"),
    ("GET", "/api/health"),
    ("HEAD", "/api/health"),
    ("GET", "/api/portfolio"),
    ("GET", "/api/stream/prices"),
    ("GET", "/api/stream/events"),
    ("POST", "/api/orders"),
    ("POST", "/api/keys"),
    ("POST", "/api/webhook"),
    ("POST", "/hooks/TOKEN"),
    ("OPTIONS", "/api/orders"),
    ("GET", "/nothing"),
)
"""One of each kind."""

STRANGE_HOSTS = (
    [],
    [b""],
    [b"evil.com"],
    [b"evil.com:8000"],
    [b"localhost.evil.com"],
    [b"127.0.0.1.evil.com:8000"],
    [b"127.0.0.1:8000@evil.com"],
    [b"evil.com#127.0.0.1"],
    [b"127.0.0.1, evil.com"],
    [b"127.0.0.1 evil.com"],
    [b"127.0.0.1:8000x"],
    [b"127.0.0.1:"],
    [b"127.0.0.1\x00"],
    [b"0.0.0.0:8000"],
    [b"0"],
    [b"[::]:8000"],
    [b"[::1"],
    [b"::1"],
    [b"[::1].evil.com"],
    [b"[::ffff:127.0.0.1]:8000"],
    [b"[::1%lo]"],
    [b"localhost."],
    [b"192.168.1.5:8000"],
    [b"xn--localhost"],
    ["locаlhost".encode()],  # noqa: RUF001 - a Cyrillic letter
    [b"127.0.0.1", b"evil.com"],
    [b"evil.com", b"127.0.0.1"],
    [b"127.0.0.1", b"127.0.0.1"],
)


async def ask(
    desk: DeskClient, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes = b""
) -> tuple[int, bytes]:
    """Ask the app with exactly these headers. Return the status and the beginning of the body.

    It is given up once it has begun, unless it is refused: streams do not end.
    """
    begun: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    status = 0
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        if not begun.done() and (status != FORBIDDEN or "body" in message):
            begun.set_result((status, message.get("body", b"")))
        await asyncio.sleep(0)

    task = asyncio.create_task(desk.app(scope, receive, send))
    try:
        return await asyncio.wait_for(begun, 10)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def orders_of(desk: DeskClient) -> int:
    return len((await desk.get("/api/orders?status=all")).json())


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_no_route_answers_under_a_strange_host(
    sqlite_desk: DeskClient, route: tuple[str, str]
) -> None:
    method, path = route
    token = (await make_webhook(sqlite_desk))["token"]
    path = path.replace("TOKEN", token)
    for hosts in STRANGE_HOSTS:
        headers = [(b"host", host) for host in hosts]
        status, said = await ask(sqlite_desk, method, path, headers, ALERT.encode())
        assert status == 403, (route, hosts)
        assert b"does not answer under that host name" in said or method == "HEAD", hosts
        assert b"evil" not in said
    for host in (b"127.0.0.1:8000", b"localhost", b"[::1]:1", b"LocalHost:8000"):
        status, _ = await ask(sqlite_desk, method, path, [(b"host", host)], b"{}")
        assert status != 403, (route, host)


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0:8000", 403),  # noqa: S104 - it does not listen
        ({"host": "::"}, "[::]:8000", 403),
        ({"host": "::1"}, "[::1]:8000", 200),
        ({"host": "fd00::7"}, "[fd00::7]:8000", 200),
        ({"host": "FD00:0::7"}, "[fd00::7]:8000", 200),
        ({"host": "Desk.Example"}, "desk.example:8000", 200),
        ({"allowed_hosts": "fd00::8"}, "[fd00::8]:8000", 200),
        ({"allowed_hosts": "[fd00::8]"}, "[fd00::8]:8000", 200),
        ({"allowed_hosts": "desk.example:8443"}, "desk.example:8443", 200),
        ({"allowed_hosts": "*"}, "evil.com", 403),
        ({"allowed_hosts": "desk.example"}, "x.desk.example", 403),
    ],
    ids=repr,
)
async def test_a_desk_answers_under_the_names_that_it_was_given(
    sqlite_url: str, settings: dict[str, Any], host: str, status: int
) -> None:
    async with open_desk(sqlite_url, **settings) as desk:
        answer = await desk.get("/api/portfolio", headers={"host": host})

    assert answer.status_code == status


FOREIGN: tuple[dict[str, str], ...] = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
    {"sec-fetch-site": "Same-Origin"},
    {"sec-fetch-site": "anything"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://evil.com"},
    {"origin": "http://127.0.0.1:8001"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://localhost:8000"},
    {"origin": "http://127.0.0.1:8000.evil.com"},
    {"origin": "http://evil.com@127.0.0.1:8000"},
    {"origin": "http://127.0.0.1:8000@evil.com"},
    {"origin": "chrome-extension://127.0.0.1:8000"},
    {"origin": "file://127.0.0.1:8000"},
    {"origin": "//127.0.0.1:8000"},
    {"origin": "http://[::1]:8000"},
)
FORMS = (
    ("application/json", ALERT),
    ("text/plain", ALERT),
    ("text/plain;charset=UTF-8", f"{ALERT}="),
    ("application/x-www-form-urlencoded", "symbol=AAPL&action=buy&quantity=1"),
    ("multipart/form-data; boundary=x", ALERT),
)
"""What a page can send without asking first, and what it cannot."""


@pytest.mark.parametrize("headers", FOREIGN, ids=repr)
async def test_no_page_of_another_site_trades_by_any_door(
    sqlite_desk: DeskClient, headers: dict[str, str]
) -> None:
    token = (await make_webhook(sqlite_desk))["token"]
    paths = (
        "/api/orders",
        "/api/portfolio/trade",
        f"/hooks/{token}",
        f"/api/webhook?token={token}",
    )
    for path in paths:
        for kind, body in FORMS:
            answer = await sqlite_desk.post(
                path, content=body, headers={"content-type": kind} | headers
            )
            assert answer.status_code == 403, (path, kind)
            assert "access-control-allow-origin" not in answer.headers

    assert await orders_of(sqlite_desk) == 0
    assert (await sqlite_desk.get("/api/signals")).json() == []


@pytest.mark.parametrize("kind", [form[0] for form in FORMS])
async def test_a_page_that_asks_first_is_allowed_nothing(
    sqlite_desk: DeskClient, kind: str
) -> None:
    asking = {
        "origin": "https://evil.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
        "access-control-request-private-network": "true",
        "content-type": kind,
    }
    for path in ("/api/orders", "/hooks/x", "/api/webhook"):
        answer = await sqlite_desk.options(path, headers=asking)
        assert answer.status_code in {403, 405}
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_sender_that_is_no_browser_needs_neither_header_at_a_hook(
    sqlite_desk: DeskClient,
) -> None:
    """TradingView sends neither Origin nor Sec-Fetch-Site; the token alone says who it is."""
    token = (await make_webhook(sqlite_desk, mode="record"))["token"]
    agent = {"user-agent": "Go-http-client/1.1", "content-type": "text/plain; charset=utf-8"}

    answer = await sqlite_desk.post(f"/hooks/{token}", content=ALERT, headers=agent)

    assert (answer.status_code, answer.json()["status"]) == (200, "received")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_an_order_without_both_headers_still_needs_the_type_of_json(
    sqlite_desk: DeskClient, kind: str | None
) -> None:
    """An old browser's form sends neither: it cannot send JSON's type without asking first."""
    headers = {"content-type": kind} if kind else {}
    order = '{"ticker":"AAPL","side":"buy","quantity":1}'
    for path in ("/api/orders", "/api/portfolio/trade", "/api/killswitch", "/api/keys"):
        answer = await sqlite_desk.post(path, content=order, headers=headers)
        assert answer.status_code in {415, 422}, path

    assert await orders_of(sqlite_desk) == 0
