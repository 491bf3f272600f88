"""What the simple designs keep: cash, positions and trades, in whole millionths.

They do less than the desk: no order, no key, no journal hash, no snapshot, and prices that stand
still. What they do is correct, and on the disk before it is answered.
"""

CREATE = """
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, cash INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    ticker TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    UNIQUE (account_id, ticker)
);
CREATE TABLE IF NOT EXISTS trades (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    ticker TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price INTEGER NOT NULL,
    executed_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_of ON trades (account_id, executed_at);
"""
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 30000",
)
ACCOUNT = "default"
CASH = 10_000_000_000
"""Millionths of a US dollar."""
PRICE = 190
"""US dollars, of every ticker."""
MILLION = 1_000_000
DATABASE = "BENCH_DATABASE"
"""The environment variable that names a rival's file."""
