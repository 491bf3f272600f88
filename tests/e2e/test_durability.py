"""What was acknowledged is there after the process was killed, and nothing is there twice."""

import itertools
import os
import random
import signal
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from paperdesk.db.engine import Database
from support.program import Program
from support.served import Served, serving
from support.trading import assert_books_hold

KILLS = 3
CLIENTS = 6


class Client(threading.Thread):
    """Buys and sells as fast as it can, and remembers which keys were acknowledged."""

    def __init__(self, url: str, number: int, keys: Iterator[int]) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.number = number
        self.keys = keys
        self.acknowledged: dict[str, str] = {}
        self.sent: dict[str, dict[str, str]] = {}
        self.surprises: list[str] = []

    def run(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=10) as http:
            for n in self.keys:
                key = f"{self.number}-{n}"
                side = "sell" if n % 3 == 2 else "buy"
                body = {"ticker": "AAPL", "side": side, "quantity": f"0.{n % 9 + 1:03}"}
                self.sent[key] = body
                try:
                    answer = http.post(
                        "/api/portfolio/trade", json=body, headers={"Idempotency-Key": key}
                    )
                except httpx2.TransportError:
                    return
                if answer.status_code == 200:
                    self.acknowledged[key] = answer.json()["trade"]["id"]
                elif answer.status_code != 409:
                    self.surprises.append(answer.text)


def trade_until_killed(served: Served, enough: int, keys: Iterator[int]) -> list[Client]:
    clients = [Client(served.url, number, keys) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    while sum(len(client.acknowledged) for client in clients) < enough:
        clients[0].join(random.uniform(0.001, 0.02))
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    for client in clients:
        client.join()
    return clients


@pytest.fixture
def desk_program(paperdesk: Program, database_url: str) -> Program:
    return paperdesk.with_environment(DATABASE_URL=database_url)


async def test_no_acknowledged_trade_is_lost_and_no_key_has_two_effects(
    desk_program: Program, database_url: str
) -> None:
    keys = itertools.count()
    acknowledged: dict[str, str] = {}
    sent: dict[str, dict[str, str]] = {}
    for _ in range(KILLS):
        with serving(desk_program) as served:
            for client in trade_until_killed(served, random.randint(10, 60), keys):
                assert client.surprises == []
                acknowledged |= client.acknowledged
                sent |= client.sent
    assert len(acknowledged) >= 10 * KILLS

    with (
        serving(desk_program) as served,
        httpx2.Client(base_url=served.url, timeout=10) as http,
    ):
        for key, trade_id in acknowledged.items():
            again = http.post(
                "/api/portfolio/trade", json=sent[key], headers={"Idempotency-Key": key}
            )
            assert again.status_code == 200, again.text
            assert again.headers["Idempotent-Replayed"] == "true"
            assert again.json()["trade"]["id"] == trade_id

    database = Database(database_url)
    await assert_books_hold(database)
    await database.close()


def test_a_restart_finds_everything_as_it_was(paperdesk: Program) -> None:
    paths = ["/api/portfolio/history", "/api/trades", "/api/watchlist", "/api/portfolio"]
    with serving(paperdesk) as served, httpx2.Client(base_url=served.url, timeout=10) as http:
        http.post("/api/watchlist", json={"ticker": "PYPL"})
        http.delete("/api/watchlist/NFLX")
        for side, quantity in (("buy", "3.000000001"), ("sell", "1")):
            body = {"ticker": "AAPL", "side": side, "quantity": quantity}
            assert http.post("/api/portfolio/trade", json=body).status_code == 200
        before = [http.get(path).json() for path in paths]
        os.kill(served.process.pid, signal.SIGKILL)

    with serving(paperdesk) as served, httpx2.Client(base_url=served.url, timeout=10) as http:
        after = [http.get(path).json() for path in paths]

    assert after[0][: len(before[0])] == before[0]
    assert after[1] == before[1]
    assert [row["ticker"] for row in after[2]] == [row["ticker"] for row in before[2]]
    for field in ("cash_balance", "realized_pnl"):
        assert after[3][field] == before[3][field]
    (held,) = after[3]["positions"]
    assert (held["ticker"], Decimal(str(held["quantity"]))) == ("AAPL", Decimal("2.000000001"))
    assert {row["price"] is not None for row in after[2]} == {True}


def test_the_default_database_lies_in_the_users_data_folder(
    paperdesk: Program, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    program = Program(tmp_path, {"XDG_DATA_HOME": str(home)})
    with serving(program) as served:
        assert httpx2.get(f"{served.url}/api/health").json()["status"] == "ok"

    assert (home / "paperdesk" / "paperdesk.db").stat().st_mode & 0o777 == 0o600
    assert paperdesk.folder == tmp_path
