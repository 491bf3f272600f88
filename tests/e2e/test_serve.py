"""`paperdesk serve`: the real desk in a process of its own."""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from support.program import Program
from support.served import Served, complaints, serving


@pytest.fixture
def served(paperdesk: Program) -> Iterator[Served]:
    """A desk that is ready."""
    with serving(paperdesk) as served:
        yield served


def test_a_desk_can_be_traded_on_from_the_command_line(paperdesk: Program, served: Served) -> None:
    cli = paperdesk.with_environment(PAPERDESK_URL=served.url)

    bought = cli("buy", "AAPL", "2.5", "--strategy", "test")
    account = json.loads(cli("portfolio", "--json").out)
    history = cli("trades")
    prices = cli("prices", "AAPL")

    assert (bought.code, bought.err) == (0, "")
    assert bought.out.startswith("Bought 2.5 AAPL at ")
    assert [position["ticker"] for position in account["positions"]] == ["AAPL"]
    assert "test" in history.out
    assert "AAPL" in prices.out


def test_a_real_refusal_has_its_code(paperdesk: Program, served: Served) -> None:
    cli = paperdesk.with_environment(PAPERDESK_URL=served.url)

    unpaid = cli("buy", "AAPL", "1000000")
    unheld = cli("sell", "AAPL", "1")
    unreadable = cli("buy", "AAPL", "ten")

    assert (unpaid.code, "[INSUFFICIENT_CASH]" in unpaid.err) == (1, True)
    assert (unheld.code, "[INSUFFICIENT_SHARES]" in unheld.err) == (1, True)
    assert (unreadable.code, "[INVALID_REQUEST]" in unreadable.err) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_open_streams_and_exits_0(
    served: Served, number: signal.Signals
) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(httpx2.Client(base_url=served.url, timeout=10))
        sources = [iter(stack.enter_context(client.sse("/api/stream/prices"))) for _ in range(2)]
        for source in sources:
            next(source)
        served.process.send_signal(number)
        asked = time.monotonic()

        # To its end: a stream that is cut off instead raises here.
        for source in sources:
            list(source)
        assert served.process.wait(timeout=10) == 0
        assert time.monotonic() - asked < 5

    out, errors = served.process.communicate()
    assert out.endswith("Paperdesk has stopped.\n")
    assert complaints(errors) == []


def test_told_to_stop_it_waits_for_no_request_that_is_half_sent(served: Served) -> None:
    with (
        half_sent(served.url),
        httpx2.Client(base_url=served.url, timeout=10) as client,
        client.sse("/api/stream/prices") as stream,
    ):
        source = iter(stream)
        next(source)
        served.process.send_signal(signal.SIGTERM)
        asked = time.monotonic()

        list(source)
        assert served.process.wait(timeout=10) == 0
        assert time.monotonic() - asked < 5

    _, errors = served.process.communicate()
    assert "Traceback" not in errors
    assert len(complaints(errors)) <= 1


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"x" * 4096),
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X: 1\r\n" * 1000),
        (b"GET /", b"x" * 4096),
    ],
    ids=["one header", "many headers", "address"],
)
def test_endless_headers_are_refused_and_not_kept(served: Served, head: bytes, part: bytes) -> None:
    httpx2.get(f"{served.url}/api/health")
    before = resident(served.process.pid)

    answer, sent = pour(served.url, head, part, 32 * 1024 * 1024)

    assert answer.startswith(b"HTTP/1.1 431 ") or not answer
    assert sent < 32 * 1024 * 1024
    assert resident(served.process.pid) - before < 4 * 1024 * 1024
    assert httpx2.get(f"{served.url}/api/health").json()["status"] == "ok"


HALF_A_BODY = (
    b"POST /api/watchlist HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
)
HALF_AN_UPLOAD = (
    b"POST /hooks/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 60000\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"", b"HTTP/1.1 408 "),
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"HTTP/1.1 408 "),
        (HALF_A_BODY, b"HTTP/1.1 408 "),
        (HALF_AN_UPLOAD, b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "headers", "body", "upload"],
)
def test_a_client_that_sends_drop_by_drop_is_cut_off(
    served: Served, request_: bytes, answer: bytes
) -> None:
    started = time.monotonic()
    with connected(served.url) as connection:
        connection.sendall(request_)
        while time.monotonic() - started < 15 and not has_answer(connection):
            if request_:
                with suppress(ConnectionError):
                    connection.send(b" " if b"Length" in request_ else b"X")
            time.sleep(0.2)
        assert connection.recv(64).startswith(answer)

    assert 9 < time.monotonic() - started < 14
    assert httpx2.get(f"{served.url}/api/health").json()["status"] == "ok"


