"""GET /api/stream/events of desks that really serve."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from support.program import Program
from support.served import Served, complaints, serving

PATH = "/api/stream/events"


@dataclass
class Stream:
    """What came on one connection, read by a thread."""

    lines: list[str] = field(default_factory=list[str])
    events: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    ended: bool = False

    def of(self, kind: str) -> list[Any]:
        return [data for name, data in list(self.events) if name == kind]

    @property
    def last_id(self) -> str:
        ids = [line for line in self.lines if line.startswith("id: ")]
        return ids[-1].removeprefix("id: ")

    def read(self, answer: httpx2.Response) -> None:
        """Read to the end. One that is cut off instead of ended stays open here."""
        kind = ""
        try:
            for line in answer.iter_lines():
                self.lines.append(line)
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                if line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "), parse_float=Decimal)
                    self.events.append((kind, data))
        except httpx2.HTTPError:
            return
        self.ended = True


def resident(pid: int) -> int:
    """Return how many bytes of memory a process uses."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def following(url: str, path: str = PATH, **headers: str) -> Iterator[Stream]:
    stream = Stream()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with (
        httpx2.Client(base_url=url, timeout=30) as http,
        http.stream("GET", path, headers=names) as answer,
    ):
        assert answer.status_code == 200
        stream.headers = answer.headers
        thread = threading.Thread(target=stream.read, args=[answer], daemon=True)
        thread.start()
        until(lambda: "" in stream.lines)
        yield stream
        if not stream.ended:
            # Ends what the thread waits for; the server may have done so before.
            with suppress(OSError):
                answer.extensions["network_stream"].get_extra_info("socket").shutdown(
                    socket.SHUT_RDWR
                )
        thread.join(10)


def buy(url: str, quantity: str = "0.01") -> dict[str, Any]:
    body = {"ticker": "AAPL", "side": "buy", "quantity": quantity}
    answer = httpx2.post(f"{url}/api/portfolio/trade", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    trade: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)["trade"]
    return trade


@pytest.fixture
def desk(paperdesk: Program, database_url: str) -> Iterator[Served]:
    with serving(paperdesk.with_environment(DATABASE_URL=database_url)) as served:
        yield served


def test_a_browser_follows_and_goes_on_where_it_was(desk: Served) -> None:
    with following(desk.url) as first:
        assert first.headers["content-type"].startswith("text/event-stream")
        assert (first.headers["cache-control"], first.headers["x-accel-buffering"]) == (
            "no-store",
            "no",
        )
        bought = buy(desk.url)
        until(lambda: first.of("account"))
    missed = buy(desk.url)
    with following(desk.url, Last_Event_ID=first.last_id) as second:
        then = buy(desk.url)
        until(lambda: len(second.of("trade")) >= 2)
    with following(desk.url, f"{PATH}?last_event_id={first.last_id}") as third:
        until(lambda: len(third.of("trade")) >= 2)
    assert first.lines[0] == "retry: 1000"
    assert first.of("trade") == [bought]
    assert second.of("trade") == third.of("trade") == [missed, then]
    assert not second.of("reset")


def test_after_a_restart_a_browser_is_told_to_read_again(
    paperdesk: Program, database_url: str
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=database_url)
    with serving(program) as served, following(served.url) as before:
        buy(served.url)
        until(lambda: before.of("account"))
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(10) == 0
        until(lambda: before.ended)
    with serving(program) as served, following(served.url, Last_Event_ID=before.last_id) as after:
        buy(served.url)
        until(lambda: after.of("account"))
    assert [kind for kind, _ in after.events] == ["reset", "order", "trade", "account"]


def test_a_stranger_is_told_that_there_is_no_such_account(desk: Served) -> None:
    answer = httpx2.get(f"{desk.url}{PATH}", headers={"X-Account": "nobody"})
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    answer = httpx2.get(f"{desk.url}{PATH}?since=1")
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


def test_told_to_stop_it_ends_event_streams_at_once(desk: Served) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(following(desk.url)) for _ in range(3)]
        desk.process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        until(lambda: all(stream.ended for stream in streams), 3)
        assert desk.process.wait(10) == 0
        assert time.monotonic() - asked < 4
    _, errors = desk.process.communicate()
    assert complaints(errors) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_clients_that_never_read_cost_no_memory_and_hold_nobody_up(
    paperdesk: Program, sqlite_url: str
) -> None:
    program = paperdesk.with_environment(DATABASE_URL=sqlite_url)
    with serving(program) as served, ExitStack() as stack:
        place = urlsplit(served.url)
        for _ in range(20):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((place.hostname, place.port))
            client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        note = "x" * 1000
        order = {"ticker": "AAPL", "side": "buy", "quantity": "0.0001", "note": note}
        http = stack.enter_context(httpx2.Client(base_url=served.url, timeout=30))
        reader = stack.enter_context(following(served.url))

        def flood(batches: int) -> None:
            for _ in range(batches):
                body = {"orders": [order] * 200}
                assert http.post("/api/orders/batch", json=body).status_code == 200
            booked.append(200 * batches)
            until(lambda: len(reader.of("trade")) == sum(booked) or reader.of("reset"))

        booked: list[int] = []
        # The ring fills up first.
        flood(30)
        before = resident(served.process.pid)
        flood(30)
        # Some 6,000 orders of 2 kB each, for 20 clients: were they queued, 240 MB.
        assert resident(served.process.pid) - before < 80 * 1024 * 1024
        assert not reader.of("reset")
        assert json.loads(http.get("/api/health").text)["status"] == "ok"


def test_what_one_process_books_is_told_by_all(paperdesk: Program, postgres_url: str) -> None:
    program = paperdesk.with_environment(DATABASE_URL=postgres_url)
    with (
        serving(program) as one,
        serving(program) as other,
        following(one.url) as here,
        following(other.url) as there,
    ):
        trades = [buy(url) for url in [one.url, other.url] * 5]
        for stream in (here, there):
            until(lambda stream=stream: len(stream.of("trade")) >= 10)
        time.sleep(0.3)
        assert here.of("trade") == there.of("trade") == trades
        assert not here.of("reset")
        os.kill(one.process.pid, signal.SIGKILL)
        trades.append(buy(other.url))
        until(lambda: len(there.of("trade")) == 11)
        assert there.of("trade") == trades
