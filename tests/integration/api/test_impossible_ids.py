"""What cannot be an id names nothing, whatever a database would say to it.

PostgreSQL takes no NUL in a text. The parameters come from the OpenAPI document, so that those of
a new route are tried too; one with a body and an id in its path has to be in BODIES.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from support.desk import DeskClient

BODIES: dict[str, Any] = {
    "change_account": {"name": "other", "cost_basis": "fifo"},
    "reset_account": {"cash_balance": 1},
    "clone": {"name": "other"},
    "replace_order": {"quantity": 2},
    "replace_key": {},
    "update_webhook": {"name": "other"},
    "rotate_signing_secret": {},
    "close_position": {},
    "change_row": {"data": {}},
    "receive_by_url": {"ticker": "AAPL", "action": "buy"},
}
"""A body that is good, of each operation that has one and text in its path."""
NEEDED = {"by": "strategy"}
"""Query parameters that a route asks for."""
IMPOSSIBLE = ["%00", "a%00b", "%ED%A0%80", "%F0%9F%A6%84", "%7F"]


def texts(operation: dict[str, Any], place: str) -> list[str]:
    """Return the parameters of an operation that are any text."""
    found: list[str] = []
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        kinds = [schema, *schema.get("anyOf", [])]
        if parameter["in"] == place and any(kind.get("type") == "string" for kind in kinds):
            found.append(parameter["name"])
    return found


def requests(document: dict[str, Any], text: str) -> Iterator[tuple[str, str, Any]]:
    """Yield a request for each text in a path, and for each in a query."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = operation["operationId"].split("-")[-1]
            needed = "&".join(
                f"{each['name']}={NEEDED[each['name']]}"
                for each in operation.get("parameters", [])
                if each["in"] == "query" and each["required"]
            )
            if inside := texts(operation, "path"):
                filled = path
                for each in inside:
                    filled = filled.replace(f"{{{each}}}", text)
                body = BODIES[name] if "requestBody" in operation else None
                yield method, f"{filled}?{needed}" if needed else filled, body
            elif method == "get" and "stream" not in path:
                for each in texts(operation, "query"):
                    rest = "" if each in NEEDED else f"&{needed}"
                    yield method, f"{path}?{each}={text}{rest}".rstrip("&"), None


@pytest.mark.parametrize("text", IMPOSSIBLE)
async def test_no_text_in_a_path_or_a_query_is_an_error_of_the_desk(
    desk: DeskClient, text: str
) -> None:
    document = desk.app.openapi()
    failed: list[str] = []
    asked = 0
    for method, url, body in requests(document, text):
        answer = await desk.request(method, url, json=body)
        asked += 1
        if answer.status_code >= 500:
            failed.append(f"{method} {url}: {answer.status_code}")
    assert failed == []
    assert asked > 50


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/orders/{}"),
        ("delete", "/api/orders/{}"),
        ("get", "/api/signals/{}"),
        ("post", "/api/signals/{}/approve"),
        ("post", "/api/signals/{}/decline"),
        ("post", "/api/signals/{}/replay"),
        ("get", "/api/webhooks/{}"),
        ("delete", "/api/webhooks/{}"),
        ("post", "/api/webhooks/{}/rotate"),
        ("delete", "/api/keys/{}"),
        ("post", "/api/keys/{}/rotate"),
    ],
)
async def test_what_cannot_be_an_id_is_not_found(desk: DeskClient, method: str, path: str) -> None:
    for text in IMPOSSIBLE:
        answer = await desk.request(method, path.format(text))
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), text


SPAN = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}


@pytest.mark.parametrize("text", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/keys", '{"name": "x", "scopes": ["read"], "account_id": "%s"}'),
        ("/api/killswitch", '{"on": true, "account_id": "%s"}'),
        ("/api/killswitch", '{"on": true, "webhook_id": "%s"}'),
        ("/api/signals/replay", '{"since": "%(since)s", "until": "%(until)s", "webhook_id": "@"}'),
        ("/api/webhooks", '{"name": "x", "mode": "record", "symbols": {"%s": "AAPL"}}'),
        ("/api/webhooks", '{"name": "x", "mode": "record", "%s": 1}'),
        ("/api/webhooks", '{"name": "x", "mode": "record", "tickers": ["%s"]}'),
        ("/api/webhooks", '{"name": "x", "mode": "record", "allowed_addresses": ["%s"]}'),
    ],
)
async def test_a_body_with_what_no_database_keeps_is_refused(
    desk: DeskClient, path: str, body: str, text: str
) -> None:
    sent = (body % SPAN).replace("@", text) if "@" in body else body % text
    headers = {"Content-Type": "application/json"}
    answer = await desk.post(path, content=sent, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")