def test_a_file_on_a_slow_line_arrives(served: Served) -> None:
    """It takes longer than any other request may."""
    rows = "".join(f"2026-03-{1 + n % 28:02},AAPL,buy,1,1.{n:04}\n" for n in range(9_000))
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    body = part + b"date,symbol,side,quantity,price\n" + rows.encode() + b"\r\n--x--\r\n"
    head = (
        b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; "
        b"boundary=x\r\nContent-Length: %d\r\n\r\n"
    )
    started = time.monotonic()
    with connected(served.url) as connection:
        connection.sendall(head % len(body))
        for first in range(0, len(body), len(body) // 24):
            connection.sendall(body[first : first + len(body) // 24])
            time.sleep(0.5)
        connection.settimeout(10)
        assert connection.recv(64).startswith(b"HTTP/1.1 201 ")
    assert time.monotonic() - started > 12


def test_a_stream_goes_on(served: Served) -> None:
    with (
        httpx2.Client(base_url=served.url, timeout=20) as client,
        client.sse("/api/stream/prices") as stream,
    ):
        source = iter(stream)
        started = time.monotonic()
        while time.monotonic() - started < 12:
            next(source)


def has_answer(connection: socket.socket) -> bool:
    """Say whether the desk has said something, or hung up."""
    return bool(select.select([connection], [], [], 0)[0])


def test_a_megabyte_of_header_is_refused_and_60_kib_are_not(served: Served) -> None:
    large = {"X-Large": "x" * 1024 * 1024}
    fits = {"X-Fits": "x" * 60 * 1024}

    with httpx2.Client(base_url=served.url, timeout=10) as client:
        # The answer is lost where the connection closes while the client still sends.
        with suppress(httpx2.TransportError):
            assert client.get("/api/health", headers=large).status_code == 431
        assert client.get("/api/health", headers=fits).status_code == 200


def test_a_second_desk_on_the_same_file_exits_3_and_names_the_first(
    paperdesk: Program, served: Served
) -> None:
    second = paperdesk("serve", "--port", "0")

    assert second.code == 3
    (line,) = complaints(second.err)
    assert f"(pid {served.process.pid})" in line
    assert paperdesk("migrate").code == 3
    assert paperdesk("seed").code == 3


def test_a_database_that_cannot_be_used_is_told_in_one_line(paperdesk: Program) -> None:
    broken = paperdesk.folder / "broken.db"
    broken.write_text("this is no database, and long enough to be sure of it" * 100)

    result = paperdesk("serve", "--port", "0", DATABASE_URL=str(broken))

    assert result.code == 4
    (line,) = complaints(result.err)
    assert line.startswith("paperdesk: ")
    assert "ready" not in result.out


def test_a_bad_setting_is_told_in_one_line(paperdesk: Program) -> None:
    result = paperdesk("serve", PAPERDESK_TIMEZONE="Mars/Olympus")

    assert result.code == 2
    assert result.err.startswith("paperdesk: PAPERDESK_TIMEZONE: ")


def test_a_port_in_use_is_told_in_one_line(paperdesk: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = paperdesk("serve", "--port", str(port))

    assert result.code == 1
    assert result.err.startswith(f"paperdesk: Port {port} on 127.0.0.1 ")
    assert not (paperdesk.folder / "desk.db").exists()


def test_beyond_loopback_it_refuses_without_a_key(paperdesk: Program) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - it is refused

    result = paperdesk("serve", "--host", everywhere, "--port", "0")

    assert result.code == 2
    assert "API key" in result.err
    assert not (paperdesk.folder / "desk.db").exists()


def test_the_doctor_looks_without_changing_a_byte_while_a_desk_runs(
    paperdesk: Program, served: Served
) -> None:
    result = paperdesk("doctor", "--json", PAPERDESK_URL=served.url)

    assert (result.code, result.err) == (0, "")
    checks = {check["name"]: check for check in json.loads(result.out)["checks"]}
    assert f"in use by process {served.process.pid}" in checks["database"]["found"]
    assert checks["desk"]["state"] == "ok"
    assert "simulator" in checks["prices"]["found"]


def test_the_doctor_changes_nothing_after_a_crash(paperdesk: Program) -> None:
    with serving(paperdesk) as served:
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
    before = contents(paperdesk.folder)
    assert "desk.db-wal" in before

    result = paperdesk("doctor")
    (paperdesk.folder / "desk.db-shm").unlink()
    without_index = paperdesk("doctor")

    assert result.code == without_index.code == 0
    after = contents(paperdesk.folder)
    assert after == {name: text for name, text in before.items() if name != "desk.db-shm"}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, byte for byte."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def half_sent(url: str) -> Iterator[None]:
    """Keep a request open of which a part never comes."""
    with connected(url) as connection:
        connection.sendall(
            b"POST /api/portfolio/trade HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n{"
        )
        # So that the desk has begun to answer it.
        time.sleep(0.2)
        yield


def pour(url: str, head: bytes, part: bytes, most: int) -> tuple[bytes, int]:
    """Send the head, then the part again and again until the desk is tired of it.

    Return what it answered and how many bytes it took.
    """
    sent = 0
    with connected(url) as connection:
        with suppress(ConnectionError):
            connection.sendall(head)
            while sent < most:
                sent += connection.send(part)
        with suppress(ConnectionError):
            return connection.recv(1024), sent
    return b"", sent


def connected(url: str) -> socket.socket:
    """Return a connection to a desk."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def resident(pid: int) -> int:
    """Return how many bytes of memory a process uses."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
