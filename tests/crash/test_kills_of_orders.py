"""Killed between a price and its fills, a desk loses no resting order and fills none twice."""

import asyncio
import random
import signal
from decimal import Decimal

import httpx2
import pytest
from sqlalchemy import func, select

from paperdesk.db.engine import Database
from paperdesk.models import Order, OrderStatus, Trade
from support.kills import POINTS, ROUNDS, assert_proven, desks, sabotaged
from support.program import Program
from support.sabotage import LAST_WORDS
from support.served import Served

ORDERS = 400
NARROW = Decimal("0.00002")
"""How far apart the orders are: a tick of the simulator touches a few of them."""

pytestmark = pytest.mark.timeout(240 * ROUNDS)


async def place_around_the_price(desk: Served) -> None:
    """Place limits below the price and stops above it, one close to the other."""
    async with httpx2.AsyncClient(base_url=desk.url, timeout=30) as http:
        price = Decimal(str((await http.get("/api/prices/AAPL")).json()["price"]))
        orders = [
            {
                "ticker": "AAPL",
                "side": "buy",
                "time_in_force": "gtc",
                "quantity": "0.01",
                "client_order_id": f"order-{n}",
                **(
                    {"type": "limit", "limit_price": f"{price * (1 - n * NARROW):.9f}"}
                    if n % 2
                    else {"type": "stop", "stop_price": f"{price * (1 + n * NARROW):.9f}"}
                ),
            }
            for n in range(1, ORDERS + 1)
        ]
        answer = await http.post("/api/orders/batch", json={"orders": orders})
        statuses = {result["status"] for result in answer.json()["results"]}
        assert statuses <= {"placed", "filled"}, answer.text[:500]


async def hold(url: str) -> int:
    """Hold every order against its trades; return how many were filled. No desk is running."""
    await assert_proven(url)
    database = Database(url)
    try:
        async with database.read() as session:
            orders = (await session.scalars(select(Order))).all()
            traded = dict(
                (
                    await session.execute(
                        select(Trade.order_id, func.sum(Trade.quantity)).group_by(Trade.order_id)
                    )
                ).all()
            )
    finally:
        await database.close()
    assert len(orders) == ORDERS
    for order in orders:
        done = order.status is OrderStatus.filled
        assert done or order.closed_at is None, (order.client_order_id, order.status, order.reason)
        assert traded.get(order.id, 0) == order.filled_quantity == (order.quantity if done else 0)
    return len(traded)


async def test_resting_orders_outlive_the_desk_and_fill_once(
    program: Program, database_url: str
) -> None:
    program = program.with_environment(DATABASE_URL=database_url)
    async with desks(program) as (desk,):
        await place_around_the_price(desk)
        desk.process.kill()
        await asyncio.to_thread(desk.process.wait)
    filled = await hold(database_url)
    for point in ROUNDS * random.sample(POINTS, len(POINTS)):
        trapped = sabotaged(program, SABOTAGE=f"{point}:{random.randrange(1, 3)}")
        async with desks(trapped) as (desk,):
            # Nobody trades: whatever is booked was matched.
            desk.process.send_signal(signal.SIGUSR1)
            await asyncio.to_thread(desk.process.wait, timeout=60)
            assert f"{LAST_WORDS}{point}" in desk.errors
        before, filled = filled, await hold(database_url)
        assert filled >= before
    async with desks(program) as (desk,), httpx2.AsyncClient(base_url=desk.url) as http:
        async with asyncio.timeout(60):
            while len((await http.get("/api/trades?limit=500")).json()) <= filled:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.2)
        desk.process.terminate()
        await asyncio.to_thread(desk.process.wait, timeout=30)
        assert desk.process.returncode == 0, desk.errors
    assert await hold(database_url) > filled
