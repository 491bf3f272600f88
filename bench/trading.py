"""The trade that is measured, over HTTP, and what must be in the books afterwards.

Each client buys 0.01 shares of its ticker and sells them again, for ever, each with a key of its
own. The account holds one share of each of ten tickers besides, so that every answer shows a
portfolio of ten positions and nothing is ever refused.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from bench.failures import Failed
from bench.load import Connection, Load, post
from bench.servers import Server, paperdesk

TICKERS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX")
_FOUND = 200
_UNKNOWN_COMMAND = 2


MARK = b"%"
"""Stands in a request where each one has a number of its own."""

Request = Callable[[int, bool], bytes]
"""Gives the request that buys 0.01 shares of a ticker, by its number, or sells them."""


class Trader:
    """Makes the requests of all clients of one server, and counts what was acknowledged."""

    def __init__(self, request: Request) -> None:
        self.acknowledged = 0
        self._request = request
        self._numbers = count()
        self._sells: dict[int, bool] = {}
        self._made: dict[tuple[int, bool], tuple[bytes, bytes]] = {}

    def ask(self, client: int) -> bytes:
        """Return the next request of a client: it sells what it bought last."""
        selling = self._sells.get(client, False)
        self._sells[client] = not selling
        ticker = client % len(TICKERS)
        if (made := self._made.get((ticker, selling))) is None:
            head, _, tail = self._request(ticker, selling).partition(MARK)
            made = self._made[ticker, selling] = head, tail
        if not made[1]:
            return made[0]
        return b"%s%012d%s" % (made[0], next(self._numbers), made[1])

    def settle(self, load: Load) -> Load:
        """Count the acknowledged trades of a run, all of which must have been."""
        self.acknowledged += load.all_good().acknowledged
        return load


def trader_of(server: Server) -> Trader:
    """Return the trader of a desk, after it bought one share of each ticker."""
    trader = Trader(desk_request)
    connection = Connection(server.url)
    for ticker in TICKERS:
        body = trade_body(ticker, "buy", "1")
        status, _, answer = connection.exchange(
            post("/api/portfolio/trade", body, f"Idempotency-Key: opening-{ticker}")
        )
        if status != _FOUND:
            raise Failed(f"The opening purchase was answered {status}: {answer!r}")
        trader.acknowledged += 1
    connection.socket.close()
    return trader


def trade_body(ticker: str, side: str, quantity: str) -> bytes:
    """Return the JSON of a trade."""
    return f'{{"ticker":"{ticker}","side":"{side}","quantity":{quantity}}}'.encode()


def desk_request(ticker: int, selling: bool) -> bytes:  # noqa: FBT001 - a Request
    """Return the bytes of one trade of a desk."""
    body = trade_body(TICKERS[ticker], "sell" if selling else "buy", "0.01")
    return post("/api/portfolio/trade", body, f"Idempotency-Key: bench-{MARK.decode()}")


def check_file(path: Path, acknowledged: int) -> str:
    """Compare a stopped desk's SQLite file with what was acknowledged.

    Returns what was found, as a sentence. Raises Failed.
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
        raise Failed(
            f"{path.name}: {acknowledged} trades were acknowledged; orders, trades, keys, "
            f"sequence numbers and the head's sequence are {found}."
        )
    return f"{trades:,} orders and trades = {acknowledged:,} acknowledged{_proof(path)}"


def _proof(path: Path) -> str:
    done = paperdesk(path, "verify")
    if done.returncode == _UNKNOWN_COMMAND and "verify" in done.stderr:
        return ""
    if done.returncode:
        raise Failed(f"paperdesk verify: {done.stdout}{done.stderr}")
    return ", proven by paperdesk verify"
