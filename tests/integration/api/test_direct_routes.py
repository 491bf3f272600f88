"""Routes that are called directly answer as FastAPI would have them answer."""

from typing import Any

import httpx2
import pytest

from paperdesk.api.codec import ExactRoute
from paperdesk.api.direct import is_direct
from paperdesk.app import ROUTERS
from support.desk import DeskClient

TRADE = "/api/portfolio/trade"
BATCH = "/api/orders/batch"
CASH = "/api/cash"
JSON = {"Content-Type": "application/json"}
BODIES: list[tuple[bytes, dict[str, str]]] = [
    (b"", JSON),
    (b"null", JSON),
    (b"[]", JSON),
    (b'"text"', JSON),
    (b"{}", JSON),
    (b"{", JSON),
    (b"\xff\xfe{}", JSON),
    (b"[" * 3000, JSON),
    (b'{"a": 1, "a": 1}', JSON),
    (b'{"a": NaN}', JSON),
    (b'{"quantity": ' + b"9" * 70 + b"}", JSON),
    (b'{"ticker": "AAPL", "side": "hold", "quantity": -1, "more": 1}', JSON),
    (b'{"ticker": "AAPL", "side": "buy", "quantity": {}}', JSON),
    (b'{"orders": [1, {"ticker": 1}], "x": 2}', JSON),
    (b'{"orders": {}}', JSON),
    (b'{"amount": "1_000", "kind": "gift"}', JSON),
    (b'{"ticker": "\\ud800", "side": "buy", "quantity": 1}', JSON),
    (b'{"ticker": "ZZZZ", "side": "buy", "quantity": 1}', JSON),
    (b'{"ticker": "AAPL", "side": "sell", "quantity": 1}', JSON),
    (b'{"ticker": "AAPL", "side": "buy", "quantity": 1}', {"Content-Type": "text/plain"}),
    (b'{"ticker": "AAPL", "side": "buy", "quantity": 1}', {}),
    (b'{"ticker": "AAPL", "side": "buy", "quantity": 1}', JSON | {"X-Account": "nobody"}),
    (b'{"ticker": "AAPL", "side": "buy", "quantity": 1}', JSON | {"Idempotency-Key": ""}),
]


async def through_fastapi(desk: DeskClient, path: str, body: bytes, headers: Any) -> Any:
    """Ask the same below a mount, where nothing is called directly."""
    transport = httpx2.ASGITransport(app=desk.app, raise_app_exceptions=False, root_path="/mount")
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.post(path, content=body, headers=headers)


def test_the_busiest_routes_are_called_directly() -> None:
    direct = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, ExactRoute) and is_direct(route)
        for method in route.methods or ()
    }
    assert direct >= {
        ("GET", "/api/portfolio"),
        ("GET", "/api/prices"),
        ("POST", TRADE),
        ("POST", BATCH),
        ("POST", CASH),
        ("POST", "/hooks/{token}"),
        ("POST", "/api/webhook"),
    }
    assert ("GET", "/api/trades") not in direct


@pytest.mark.parametrize("path", [TRADE, BATCH, CASH])
async def test_a_direct_route_refuses_in_the_same_words(sqlite_desk: DeskClient, path: str) -> None:
    for body, headers in BODIES:
        same_id = {**headers, "x-request-id": "the-same"}
        direct = await sqlite_desk.post(path, content=body, headers=same_id)
        other = await through_fastapi(sqlite_desk, path, body, same_id)

        assert direct.json() == other.json(), body
        assert direct.status_code == other.status_code
        assert direct.headers == other.headers
        assert 400 <= direct.status_code < 500, body


async def test_a_direct_route_answers_with_the_same_fields(sqlite_desk: DeskClient) -> None:
    body = b'{"ticker": "AAPL", "side": "buy", "quantity": 1}'

    direct = await sqlite_desk.post(TRADE, content=body, headers=JSON)
    other = await through_fastapi(sqlite_desk, TRADE, body, JSON)

    assert (direct.status_code, other.status_code) == (200, 200)
    assert list(direct.json()) == list(other.json())
    assert list(direct.json()["trade"]) == list(other.json()["trade"])
    assert other.json()["positions"][0]["quantity"] == 2


async def test_another_method_or_path_is_not_answered_directly(sqlite_desk: DeskClient) -> None:
    assert (await sqlite_desk.get(TRADE)).status_code == 405
    assert (await sqlite_desk.post("/api/portfolio")).status_code == 405
    assert (await sqlite_desk.post("/api/portfolio/trades")).status_code == 404


async def test_a_client_that_goes_away_within_its_body_is_not_an_error(
    sqlite_desk: DeskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": TRADE,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
    }
    await sqlite_desk.app(scope, receive, send)

    assert not sent
    assert "crashed" not in capsys.readouterr().err
