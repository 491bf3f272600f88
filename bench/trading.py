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

import psycopg

from bench.failures import Failed
from bench.load import Connection, Load, post
from bench.servers import Server, paperdesk

TICKERS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX")
_FOUND = 200
_COUNTS = """
SELECT (SELECT count(*) FROM orders),
       (SELECT count(*) FROM trades),
       (SELECT count(DISTINCT client_order_id) FROM orders),
       (SELECT count(DISTINCT sequence) FROM trades),
       (SELECT head_sequence - 1 FROM users_profile WHERE id = 'default')
"""


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


def check(database: str | Path, acknowledged: int) -> str:
    """Compare a stopped desk's SQLite file or PostgreSQL database with what was acknowledged.

    Returns what was found, as a sentence. Raises Failed.
    """
    opened = sqlite3.connect(database) if isinstance(database, Path) else psycopg.connect(database)
    with closing(opened) as connection:
        found = connection.execute(_COUNTS).fetchone()
    if not found or set(found) != {acknowledged}:
        raise Failed(
            f"{acknowledged} trades were acknowledged; orders, trades, keys, sequence numbers and "
            f"the trades in the account's sequence are {found}."
        )
    done = paperdesk(database, "verify")
    if done.returncode:
        raise Failed(f"paperdesk verify: {done.stdout}{done.stderr}")
    counted = f"{acknowledged:,}"
    return f"{counted} orders and trades = {counted} acknowledged, proven by paperdesk verify"
