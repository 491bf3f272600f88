"""A desk at the network's edge: it answers what it is told, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORTFOLIO = """{"cash_balance": 1098.800000, "reserved_cash": 0, "buying_power": 1098.8,
"positions_value": 8901.2, "total_value": 10000.000001, "unrealized_pnl": 12.5,
"realized_pnl": -3.1, "as_of": "2026-11-20T15:00:00.000000Z", "unpriced": [], "positions": [
{"ticker": "AAPL", "quantity": 46.500000000, "available_quantity": 46.5, "avg_cost": 191.155914,
"cost_basis": 8888.7, "current_price": 191.424731183, "market_value": 8901.25,
"unrealized_pnl": 12.5, "pnl_pct": 0.1406}]}"""
EMPTY_PORTFOLIO = """{"cash_balance": 10000, "reserved_cash": 0, "buying_power": 10000,
"positions_value": 0, "total_value": 10000, "unrealized_pnl": 0, "realized_pnl": 0,
"as_of": "2026-11-20T15:00:00.000000Z", "unpriced": [], "positions": []}"""
TRADE = """{"id": "t1", "order_id": "o1", "ticker": "AAPL", "side": "buy", "quantity": 10,
"price": 190.123456789, "value": 1901.234568, "fee": 0, "realized_pnl": 0, "strategy": null,
"note": null, "executed_at": "2026-11-20T15:00:00.000000Z"}"""
MOVED = """{"id": "m1", "kind": "withdrawal", "amount": 200.500000, "cash_balance": 9799.5,
"created_at": "2026-11-20T15:00:00.000000Z"}"""
MOVEMENT = """{"id": "m1", "kind": "withdrawal", "amount": -200.500000, "key": "m1", "note": "rent",
"effective_at": "2026-11-20T15:00:00.000000Z", "created_at": "2026-11-20T15:00:00.000000Z",
"sequence": 2, "hash": "ab12"}"""
ENTRIES = f"""[{TRADE[:-1]}, "table": "trades", "sequence": 3, "hash": "{"cd" * 32}"}},
{MOVEMENT[:-1]}, "table": "cash_movements"}}]"""
PERFORMANCE = """{"start": "2025-11-20T15:00:00Z", "end": "2026-11-20T15:00:00Z",
"simple": 0.210499, "twr": 0.221327, "mwr": 0.213, "cagr": null, "max_drawdown": -0.06899,
"drawdown": {"peak_at": "2026-05-13T04:00:00Z", "trough_at": "2026-07-18T04:00:00Z",
"recovered_at": null}, "volatility": 0.135895, "sharpe": 2.014299, "sortino": null, "calmar": null,
"win_rate": 1, "exposure": 0.632091, "best_day": {"date": "2026-09-09", "return": 0.02442},
"worst_day": null, "deposits": 10500, "withdrawals": 0, "profit": 2210.24, "realized_pnl": 442.72,
"fees": 3, "income": 10.8, "start_value": 0, "end_value": 12710.240001, "estimated": true,
"unpriced": ["MSFT"], "contributions": [
{"ticker": "AAPL", "profit": 1616.68, "contribution": 0.153969},
{"ticker": "MSFT", "profit": 585.76, "contribution": 0.055787},
{"ticker": null, "profit": 7.8, "contribution": 0.000743}], "benchmark": {"ticker": "SPY",
"since": "2026-03-02T14:30:00Z", "return": 0.175786, "beta": 0.669121, "correlation": 0.752902,
"alpha": null}, "days": 366}"""
CURVE = """[{"recorded_at": "2026-11-18T15:00:00Z", "total_value": 10000, "incomplete": false},
{"recorded_at": "2026-11-19T15:00:00Z", "total_value": 11355.12, "incomplete": false},
{"recorded_at": "2026-11-20T15:00:00Z", "total_value": 12710.24, "incomplete": false}]"""
BOOKED = f'{PORTFOLIO[:-1]}, "trade": {TRADE}}}'


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer; status 0 breaks the connection off without an answer."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


DROP = Reply(status=0)


def problem(status: int, code: str, detail: str) -> Reply:
    """Return an error answer as the desk gives it."""
    text = f'{{"title": "No", "status": {status}, "detail": "{detail}", "code": "{code}"}}'
    return Reply(text, status)


class FakeDesk:
    """The replies to give, one after the other (the last one again and again), and the requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._replies: list[Reply] = []

    def answers(self, *replies: Reply | str) -> None:
        """Set the replies."""
        self._replies = [Reply(each) if isinstance(each, str) else each for each in replies]

    def next_reply(self, asked: Asked) -> Reply:
        """Remember a request and return the reply to it."""
        self.asked.append(asked)
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


@contextmanager
def running_fake_desk() -> Iterator[FakeDesk]:
    """Serve a fake desk on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length).decode()
            asked = Asked(self.command, self.path, dict(self.headers), body)
            reply = desk.next_reply(asked)
            if reply.status == 0:
                self.close_connection = True
                return
            content = reply.text.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names of http.server

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        desk = FakeDesk(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield desk
        finally:
            server.shutdown()
            thread.join()
