"""Secrets that were planted everywhere, and looked for everywhere else."""

import hmac
import importlib.util
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest

from paperdesk.settings import POSTGRESQL
from support.program import Program
from support.served import ready_at

DESK_SECRET = "canary-desk-secret-0123456789abcdef-canary"  # noqa: S105 - planted
DATABASE_PASSWORD = "canary-database-password"  # noqa: S105 - planted
PLANTED = {
    "PAPERDESK_SECRET": DESK_SECRET,
    "PAPERDESK_MASSIVE_API_KEY": "canary-massive-key",
    "OPENROUTER_API_KEY": "canary-openrouter-key",
    "PAPERDESK_API_KEY": "canary-api-key",
}
ALERT = {"ticker": "AAPL", "action": "buy", "quantity": 1}
KINDS = ("read", "trade", "webhook", "admin")


class Planting:
    """A client that keeps the secrets it was shown, and every answer in which it was not."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=10)
        self.secrets: set[str] = set(PLANTED.values()) | {DATABASE_PASSWORD}
        self.said: list[str] = []

    def shown(self, method: str, path: str, fields: tuple[str, ...], **more: Any) -> Any:
        """Ask for what is shown once, and keep the secrets in it."""
        answer = self.http.request(method, path, **more)
        assert answer.status_code in {200, 201}, answer.text
        found = answer.json()
        self.secrets |= {found[field] for field in fields}
        return found

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        answer = self.http.request(method, path, **more)
        self.said.append(f"{answer.status_code} {answer.headers!r} {answer.text}")
        assert answer.status_code < 500, answer.text
        return answer

    def found_in(self, text: str) -> set[str]:
        return {secret for secret in self.secrets if secret in text}


def bodies_with(secret: str) -> dict[str, bytes]:
    """Return every form of a body that has a secret in it, from the tests of the reader."""
    path = Path(__file__).parents[1] / "unit" / "signals" / "test_secrets.py"
    spec = importlib.util.spec_from_file_location("bodies_with_secrets", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, bytes] = {}
    for n, (name, said) in enumerate(module.BODIES.items()):
        text = said if isinstance(said, str) else json.dumps(said)
        # A body of its own each time, so that none is a duplicate.
        secret_here = f"{secret}-{n}"
        found[name] = (
            text.replace("hunter2-\\u0068unter2", secret_here)
            .replace(module.HIDE, secret_here)
            .encode()
        )
    return found


@pytest.fixture
def url_with_password(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    if dialect == "sqlite":
        return str(tmp_path / "desk.db")
    parts = urlsplit(str(request.getfixturevalue("postgres_url")).replace(POSTGRESQL, "x://"))
    user = parts.username or "postgres"
    host = parts.netloc.rpartition("@")[2]
    query = f"?{parts.query}" if parts.query else ""
    return f"postgresql://{user}:{DATABASE_PASSWORD}@{host}{parts.path}{query}"


def rows_of(url: str) -> Iterator[str]:
    """Give every row of every table as text."""
    if "://" not in url:
        with closing(sqlite3.connect(url)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (table,) in tables.fetchall():
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    yield f"{table}: {row!r}"
        return
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'.encode()):
                yield f"{table}: {row!r}"


def plant(desk: Planting) -> None:
    """Use every secret in every way that there is, rightly and wrongly."""
    admin = desk.shown(
        "POST", "/api/keys", ("key", "alpaca_secret_key"), json={"name": "a", "scopes": ["admin"]}
    )
    desk.http.headers["Authorization"] = f"Bearer {admin['key']}"
    keys = [
        desk.shown(
            "POST", "/api/keys", ("key", "alpaca_secret_key"), json={"name": kind, "scopes": [kind]}
        )
        for kind in KINDS
    ]
    desk.shown("POST", f"/api/keys/{keys[0]['id']}/rotate", ("key", "alpaca_secret_key"))
    desk.ask("DELETE", f"/api/keys/{keys[1]['id']}")
    for key in keys:
        pair = {
            "Authorization": "",
            "APCA-API-KEY-ID": key["alpaca_key_id"],
            "APCA-API-SECRET-KEY": key["alpaca_secret_key"],
        }
        for headers in (pair, {"Authorization": f"Bearer {key['key']}"}):
            for method, path in (("GET", "/api/portfolio"), ("POST", "/api/orders")):
                desk.ask(method, path, headers=headers, json={"side": key["key"]})
        broken = key["key"][:-1] + "!"
        desk.ask("GET", "/api/keys", headers={"Authorization": f"Bearer {broken}"})
        desk.ask("GET", f"/api/portfolio?api_key={key['key']}")
        desk.ask("GET", f"/api/keys/{key['key']}/nothing")
        desk.ask("DELETE", f"/api/keys/{key['key']}")
        # Its own id comes back to whoever asks; the trail has to hide it all the same.
        ask_as = {"X-Request-ID": key["key"][:64]}
        assert desk.http.post("/api/watchlist", json={"ticker": "MSFT"}, headers=ask_as).is_success
    plant_in_alerts(desk, admin["key"])


def plant_in_alerts(desk: Planting, admin: str) -> None:
    """Send the secrets of a webhook, and bodies with secrets, and read all that is kept."""
    door = desk.shown("POST", "/api/webhooks", ("token",), json={"name": "w", "mode": "execute"})
    signed = desk.shown(
        "POST",
        f"/api/webhooks/{door['id']}/signing-secret",
        ("secret",),
        json={"grace_seconds": 60},
    )
    token = door["token"]
    desk.http.headers.pop("Authorization")
    said = json.dumps({**ALERT, "url": f"http://x/hooks/{token}", "note": f"I am {token}"})
    for path, headers in (
        (f"/hooks/{token}", {}),
        (f"/api/webhook?token={token}", {}),
        ("/api/webhook", {"X-Webhook-Token": token}),
        (f"/hooks/{token}?x={token}", {}),
        (f"/api/webhook?token={token}&token=x", {}),
    ):
        desk.ask("POST", path, content=said, headers=headers)
        desk.ask("GET", path, headers=headers)
        desk.ask("POST", path, content=f"no form of {token}", headers=headers)
        desk.ask("POST", path, content=said.encode("utf-16"), headers=headers)
        desk.ask("POST", path, content=f'{{"quantity": {token}', headers=headers)
        desk.ask("POST", path, content=said + " " * 70_000, headers=headers)
        desk.ask("POST", path, content=said, headers=headers | {"Origin": "http://evil.com"})
        desk.ask("POST", path, content=said, headers=headers | {"Host": "evil.com"})
    desk.secrets.add("canary-unknown-token")
    for path in ("/hooks/canary-unknown-token", "/api/webhook?token=canary-unknown-token"):
        # Too many that open nothing came before.
        assert desk.ask("POST", path, content=said).status_code in {401, 429}
    desk.ask("POST", f"/hooks/{token}/", content=said)
    for name, body in bodies_with("canary-body-secret").items():
        desk.secrets.add("canary-body-secret")
        assert desk.ask("POST", f"/hooks/{token}", content=body).status_code in {200, 400}, name
    # Keys where nobody looks for them.
    for body in ({"note": admin}, {"x": [f"my key is {admin}!"]}, {"order_id": signed["secret"]}):
        desk.ask("POST", f"/hooks/{token}", json=ALERT | body)
    desk.ask("POST", f"/hooks/{token}", content=f"hello {admin}, buy AAPL")
    # The token itself as the body's secret, in JSON and in text.
    desk.ask("POST", "/api/webhook", json={**ALERT, "secret": token, "quantity": 3})
    desk.ask("POST", "/api/webhook", content=f"{token}|mine|buy|AAPL")
    desk.ask("POST", "/api/webhook", content=f"{token}\nlong AAPL q=1")
    for key, quantity in ((signed["secret"], 4), ("wrong", 5), (signed["secret"][:-1], 6)):
        body = json.dumps({**ALERT, "quantity": quantity, "note": signed["secret"]})
        now = str(int(time.time()))  # noqa: TID251 - the desk's clock is the machine's
        digest = hmac.new(key.encode(), f"v1:{now}:{body}".encode(), "sha256").hexdigest()
        headers = {"X-Paperdesk-Timestamp": now, "X-Paperdesk-Signature": f"v1={digest}"}
        desk.ask("POST", f"/hooks/{token}", content=body, headers=headers)
    headers = {"Authorization": f"Bearer {admin}"}
    time.sleep(1)
    for path in (
        *("/api/audit?limit=500", "/api/signals?limit=500", "/api/webhooks", "/api/keys"),
        *(f"/api/webhooks/{door['id']}", "/openapi.json", "/api/health", "/api/orders?status=all"),
        *("/api/trades", "/api/journal", "/docs", "/api/killswitch"),
    ):
        assert desk.ask("GET", path, headers=headers).status_code == 200, path
    with desk.http.stream(
        "GET", "/api/stream/events", headers=headers | {"Last-Event-ID": "0-0"}
    ) as answer:
        desk.http.post(
            f"/hooks/{token}", json={**ALERT, "quantity": 7, "token": token, "note": token}
        )
        text = ""
        deadline = time.monotonic() + 10
        for part in answer.iter_text():
            text += part
            if "event: signal" in text or time.monotonic() > deadline:
                break
        assert "event: signal" in text
        desk.said.append(text)
    desk.shown("POST", f"/api/webhooks/{door['id']}/rotate", ("token",), headers=headers)


def finished(program: Program, log: Path, meanwhile: Callable[[str], None]) -> list[str]:
    """Serve at level debug, and return what it printed. It is killed, and leaves its files."""
    with program.start("serve", "--port", "0", "--log-level", "debug", log=log) as process:
        try:
            meanwhile(ready_at(process, log))
        finally:
            process.kill()
        assert process.stdout
        return [process.stdout.read(), log.read_text()]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_no_secret_is_anywhere_but_where_it_was_shown_once(
    paperdesk: Program, url_with_password: str
) -> None:
    folder = paperdesk.folder
    log = folder / "stderr.log"
    program = paperdesk.with_environment(
        **PLANTED,
        DATABASE_URL=url_with_password,
        PAPERDESK_WEBHOOK_RATE_PER_MINUTE="100000",
        PAPERDESK_MASSIVE_URL="http://127.0.0.1:1",
    )
    # First with prices of Massive, which is not there: its key is used.
    output = finished(program, log, lambda _: time.sleep(1))
    planted: list[Planting] = []

    def plant_all(url: str) -> None:
        planted.append(Planting(url))
        with planted[0].http:
            plant(planted[0])

    output += finished(program.with_environment(PAPERDESK_MASSIVE_API_KEY=""), log, plant_all)
    (desk,) = planted
    for arguments in (("config",), ("doctor",), ("doctor", "--json")):
        result = program(*arguments)
        output += [result.out, result.err]
    rows = list(rows_of(url_with_password))

    assert len(desk.secrets) > 15
    assert len(rows) > 100
    assert len(desk.said) > 100
    assert all(output[each] for each in (0, 1, 2, 4, 6, 8))
    for what in (*desk.said, *output, *rows):
        assert not desk.found_in(what), what[:2000]
    for path in folder.rglob("*"):
        assert not desk.found_in(path.name)
        if path.is_file():
            content = path.read_bytes().decode("latin-1")
            assert not desk.found_in(content), (path, desk.found_in(content))
