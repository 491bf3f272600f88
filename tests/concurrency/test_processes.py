"""Two processes that trade on the same accounts at once, on PostgreSQL."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.ledger.accounts import open_account
from support.processes import go_at_once, outcomes, start
from support.trading import assert_books_hold, state_of

ACCOUNTS = ["alpha", "beta", "gamma", "delta"]
SHARED_KEYS = 10

# Each process has many clients, each of which goes through the accounts in an order of its own, so
# batches of both lock several of the same rows. The clients of one number share a key.
TRADER = """
import asyncio, json, random, sys, time
sys.path.insert(0, sys.argv[2])
from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from support.databases import START
from support.trading import trading

accounts, name, shared = json.loads(sys.argv[3]), sys.argv[4], int(sys.argv[5])

async def client(desk, number):
    rng = random.Random(f"{name} {number}")
    first = 0
    for turn in range(9):
        for account in rng.sample(accounts, len(accounts)):
            side = "buy" if turn < 6 else "sell"
            await desk.trade(side, "0.001", account_id=account)
    for account in rng.sample(accounts, len(accounts)):
        booked = await desk.trade("buy", "1", account_id=account, client_order_id=f"key {number}")
        first += not booked.result.replayed
    return first

async def run():
    database = Database(sys.argv[1])
    async with trading(database, ManualClock(START)) as desk:
        desk.price("AAPL", "1.000000003")
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.monotonic()
        first = sum(await asyncio.gather(*(client(desk, n) for n in range(shared))))
        print(first, began, time.monotonic())
    await database.close()

asyncio.run(run())
"""


async def test_two_processes_on_the_same_accounts_book_everything_once_and_refuse_nothing(
    postgresql: Database, clock: ManualClock
) -> None:
    async with postgresql.write() as session:
        for name in ACCOUNTS:
            await session.run_sync(open_account, name, Decimal(1000), clock.now(), account_id=name)
    tests = str(Path(__file__).parents[1])
    # The last of one is not among the accounts of the other: the sets overlap, they are not equal.
    sets = [["default", *ACCOUNTS[:3]], ACCOUNTS]
    traders = [
        start(TRADER, postgresql.url, tests, json.dumps(own), name, str(SHARED_KEYS))
        for name, own in zip("AB", sets, strict=True)
    ]
    await asyncio.to_thread(go_at_once, traders)
    ended = await asyncio.to_thread(outcomes, traders)
    assert [(code, errors) for code, _, errors in ended] == [(0, ""), (0, "")]

    told = [out.split() for _, out, _ in ended]
    # They really were at it together.
    assert max(float(began) for _, began, _ in told) < min(float(end) for _, _, end in told)
    # Of two orders under one key one was booked, whichever process was first.
    assert sum(int(first) for first, _, _ in told) == SHARED_KEYS * 5
    for account in ["default", *ACCOUNTS]:
        processes = sum(account in own for own in sets)
        held = SHARED_KEYS * (1 + processes * (6 - 3) * Decimal("0.001"))
        state = await state_of(postgresql, account)
        assert state["sequence"] == 1 + SHARED_KEYS * (1 + 9 * processes)
        assert state["positions"]["AAPL"][0] == held
        await assert_books_hold(postgresql, account)
    async with postgresql.read() as session:
        met = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert await session.scalar(text(met)) == 0
