"""The physical limit: the same three record changes in a loop on sqlite3, without HTTP.

    python -m bench.rivals.loop FILE SECONDS TRADES_A_COMMIT

Prints how many trades were committed in how many seconds.
"""

import sqlite3
import sys
import time
from contextlib import closing
from itertools import count
from uuid import uuid4

from bench.rivals import schema
from paperdesk.clock import utc_now


def main() -> None:
    """Book until the time is over."""
    path, seconds, trades_a_commit = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in schema.PRAGMAS:
            connection.execute(pragma)
        connection.executescript(schema.CREATE)
        connection.execute(
            "INSERT OR IGNORE INTO accounts (id, cash) VALUES (?, ?)",
            (schema.ACCOUNT, schema.CASH),
        )
        started, done = time.perf_counter(), 0
        numbers = count()
        while time.perf_counter() - started < seconds:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(trades_a_commit):
                _book(connection, 10_000 if next(numbers) % 2 == 0 else -10_000)
            connection.execute("COMMIT")
            done += trades_a_commit
        passed = time.perf_counter() - started
    sys.stdout.write(f"{done} {passed}\n")


def _book(connection: sqlite3.Connection, units: int) -> None:
    connection.execute(
        "UPDATE accounts SET cash = cash - ? WHERE id = ?", (units * schema.PRICE, schema.ACCOUNT)
    )
    connection.execute(
        "INSERT INTO positions (id, account_id, ticker, quantity) VALUES (?, ?, 'AAPL', ?)"
        " ON CONFLICT (account_id, ticker) DO UPDATE SET quantity = quantity + excluded.quantity",
        (str(uuid4()), schema.ACCOUNT, units),
    )
    connection.execute(
        "INSERT INTO trades (id, account_id, ticker, side, quantity, price, executed_at)"
        " VALUES (?, ?, 'AAPL', ?, ?, ?, ?)",
        (
            str(uuid4()),
            schema.ACCOUNT,
            "buy" if units > 0 else "sell",
            abs(units),
            schema.PRICE * schema.MILLION,
            utc_now().isoformat(),
        ),
    )


if __name__ == "__main__":
    main()
