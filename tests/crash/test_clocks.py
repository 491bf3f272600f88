"""A clock that jumps: trades keep their order, ids stay unique, and keys are honoured."""

import asyncio
from datetime import datetime, timedelta

from paperdesk.clock import SystemClock
from paperdesk.db.engine import Database
from support.desk import DeskClient, open_desk
from support.kills import assert_proven
from support.trading import assert_books_hold

JUMPS = (timedelta(0), -timedelta(days=2), timedelta(days=400), -timedelta(seconds=90))


class JumpingClock(SystemClock):
    """The machine's clock, as somebody sets it."""

    offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset


async def buy(desk: DeskClient, key: str) -> str:
    """Buy, waiting for the first price after the jump; return the trade's id."""
    headers = {"Idempotency-Key": key}
    answer = await desk.trade("AAPL", "buy", "0.01", headers=headers)
    while answer.status_code == 409:
        assert answer.json()["code"] == "PRICE_UNAVAILABLE"
        assert "Retry-After" in answer.headers
        await asyncio.sleep(0.02)
        answer = await desk.trade("AAPL", "buy", "0.01", headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["trade"]["id"])


async def test_trades_are_booked_in_their_order_whatever_the_clock_says(database_url: str) -> None:
    clock = JumpingClock()
    booked: dict[str, str] = {}
    async with open_desk(database_url, clock=clock) as desk:
        for number, jump in enumerate(JUMPS):
            clock.offset += jump
            for n in range(5):
                key = f"{number}-{n}"
                booked[key] = await buy(desk, key)
        again = {key: await buy(desk, key) for key in booked}
        trades = (await desk.get("/api/trades")).json()
        curve = (await desk.get("/api/portfolio/history", params={"range": "all"})).json()
        health = (await desk.get("/api/health")).json()

    assert again == booked
    assert [trade["id"] for trade in reversed(trades)] == list(booked.values())
    assert len(set(booked.values())) == len(booked)
    times = [snapshot["recorded_at"] for snapshot in curve]
    assert times == sorted(times)
    assert {snapshot["total_value"] for snapshot in curve} == {10_000}
    assert health["status"] == "ok"
    await assert_proven(database_url)
    database = Database(database_url)
    await assert_books_hold(database)
    await database.close()
