"""A desk that really serves, and strangers who try it: hosts, floods, slowness, revoked keys."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.injections import INJECTIONS
from support.program import Program
from support.raw import connected, exchange, pour, resident
from support.served import Served, serving

ALERT = '{"ticker":"AAPL","action":"buy","quantity":1}'
MIB = 1024 * 1024
GIB = 1024 * MIB
FAST = {"PAPERDESK_WEBHOOK_RATE_PER_MINUTE": "100000"}
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is read from /proc"
)


@pytest.fixture
def served(paperdesk: Program) -> Iterator[Served]:
    with serving(paperdesk.with_environment(**FAST)) as served:
        yield served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One desk for all that leave it as it was."""
    folder = tmp_path_factory.mktemp("shared")
    program = Program(folder, {"DATABASE_URL": str(folder / "desk.db"), **FAST})
    with serving(program) as served:
        yield served


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def make_key(url: str, *scopes: str, by: str | None = None, **more: Any) -> Any:
    headers = bearer(by) if by else {}
    body = {"name": "x", "scopes": list(scopes), **more}
    answer = httpx2.post(f"{url}/api/keys", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def make_door(url: str, **more: Any) -> Any:
    body = {"name": "a door", "mode": "record", **more}
    answer = httpx2.post(f"{url}/api/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def is_well(url: str) -> bool:
    bought = {"ticker": "AAPL", "side": "buy", "quantity": 1}
    with httpx2.Client(base_url=url, timeout=10) as http:
        traded = http.post("/api/portfolio/trade", json=bought)
        return (
            http.get("/api/health").json()["status"] == "ok"
            and traded.status_code == 200
            and bool(http.post("/api/verify").json()["ok"])
        )


def until(condition: Callable[[], Any], seconds: float) -> float:
    """Wait; return how many seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1\r\nHost: evil.com\r\n",
        b"HTTP/1.1\r\nHost: 0.0.0.0:8000\r\n",
        b"HTTP/1.1\r\nHost: localhost.evil.com\r\n",
        b"HTTP/1.1\r\nHost: [::ffff:127.0.0.1]\r\n",
        b"HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.com\r\n",
        b"HTTP/1.1\r\nHost: evil.com\r\nHost: 127.0.0.1\r\n",
        b"HTTP/1.1\r\nHost:\r\n",
        b"HTTP/1.1\r\nX-Forwarded-Host: 127.0.0.1\r\n",
        b"HTTP/1.1\r\nHost : 127.0.0.1\r\n",
        b"HTTP/1.1\r\n Host: 127.0.0.1\r\n",
        b"HTTP/1.0\r\n",
    ],
    ids=repr,
)
def test_no_route_answers_under_another_host_on_the_wire(shared: Served, head: bytes) -> None:
    token = make_door(shared.url)["token"].encode()
    before = httpx2.get(f"{shared.url}/api/signals").json()
    for method, path in (
        (b"GET", b"/api/portfolio"),
        (b"GET", b"/api/stream/prices"),
        (b"GET", b"/api/stream/events"),
        (b"GET", b"/docs"),
        (b"GET", b"/api/health"),
        (b"POST", b"/hooks/" + token),
        (b"POST", b"/api/orders"),
    ):
        rest = b"Content-Length: 45\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        body = ALERT.encode() if method == b"POST" else b""
        rest = rest if body else b"Connection: close\r\n\r\n"
        answer = exchange(shared.url, method + b" " + path + b" " + head + rest + body)
        assert re.match(rb"HTTP/1\.[01] (400|403) ", answer), (path, answer[:200])

    assert httpx2.get(f"{shared.url}/api/signals").json() == before


@pytest.mark.parametrize("target", [b"http://evil.com/api/health", b"//evil.com/api/health"])
def test_a_target_that_names_another_host_changes_nothing(shared: Served, target: bytes) -> None:
    said = exchange(
        shared.url,
        b"GET " + target + b" HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n",
    )
    assert re.match(rb"HTTP/1\.1 (400|403) ", said), said[:200]


@needs_proc
@pytest.mark.parametrize("path", ["/api/orders", "/hooks/TOKEN", "/api/webhook", "/nothing"])
@pytest.mark.parametrize("framing", ["length", "chunked", "upload"])
def test_a_body_of_a_gigabyte_is_refused_and_not_kept(
    shared: Served, path: str, framing: str
) -> None:
    path = path.replace("TOKEN", make_door(shared.url)["token"])
    assert is_well(shared.url)
    before = resident(shared.process.pid)
    kind = "multipart/form-data; boundary=x" if framing == "upload" else "application/json"
    length = f"Content-Length: {GIB}" if framing == "length" else "Transfer-Encoding: chunked"
    part = b" " * MIB
    if framing != "length":
        part = f"{MIB:x}\r\n".encode() + part + b"\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
    most = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], resident(shared.process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    answer, _sent = pour(shared.url, head.encode(), part, GIB)
    over.set()
    watcher.join()

    # The answer may be lost where the connection closes while the client still sends.
    assert not answer or re.match(rb"HTTP/1\.1 (404|413|415) ", answer), answer[:200]
    assert most[0] - before < 24 * MIB
    assert is_well(shared.url)


def test_slow_clients_are_cut_off_and_meanwhile_hold_nobody_up(shared: Served) -> None:
    token = make_door(shared.url)["token"]
    hook = (
        f"POST /hooks/{token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n"
    ).encode()
    order = hook.replace(f"/hooks/{token}".encode(), b"/api/orders").replace(
        b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n"
    )
    begun = time.monotonic()
    with ExitStack() as stack:
        slow = [
            (stack.enter_context(connected(shared.url)), head, drop)
            for head, drop in (
                (hook, b" "),
                (order, b" "),
                (b"POST /hooks/x HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X"),
                (b"GET /api/por", b"t"),
            )
            for _ in range(50)
        ]
        for connection, head, _ in slow:
            connection.sendall(head)
        took: list[float] = []
        while time.monotonic() - begun < 9:
            for connection, _, drop in slow:
                with suppress(ConnectionError):
                    connection.send(drop)
            asked = time.monotonic()
            sent = httpx2.post(f"{shared.url}/hooks/{token}", content=ALERT)
            took.append(time.monotonic() - asked)
            assert sent.status_code == 200
            time.sleep(0.3)
        ended = 0
        for connection, _, _ in slow:
            connection.settimeout(max(0.1, begun + 16 - time.monotonic()))
            with suppress(ConnectionError):
                assert connection.recv(64).startswith(b"HTTP/1.1 408 ")
            ended += 1

    assert ended == 200
    assert time.monotonic() - begun < 17
    assert sorted(took)[len(took) // 2] < 0.5
    assert is_well(shared.url)


class Following:
    """A stream that is read by a thread, until it ends."""

    def __init__(self, url: str, path: str, key: str) -> None:
        self.begun = threading.Event()
        self.ended_after: float | None = None
        self.text = ""
        self._thread = threading.Thread(target=self._read, args=[url, path, key], daemon=True)
        self._thread.start()
        assert self.begun.wait(10)

    def _read(self, url: str, path: str, key: str) -> None:
        # One that is cut off instead of ended raises.
        with (
            suppress(httpx2.HTTPError),
            httpx2.Client(base_url=url, timeout=30) as http,
            http.stream("GET", path, headers=bearer(key)) as answer,
        ):
            for part in answer.iter_text():
                self.text += part
                self.begun.set()
            self.ended_after = time.monotonic()


@pytest.mark.parametrize("path", ["/api/stream/prices", "/api/stream/events"])
def test_a_stream_ends_when_its_key_is_revoked(served: Served, path: str) -> None:
    admin = make_key(served.url, "admin")["key"]
    reader, other = (make_key(served.url, "read", by=admin) for _ in range(2))
    stream = Following(served.url, path, reader["key"])
    stays = Following(served.url, path, other["key"])

    deleted = httpx2.delete(f"{served.url}/api/keys/{reader['id']}", headers=bearer(admin))
    assert deleted.status_code == 204
    asked = time.monotonic()
    order = {"ticker": "AAPL", "side": "buy", "quantity": 1, "note": "after-the-end"}
    # Something to tell: a stream that is silent tells nothing that it might not.
    traded = httpx2.post(f"{served.url}/api/portfolio/trade", json=order, headers=bearer(admin))
    assert traded.status_code == 200
    until(lambda: stream.ended_after, 5)

    assert stream.ended_after is not None
    assert stream.ended_after - asked < 2
    assert "after-the-end" not in stream.text
    assert stays.ended_after is None


def test_another_process_sees_a_revoked_key_within_a_second(
    paperdesk: Program, postgres_url: str
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=postgres_url, **FAST)
    with serving(program) as one, serving(program) as other:
        admin = make_key(one.url, "admin")["key"]
        key = make_key(one.url, "read", by=admin)
        with httpx2.Client(base_url=other.url, timeout=5, headers=bearer(key["key"])) as http:

            def status() -> int:
                return http.get("/api/prices").status_code

            # Known there, and used all the while.
            until(lambda: status() == 200, 5)
            stream = Following(other.url, "/api/stream/prices", key["key"])
            answer = httpx2.delete(f"{one.url}/api/keys/{key['id']}", headers=bearer(admin))
            assert answer.status_code == 204
            took = until(lambda: status() == 401, 3)
            until(lambda: stream.ended_after, 3)
        made = httpx2.post(
            f"{one.url}/api/webhooks",
            json={"name": "x", "mode": "record"},
            headers=bearer(admin),
        ).json()
        hook = f"{other.url}/hooks/{made['token']}"
        assert httpx2.post(hook, content=ALERT).status_code == 200
        path = f"{one.url}/api/webhooks/{made['id']}/rotate"
        assert httpx2.post(path, headers=bearer(admin)).status_code == 200
        until(lambda: httpx2.post(hook, content=ALERT).status_code in {401, 429}, 2)

    assert took < 1


def test_a_key_that_another_process_made_closes_this_one_within_a_second(
    paperdesk: Program, postgres_url: str
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=postgres_url)
    with serving(program) as one, serving(program) as other:
        path = f"{other.url}/api/portfolio"
        until(lambda: httpx2.get(path).status_code == 200, 5)
        make_key(one.url, "admin")
        assert until(lambda: httpx2.get(path).status_code == 401, 3) < 1


def test_tables_show_hostile_text_as_text(paperdesk: Program, served: Served) -> None:
    token = make_door(served.url, name="\x1b[2J=cmd|' /C calc'!A0")["token"]
    for n, text in enumerate(INJECTIONS):
        said = {"ticker": "AAPL", "action": "buy", "quantity": n + 1, "note": text, "x" + text: 1}
        assert httpx2.post(f"{served.url}/hooks/{token}", json=said).status_code == 200
        httpx2.post(f"{served.url}/hooks/{token}", content=text.encode())
    cli = paperdesk.with_environment(PAPERDESK_URL=served.url)
    first = httpx2.get(f"{served.url}/api/signals?limit=100").json()

    shown = [
        cli("signals", "--all"),
        cli("webhook", "list"),
        cli("audit", "--limit", "200"),
        *(cli("signal", signal["signal_id"]) for signal in first[:3]),
    ]

    for result in shown:
        assert (result.code, result.err) == (0, "")
        odd = {c for c in result.out if not c.isprintable() and c != "\n"}
        assert not odd, result.out


def test_another_server_logs_no_token_either(paperdesk: Program) -> None:
    """As `uvicorn --factory paperdesk.app:create_app` does, whose own log has every path."""
    log = paperdesk.folder / "uvicorn.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = os.environ | paperdesk.environment | {"PAPERDESK_LOG_LEVEL": "debug"}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "--factory",
                "paperdesk.app:create_app",
                "--port",
                port,
                "--log-level",
                "debug",
            ],
            cwd=paperdesk.folder,
            env=environment,
            stdout=errors,
            stderr=errors,
        )
    url = f"http://127.0.0.1:{port}"
    try:

        def is_up() -> bool:
            with suppress(httpx2.TransportError):
                return httpx2.get(f"{url}/api/health").status_code == 200
            return False

        until(is_up, 30)
        for path in ("/hooks/canary-in-path", "/api/webhook?token=canary-in-query"):
            assert httpx2.post(url + path, content=ALERT).status_code == 401
    finally:
        process.terminate()
        process.wait(20)

    assert "canary" not in log.read_text()
