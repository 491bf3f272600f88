"""Two desks on one PostgreSQL database: one leads, and when it is gone the other does."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest

from paperdesk.settings import POSTGRESQL
from support.program import Program
from support.served import Served, complaints, serving

TAKEN_OVER_WITHIN = 15
"""Seconds: ten at the most, and what a machine adds that runs other tests beside."""
LEADER = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Desk:
    """One of the processes."""

    def __init__(self, served: Served) -> None:
        self.process = served.process
        self.http = httpx2.Client(base_url=served.url, timeout=10)

    def leads(self) -> bool:
        return bool(self.health()["leader"])

    def is_well(self) -> bool:
        return bool(self.health()["status"] == "ok")

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get("/api/health").json()
        return answer

    def buy(self) -> httpx2.Response:
        body = {"ticker": "AAPL", "side": "buy", "quantity": "0.01"}
        return self.http.post("/api/portfolio/trade", json=body)

    def stream(self, events: int) -> list[dict[str, Any]]:
        """The next events of the price stream."""
        seen: list[dict[str, Any]] = []
        with self.http.stream("GET", "/api/stream/prices") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                if len(seen) == events:
                    break
        return seen

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


class Table:
    """The database, as an administrator sees it."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url.replace(POSTGRESQL, "postgresql://"), autocommit=True)

    def ask(self, query: str) -> Any:
        row = self.connection.execute(query.encode()).fetchone()
        return row and row[0]


@pytest.fixture
def table(postgres_url: str) -> Iterator[Table]:
    table = Table(postgres_url)
    with table.connection:
        yield table


@pytest.fixture
def join(paperdesk: Program, postgres_url: str) -> Iterator[Callable[[], Desk]]:
    """Start one more desk on the database."""
    program = paperdesk.with_environment(DATABASE_URL=postgres_url)
    with ExitStack() as stack:

        def join() -> Desk:
            desk = Desk(stack.enter_context(serving(program)))
            stack.callback(desk.http.close)
            return desk

        yield join


def until(condition: Callable[[], bool], meanwhile: Callable[[], None] | None = None) -> float:
    """Wait; return the seconds that it took. Slower than a takeover may be is a failure."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < TAKEN_OVER_WITHIN
        if meanwhile:
            meanwhile()
        time.sleep(0.05)
    return time.monotonic() - begun


def test_prices_go_on_when_the_leader_is_killed_and_when_it_hangs(
    join: Callable[[], Desk], table: Table
) -> None:
    first, second = join(), join()
    assert (first.leads(), second.leads()) == (True, False)

    # The follower's stream moves, with the leader's prices.
    shown = second.stream(4)
    assert len({event["AAPL"]["timestamp"] for event in shown}) == 4
    until(lambda: table.ask("SELECT count(*) FROM price_bars") > 0)

    # Both are up for long enough; only the leader has written a snapshot.
    until(lambda: table.ask("SELECT count(*) FROM portfolio_snapshots") > 0)
    time.sleep(2.5)
    assert table.ask("SELECT count(*) FROM portfolio_snapshots") == 1

    # A ticker that nobody watches, asked for where no source is asked.
    assert second.http.get("/api/prices/ADHOC").status_code == 200
    trades = [second.buy()]

    first.signal(signal.SIGKILL)
    took = until(second.leads, meanwhile=lambda: trades.append(second.buy()))
    until(second.is_well)
    assert took < TAKEN_OVER_WITHIN
    assert len({event["ADHOC"]["timestamp"] for event in second.stream(3)}) >= 2
    trades.append(second.buy())

    # One that hangs is as good as dead; when it wakes up it follows.
    third = join()
    assert not third.leads()
    second.signal(signal.SIGSTOP)
    until(third.leads, meanwhile=lambda: trades.append(third.buy()))
    second.signal(signal.SIGCONT)
    until(lambda: not second.leads() and second.is_well())
    assert third.leads()
    trades += [second.buy(), third.buy()]

    # One whose connection is cut follows or leads again, but one leads.
    leader = table.ask(LEADER)
    table.ask(f"SELECT pg_terminate_backend({leader})")
    until(lambda: second.leads() != third.leads() and second.is_well() and third.is_well())
    assert table.ask(LEADER) != leader
    trades += [second.buy(), third.buy()]

    # And one that is told to stop hands over.
    stopping, staying = (second, third) if second.leads() else (third, second)
    stopping.signal(signal.SIGTERM)
    until(staying.leads, meanwhile=lambda: trades.append(staying.buy()))
    trades.append(staying.buy())
    assert stopping.process.wait(10) == 0
    assert stopping.process.stderr
    assert not [line for line in complaints(stopping.process.stderr.read()) if "Traceback" in line]

    # Each was booked or said why not, and what was booked is there, to the cent.
    refused = [answer for answer in trades if answer.status_code != 200]
    assert {answer.json()["code"] for answer in refused} <= {"PRICE_UNAVAILABLE"}
    assert all(answer.headers["retry-after"] for answer in refused)
    booked = [answer.json()["trade"] for answer in trades if answer.status_code == 200]
    assert len(booked) >= 7
    assert table.ask("SELECT count(*) FROM trades") == len(booked)
    spent = sum(Decimal(str(trade["value"])) for trade in booked)
    cash = staying.http.get("/api/portfolio").json()["cash_balance"]
    assert Decimal(str(cash)) == 10_000 - spent
