"""Many trades at once end as the same trades one after another."""

import asyncio
from decimal import Decimal
from pathlib import Path

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from support.processes import go_at_once, outcomes, start
from support.trading import assert_books_hold, state_of, trading

TRADES = [("buy", f"{n % 7 + 1}.{n:03}000001") for n in range(40)] + [
    ("sell", f"{n % 3 + 1}.{n:03}") for n in range(10)
]
PRICE = "3.141592653"


async def test_fifty_trades_at_once_equal_the_serial_result(
    database: Database, clock: ManualClock
) -> None:
    async with trading(database, clock) as desk:
        desk.price("AAPL", PRICE)
        await asyncio.gather(*(desk.trade(side, quantity) for side, quantity in TRADES))
        at_once = await state_of(database)
        await assert_books_hold(database)

    cash, quantity, cost = Decimal(10_000), Decimal(0), Decimal(0)
    realized = Decimal(0)
    for side, text in TRADES:
        amount = Decimal(text)
        value = (amount * Decimal(PRICE)).quantize(Decimal("0.000001"))
        if side == "buy":
            cash, quantity, cost = cash - value, quantity + amount, cost + value
        else:
            share = (cost * amount / quantity).quantize(Decimal("0.000001"))
            cash, quantity, cost = cash + value, quantity - amount, cost - share
            realized += value - share
    assert at_once["cash"] == cash
    assert at_once["realized"] == realized
    assert at_once["positions"]["AAPL"][:2] == (quantity, cost)


BUYER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from support.databases import START
from support.trading import trading

async def run():
    database = Database(sys.argv[1])
    async with trading(database, ManualClock(START)) as desk:
        desk.price("AAPL", "1.000000003")
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(25):
            await desk.trade("buy", "1.5")
    await database.close()

asyncio.run(run())
"""


async def test_processes_that_share_a_database_lose_no_trade(postgresql: Database) -> None:
    tests = str(Path(__file__).parents[1])
    buyers = [start(BUYER, postgresql.url, tests) for _ in range(3)]
    await asyncio.to_thread(go_at_once, buyers)

    assert [code for code, _, _ in await asyncio.to_thread(outcomes, buyers)] == [0, 0, 0]
    state = await state_of(postgresql)
    assert state["positions"]["AAPL"][:2] == (Decimal("112.5"), Decimal("112.5"))
    assert state["sequence"] == 76
    await assert_books_hold(postgresql)
