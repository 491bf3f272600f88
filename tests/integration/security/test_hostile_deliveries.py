"""Bodies that mean harm, through the door: refused or understood harmlessly, never a 5xx."""

import gzip
import importlib.util
import json
import unicodedata
import zlib
from pathlib import Path
from types import ModuleType

import httpx2
import pytest

from support.desk import DeskClient
from support.doors import is_well, make_webhook
from support.injections import INJECTIONS

HARMLESS = {200, 400, 413}


def corpus() -> ModuleType:
    """Load the bodies that the reader is tried with by itself."""
    path = Path(__file__).parents[2] / "unit" / "signals" / "test_hostile_bodies.py"
    spec = importlib.util.spec_from_file_location("hostile_bodies", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bodies() -> dict[str, bytes]:
    module = corpus()
    bomb = b"\x1f\x8b\x08\x00" + b"\x00" * 6 + zlib.compress(b"0" * 50_000_000)[2:-4]
    return {
        **{f"broken: {name}": raw for name, (raw, _) in module.BROKEN.items()},
        **{f"slow: {name}": raw for name, raw in module.SLOW.items()},
        **{f"injection {n}": text.encode() for n, text in enumerate(INJECTIONS)},
        **{
            f"injection {n} as {field}": json.dumps({"ticker": "AAPL", field: text}).encode()
            for n, text in enumerate(INJECTIONS)
            for field in ("action", "ticker")
        },
        "gzip bomb": gzip.compress(b"0" * 60_000_000)[:60_000],
        "another bomb": bomb,
        "every byte": bytes(range(256)) * 200,
        "every byte in JSON": b'{"ticker":"' + bytes(range(35, 256)) + b'"}',
    }


async def deliver(desk: DeskClient, path: str, raw: bytes, **headers: str) -> httpx2.Response:
    return await desk.post(path, content=raw, headers=headers)


async def test_no_body_brings_the_desk_into_trouble(desk: DeskClient) -> None:
    made = await make_webhook(desk, mode="record")
    by_path, by_query = f"/hooks/{made['token']}", f"/api/webhook?token={made['token']}"
    tried = bodies()
    for n, (name, raw) in enumerate(tried.items()):
        answer = await deliver(desk, (by_path, by_query)[n % 2], raw)
        assert answer.status_code in HARMLESS, (name, answer.text)
        assert made["token"] not in answer.text
        if answer.status_code != 200:
            assert answer.json()["code"]

    assert len(tried) > 200
    stored = (await desk.get("/api/signals?limit=500")).json()
    assert len(stored) > 100
    assert not [signal for signal in stored if signal["order_id"]]
    assert await is_well(desk)


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x" * 9000]
)
async def test_nothing_is_unpacked_whatever_a_sender_says(
    sqlite_desk: DeskClient, encoding: str
) -> None:
    made = await make_webhook(sqlite_desk)
    alert = b'{"ticker":"AAPL","action":"buy","quantity":1}'
    path = f"/hooks/{made['token']}"
    packed = gzip.compress(alert)
    headers = {"content-encoding": encoding}

    for raw in (packed, gzip.compress(b"0" * 40_000_000)):
        answer = await deliver(sqlite_desk, path, raw, **headers)
        assert answer.status_code == 400
        assert "compressed" in answer.text

    assert (await sqlite_desk.get("/api/orders?status=all")).json() == []


@pytest.mark.parametrize(
    "name",
    ["Content-Type", "Idempotency-Key", "X-Paperdesk-Signature", "X-Paperdesk-Timestamp"],
)
async def test_hostile_headers_are_refused_or_left_aside(
    sqlite_desk: DeskClient, name: str
) -> None:
    path = f"/hooks/{(await make_webhook(sqlite_desk, mode='record'))['token']}"
    alert = b'{"ticker":"AAPL","action":"buy","quantity":1}'
    values = [b"", b"\xff\xfe", b"\x00", b"x" * 50_000, *(t.encode()[:2000] for t in INJECTIONS)]
    for value in values:
        clean = value.replace(b"\r", b"").replace(b"\n", b"")
        answer = await sqlite_desk.post(path, content=alert, headers={name.encode(): clean})
        assert answer.status_code < 500, (name, value[:60], answer.text)

    assert await is_well(sqlite_desk)


@pytest.mark.parametrize(
    "token",
    [
        *("%00", "%2e%2e%2f", "..", "%ff%fe", "a/b", "a%2Fb", "x" * 60_000, "%F0%9F%9A%80", "'--"),
        *("%0d%0aSet-Cookie:a=b", "?token=", "%25", "{token}", " "),
    ],
    ids=range(14),
)
async def test_a_hostile_token_is_no_token(sqlite_desk: DeskClient, token: str) -> None:
    alert = b'{"ticker":"AAPL","action":"buy","quantity":1}'
    for path in (f"/hooks/{token}", f"/api/webhook?token={token}"):
        answer = await sqlite_desk.post(path, content=alert)
        assert answer.status_code in {307, 401, 404, 405, 422}, (path[:80], answer.text)
        assert "set-cookie" not in answer.headers

    assert (await sqlite_desk.get("/api/signals")).json() == []


async def test_text_that_means_harm_comes_back_as_data(desk: DeskClient) -> None:
    path = f"/hooks/{(await make_webhook(desk, mode='record'))['token']}"
    for n, text in enumerate(INJECTIONS):
        said = {"ticker": "AAPL", "action": "buy", "quantity": n + 1, "note": text}
        answer = await desk.post(path, json=said)
        assert answer.json()["status"] == "received", text

    answer = await desk.get("/api/signals?limit=500")

    assert answer.headers["content-type"] == "application/json"
    # Escaped: what a terminal would obey is not in there as itself.
    assert not [c for c in answer.text if unicodedata.category(c) == "Cc"]
    signals = {s["understood"]["quantity"]["amount"]: s for s in answer.json()}
    assert len(signals) == len(INJECTIONS)
    for n, text in enumerate(INJECTIONS):
        signal = signals[n + 1]
        assert (signal["understood"]["intent"], signal["ticker"]) == ("buy", "AAPL"), text
        assert json.loads(signal["raw"])["note"] == text
        assert "\x1b" not in (signal["understood"]["note"] or "")
    assert (await desk.get("/api/orders?status=all")).json() == []
