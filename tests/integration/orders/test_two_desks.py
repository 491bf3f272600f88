"""Resting orders where several processes are on one PostgreSQL: the one that leads fills them."""

import asyncio
import json
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

from support.desk import DeskClient, open_desk
from support.observed import problems_found

LIMIT: dict[str, Any] = {
    "ticker": "AAPL",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "quantity": 1,
    "limit_price": 150,
}


async def place(desk: DeskClient, **changes: Any) -> str:
    answer = await desk.post("/api/orders", json={**LIMIT, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def filled(desk: DeskClient, order_id: str) -> Any:
    """Return the price at which an order was filled, once it was."""
    async with asyncio.timeout(30):
        while True:
            answer = await desk.get(f"/api/orders/{order_id}")
            order = json.loads(answer.text, parse_float=Decimal)
            if order["status"] == "filled":
                return order["filled_avg_price"]
            await asyncio.sleep(0.05)


async def leads(desk: DeskClient) -> bool:
    return bool((await desk.get("/api/health")).json()["leader"])


async def test_an_order_placed_at_one_desk_is_filled_by_the_one_that_leads(
    postgres_url: str,
) -> None:
    async with AsyncExitStack() as stack:
        leader = await stack.enter_async_context(open_desk(postgres_url))
        async with open_desk(postgres_url) as follower:
            assert (await leads(leader), await leads(follower)) == (True, False)
            first = await place(follower)
            second = await place(follower, limit_price=140)
            third = await place(leader, limit_price=130)
            leader.prices.prices["AAPL"] = "149.5"
            assert await filled(follower, first) == Decimal("149.5")
            assert await filled(leader, first) == Decimal("149.5")
            # One that is canceled elsewhere is not filled.
            assert (await follower.delete(f"/api/orders/{third}")).status_code == 200
            account = (await leader.get("/api/portfolio")).json()
            assert account["reserved_cash"] == 140

            follower.prices.prices["AAPL"] = "129"
            await stack.aclose()
            async with asyncio.timeout(30):
                while not await leads(follower):  # noqa: ASYNC110 - it asks the other desk
                    await asyncio.sleep(0.1)
            assert await filled(follower, second) == 129
            canceled = (await follower.get(f"/api/orders/{third}")).json()
            assert canceled["status"] == "canceled"
            account = (await follower.get("/api/portfolio")).json()
            assert (account["reserved_cash"], account["positions"][0]["quantity"]) == (0, 2)
            assert await problems_found(follower.app.state.database) == []
