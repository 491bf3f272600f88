"""The gate: strange hosts, foreign pages, keys, and settings that stay as they are."""

import asyncio
import re
from base64 import b64encode
from hashlib import sha256

import pytest
from pydantic import ValidationError

from paperdesk.models import ApiKey
from paperdesk.settings import Settings
from support.desk import DeskClient, open_desk

WATCH = {"ticker": "MSFT"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("127.0.0.1", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("desk.example:8000", 200),
        ("localhost.evil.com", 403),
        ("evil.com:8000", 403),
        ("0.0.0.0:8000", 403),
        ("127.0.0.1.evil.com", 403),
        ("127.0.0.1:8000@evil.com", 403),
        ("", 403),
    ],
    ids=repr,
)
async def test_only_known_hosts_are_answered(sqlite_url: str, host: str, status: int) -> None:
    async with open_desk(sqlite_url, allowed_hosts="desk.example") as desk:
        answer = await desk.get("/api/portfolio", headers={"host": host})

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://evil.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"}, 403),
    ],
    ids=repr,
)
async def test_another_sites_page_cannot_change_the_desk(
    sqlite_desk: DeskClient, headers: dict[str, str], status: int
) -> None:
    answer = await sqlite_desk.post("/api/watchlist", json=WATCH, headers=headers)

    assert answer.status_code == status
    assert (await sqlite_desk.get("/api/watchlist", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/portfolio", [("x-account", "default"), ("x-account", "y")], 422),
        ("/api/portfolio?account=y", [("x-account", "default")], 422),
        ("/api/portfolio?account=y&account=default", [], 422),
        ("/api/portfolio?account=default", [("x-account", "default")], 200),
        ("/api/portfolio?account=a%00b", [], 404),
        ("/api/portfolio?account=%C3%A4", [], 404),
    ],
    ids=repr,
)
async def test_a_request_names_one_account(
    desk: DeskClient, path: str, headers: list[tuple[str, str]], status: int
) -> None:
    assert (await desk.get(path, headers=headers)).status_code == status


async def test_a_loopback_address_that_it_listens_on_is_answered(sqlite_url: str) -> None:
    async with open_desk(sqlite_url, host="127.0.0.2") as desk:
        answer = await desk.get("/api/portfolio", headers={"host": "127.0.0.2:8000"})

    assert answer.status_code == 200


async def test_answers_carry_the_headers_that_protect_a_browser(sqlite_desk: DeskClient) -> None:
    headers = (await sqlite_desk.get("/api/portfolio")).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    refused = (await sqlite_desk.get("/api/portfolio", headers={"host": "evil.com"})).headers
    assert refused["content-security-policy"] == headers["content-security-policy"]


async def test_the_documentation_may_run_its_own_script_and_no_other(
    sqlite_desk: DeskClient,
) -> None:
    page = await sqlite_desk.get("/docs")
    policy = page.headers["content-security-policy"]

    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert len(page.headers.get_list("content-security-policy")) == 1


async def test_a_key_that_was_made_closes_an_open_desk_within_a_second_but_not_its_health(
    desk: DeskClient,
) -> None:
    assert (await desk.get("/api/portfolio")).status_code == 200
    async with desk.app.state.database.write() as session:
        session.add(ApiKey(name="first", key_id="k", secret_hash="h", scopes=["read"]))

    closed = await desk.get("/api/portfolio")
    for _ in range(11):
        if closed.status_code == 401:
            break
        await asyncio.sleep(0.1)
        closed = await desk.get("/api/portfolio")

    assert (closed.status_code, closed.json()["code"]) == (401, "UNAUTHENTICATED")
    assert closed.headers["www-authenticate"] == "Bearer"
    assert (await desk.get("/api/health")).status_code == 200


async def test_with_auth_required_the_desk_is_closed_from_the_start(sqlite_url: str) -> None:
    async with open_desk(sqlite_url, auth="required") as desk:
        assert (await desk.post("/api/watchlist", json=WATCH)).status_code == 401


async def test_settings_are_one_frozen_object_also_under_concurrent_requests(
    sqlite_desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sqlite_desk.app.state.settings
    seen: list[Settings] = []

    @sqlite_desk.app.get("/probe/settings")
    async def probe() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        await asyncio.sleep(0)
        seen.append(sqlite_desk.app.state.desk.settings)
        return {}

    monkeypatch.setenv("PAPERDESK_PORT", "9")
    await asyncio.gather(*(sqlite_desk.get("/probe/settings") for _ in range(30)))

    assert {id(each) for each in seen} == {id(settings)}
    assert settings.port == 8000
    with pytest.raises(ValidationError):
        settings.port = 9


async def test_the_documentation_works_without_the_internet(sqlite_desk: DeskClient) -> None:
    page = await sqlite_desk.get("/docs")

    assert page.status_code == 200
    assert "https://" not in page.text.replace("https://github.com", "")
    assert "cdn" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/static/{asset}" in page.text
        assert (await sqlite_desk.get(f"/docs/static/{asset}")).status_code == 200
    assert (await sqlite_desk.get("/", follow_redirects=True)).status_code == 200
