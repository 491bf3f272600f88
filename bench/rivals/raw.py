"""A design that the desk replaces: FastAPI, one aiosqlite connection, SQL by hand.

Written fairly: a lock keeps the requests' transactions apart, as one connection needs, and each
statement is one hop to the connection's thread.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

import aiosqlite
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

from bench.rivals import schema
from paperdesk.clock import utc_now


class Ask(BaseModel):
    """The body of a trade."""

    ticker: str
    side: Literal["buy", "sell"]
    quantity: Decimal


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    path = os.environ[schema.DATABASE]
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        for pragma in schema.PRAGMAS:
            await connection.execute(pragma)
        await connection.executescript(schema.CREATE)
        await connection.execute(
            "INSERT INTO accounts (id, cash) VALUES (?, ?)", (schema.ACCOUNT, schema.CASH)
        )
        app.state.connection = connection
        app.state.turn = asyncio.Lock()
        yield


app = FastAPI(lifespan=_lifespan)


@app.post("/trade")
async def trade(request: Request, ask: Ask) -> dict[str, Any]:
    """Book a trade, commit, answer."""
    connection: aiosqlite.Connection = request.app.state.connection
    async with request.app.state.turn:
        await connection.execute("BEGIN IMMEDIATE")
        try:
            booked = await _book(connection, ask)
            await connection.execute("COMMIT")
        except BaseException:
            await connection.execute("ROLLBACK")
            raise
    return booked


async def _book(connection: aiosqlite.Connection, ask: Ask) -> dict[str, Any]:
    units = int(ask.quantity * schema.MILLION) * (1 if ask.side == "buy" else -1)
    # One statement for both reads: each statement is a hop to the connection's thread.
    rows = await connection.execute_fetchall(
        "SELECT cash, quantity FROM accounts LEFT JOIN positions"
        " ON account_id = accounts.id AND ticker = ? WHERE accounts.id = ?",
        (ask.ticker, schema.ACCOUNT),
    )
    cash, held = next(iter(rows))
    cash -= units * schema.PRICE
    held = (held or 0) + units
    if cash < 0 or held < 0:
        raise HTTPException(409, "not enough")
    await connection.execute("UPDATE accounts SET cash = ? WHERE id = ?", (cash, schema.ACCOUNT))
    await connection.execute(
        "INSERT INTO positions (id, account_id, ticker, quantity) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account_id, ticker) DO UPDATE SET quantity = excluded.quantity",
        (str(uuid4()), schema.ACCOUNT, ask.ticker, held),
    )
    trade_id = str(uuid4())
    await connection.execute(
        "INSERT INTO trades (id, account_id, ticker, side, quantity, price, executed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            trade_id,
            schema.ACCOUNT,
            ask.ticker,
            ask.side,
            abs(units),
            schema.PRICE * schema.MILLION,
            utc_now().isoformat(),
        ),
    )
    return {"id": trade_id, "cash": cash, "quantity": held}
