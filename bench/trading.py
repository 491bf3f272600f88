"""The trade that is measured, over HTTP, and what must be in the books afterwards.

Each client buys 0.01 shares of its ticker and sells them again, for ever, each with a key of its
own. The account holds one share of each of ten tickers besides, so that every answer shows a
portfolio of ten positions and nothing is ever refused.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench.load import Connection, Load, post
from bench.servers import Server, paperdesk

TICKERS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX")
_FOUND = 200
_UNKNOWN_COMMAND = 2


class BooksDiffer(Exception):
    """What was acknowledged is not what is in the books."""


@dataclass(slots=True)
class Trader:
    """Makes the requests of all clients of one desk, and counts what was acknowledged."""

    server: Server
    acknowledged: int = 0
    _numbers: "count[int]" = field(default_factory=count)
    _sells: dict[int, bool] = field(default_factory=dict)
    _bodies: dict[tuple[int, bool], bytes] = field(default_factory=dict)

    def buy_portfolio(self) -> None:
        """Buy one share of each ticker."""
        connection = Connection(self.server.url)
        for ticker in TICKERS:
            body = _body(ticker, "buy", "1")
            status, _, answer = connection.exchange(
                post("/api/portfolio/trade", body, f"Idempotency-Key: opening-{ticker}")
            )
            if status != _FOUND:
                raise BooksDiffer(f"The opening purchase was answered {status}: {answer!r}")
            self.acknowledged += 1
        connection.socket.close()

    def ask(self, client: int) -> bytes:
        """Return the next request of a client: it sells what it bought last."""
        selling = self._sells.get(client, False)
        self._sells[client] = not selling
        head, tail = self._parts(client % len(TICKERS), selling=selling)
        return b"%s%012d%s" % (head, next(self._numbers), tail)

    def settle(self, load: Load) -> Load:
        """Count the acknowledged trades of a run, all of which must have been."""
        self.acknowledged += load.all_good().acknowledged
        return load

    def _parts(self, ticker: int, *, selling: bool) -> Sequence[bytes]:
        request = self._bodies.get((ticker, selling))
        if request is None:
            body = _body(TICKERS[ticker], "sell" if selling else "buy", "0.01")
            request = post("/api/portfolio/trade", body, "Idempotency-Key: bench-%")
            self._bodies[ticker, selling] = request
        head, _, tail = request.partition(b"%")
        return head, tail


def check_file(path: Path, acknowledged: int) -> str:
    """Compare a stopped desk's SQLite file with what was acknowledged.

    Returns what was found, as a sentence. Raises BooksDiffer.
    """
    with closing(sqlite3.connect(path)) as connection:
        orders, trades, keys, sequences, head = connection.execute(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM trades),"
            " (SELECT count(DISTINCT client_order_id) FROM orders),"
            " (SELECT count(DISTINCT sequence) FROM trades),"
            " (SELECT head_sequence FROM users_profile WHERE id = 'default')"
        ).fetchone()
    found = (orders, trades, keys, sequences, head - 1)
    if set(found) != {acknowledged}:
        raise BooksDiffer(
            f"{path.name}: {acknowledged} trades were acknowledged; orders, trades, keys, "
            f"sequence numbers and the head's sequence are {found}."
        )
    return f"{trades:,} orders and trades = {acknowledged:,} acknowledged{_proof(path)}"


def _proof(path: Path) -> str:
    done = paperdesk(path, "verify")
    if done.returncode == _UNKNOWN_COMMAND and "verify" in done.stderr:
        return ""
    if done.returncode:
        raise BooksDiffer(f"paperdesk verify: {done.stdout}{done.stderr}")
    return ", proven by paperdesk verify"


def _body(ticker: str, side: str, quantity: str) -> bytes:
    return f'{{"ticker":"{ticker}","side":"{side}","quantity":{quantity}}}'.encode()
