"""PocketBase, the real binary: its transactional batch API makes the same three record changes.

It is set up to be fast: open to everybody, without request logs, records found by their ids, cash
and shares changed by modifiers. Its connections run with synchronous=NORMAL, which cannot be
changed from outside: unlike everything else here it does not wait for the disk at each commit.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.failures import Failed
from bench.load import Connection, post
from bench.rivals import schema
from bench.servers import Server, free_port, process
from bench.trading import TICKERS

ACCOUNT = "default00000000"
_MAIL, _PASSWORD = "bench@example.com", "only-for-this-run"
_OPEN = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), "")
_COLLECTIONS = {
    "accounts": {"cash": "number"},
    "positions": {"account": "text", "ticker": "text", "quantity": "number"},
    "trades": {
        "account": "text",
        "ticker": "text",
        "side": "text",
        "quantity": "number",
        "price": "number",
    },
}
_UNITS = schema.MILLION // 100


def version() -> str:
    """Return which PocketBase is measured."""
    done = subprocess.run([_binary(), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


@contextmanager
def pocketbase(folder: Path) -> Generator[Server]:
    """Serve a fresh PocketBase with one account and ten positions; its file is `data.db`."""
    port = free_port()
    places = [f"--dir={folder}", f"--migrationsDir={folder / 'none'}", "--automigrate=false"]
    subprocess.run(
        [_binary(), "superuser", "upsert", _MAIL, _PASSWORD, *places],
        capture_output=True,
        check=True,
    )
    command = [_binary(), "serve", f"--http=127.0.0.1:{port}", *places]
    with process(command) as started:
        server = Server(f"http://127.0.0.1:{port}", started)
        _set_up(_connection(server))
        yield server


def trade_request(ticker: int, selling: bool) -> bytes:  # noqa: FBT001 - a Request
    """Return a batch of three changes: cash, position, trade."""
    name = TICKERS[ticker]
    out, back = ("-", "+") if selling else ("+", "-")
    changes = [
        _change("PATCH", f"accounts/records/{ACCOUNT}", {f"cash{back}": _UNITS * schema.PRICE}),
        _change("PATCH", f"positions/records/{_position(ticker)}", {f"quantity{out}": _UNITS}),
        _change(
            "POST",
            "trades/records",
            {
                "account": ACCOUNT,
                "ticker": name,
                "side": "sell" if selling else "buy",
                "quantity": _UNITS,
                "price": schema.PRICE * schema.MILLION,
            },
        ),
    ]
    return post("/api/batch", json.dumps({"requests": changes}).encode())


def _set_up(connection: Connection) -> None:
    identity = {"identity": _MAIL, "password": _PASSWORD}
    path = "/api/collections/_superusers/auth-with-password"
    token = _ask(connection, "POST", path, identity)["token"]
    batch = {"enabled": True, "maxRequests": 50, "timeout": 60}
    settings = {"batch": batch, "logs": {"maxDays": 0}}
    _ask(connection, "PATCH", "/api/settings", settings, token)
    for name, fields in _COLLECTIONS.items():
        listed = [{"name": field, "type": kind} for field, kind in fields.items()]
        collection = {"name": name, "type": "base", "fields": listed, **_OPEN}
        _ask(connection, "POST", "/api/collections", collection, token)
    account = {"id": ACCOUNT, "cash": schema.CASH}
    _ask(connection, "POST", "/api/collections/accounts/records", account)
    for number, ticker in enumerate(TICKERS):
        held = {"id": _position(number), "account": ACCOUNT, "ticker": ticker, "quantity": 0}
        _ask(connection, "POST", "/api/collections/positions/records", held)
    connection.socket.close()


def _ask(connection: Connection, method: str, path: str, body: Any, token: str = "") -> Any:
    headers = [f"Authorization: {token}"] if token else []
    request = post(path, json.dumps(body).encode(), *headers, method=method)
    status, _, answer = connection.exchange(request)
    if status >= 300:
        raise Failed(f"PocketBase answered {method} {path} with {status}: {answer!r}")
    return json.loads(answer)


def _connection(server: Server) -> Connection:
    deadline = time.monotonic() + 30
    while True:
        try:
            return Connection(server.url)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _change(method: str, path: str, body: Any) -> Any:
    return {"method": method, "url": f"/api/collections/{path}", "body": body}


def _position(ticker: int) -> str:
    return f"position{ticker:07d}"


def _binary() -> str:
    found = shutil.which("pocketbase", path=str(Path(sys.executable).parent))
    if found is None:
        raise Failed("There is no PocketBase here: `make .venv-bench/.bench` installs it.")
    return found
