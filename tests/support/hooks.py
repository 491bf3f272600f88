"""Webhooks for tests: made over HTTP, sent to as senders do, and watched until all is done."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
from sqlalchemy import select

from paperdesk.clock import ManualClock
from paperdesk.models import AuditLog, Base, Order, Signal
from support.desk import DeskClient
from support.keys import bearer

PATIENCE = 20.0
"""Seconds after which what did not happen will not."""


def exact(answer: httpx2.Response) -> Any:
    """Return the JSON of an answer with its amounts exact."""
    return json.loads(answer.text, parse_float=Decimal)


def buying(quantity: Any = 1, ticker: str = "AAPL", **more: Any) -> dict[str, Any]:
    """Return an alert that buys, without a time or an id."""
    return {"ticker": ticker, "action": "buy", "quantity": quantity, **more}


def selling(quantity: Any = 1, ticker: str = "AAPL", **more: Any) -> dict[str, Any]:
    """Return an alert that sells, without a time or an id."""
    return {"ticker": ticker, "action": "sell", "quantity": quantity, **more}


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook of a desk, and its token."""

    desk: DeskClient
    id: str
    token: str
    name: str
    key: str | None = None
    """What asks for its signals, where the desk wants a key."""

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        """Send an alert to its URL: an object or array as JSON, text and bytes as they are."""
        content = body if isinstance(body, (str, bytes)) else json.dumps(body, default=str)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.desk.post(f"/hooks/{self.token}", content=content, headers=named)

    async def send(self, body: Any, **headers: str) -> Any:
        """Send an alert that is taken, and return the answer."""
        answer = await self.post(body, **headers)
        assert answer.status_code == 200, answer.text
        return exact(answer)

    async def done(self, body: Any, **headers: str) -> Any:
        """Send an alert, and return its signal once nothing more will become of it."""
        return await self.processed((await self.send(body, **headers))["signal_id"])

    async def signal(self, signal_id: str) -> Any:
        """Return a signal as the desk shows it."""
        headers = bearer(self.key) if self.key else {}
        answer = await self.desk.get(f"/api/signals/{signal_id}", headers=headers)
        assert answer.status_code == 200, answer.text
        return exact(answer)

    async def processed(self, signal_id: str) -> Any:
        """Return a signal once nothing more will become of it."""
        async with asyncio.timeout(PATIENCE):
            while not (signal := await self.signal(signal_id))["processed"]:  # noqa: ASYNC110 - it asks
                await asyncio.sleep(0.01)
        return signal

    async def tried(self, signal_id: str, attempts: int) -> Any:
        """Return a signal once it was tried so often, and is back in the queue or done."""
        async with asyncio.timeout(PATIENCE):
            while True:
                (row,) = await rows(self.desk, Signal.signal_id == signal_id)
                if row.attempts >= attempts and row.lease is None:
                    return await self.signal(signal_id)
                await asyncio.sleep(0.01)

    async def change(self, **changes: Any) -> None:
        """Change the webhook."""
        answer = await self.desk.patch(f"/api/webhooks/{self.id}", json=changes)
        assert answer.status_code == 200, answer.text


async def make_hook(
    desk: DeskClient, *, key: str | None = None, account: str | None = None, **terms: Any
) -> Hook:
    """Make a webhook that executes, with an allowance that no test uses up."""
    wanted: dict[str, Any] = {"name": "test", "mode": "execute", "rate_per_minute": 1_000_000}
    headers = (bearer(key) if key else {}) | ({"X-Account": account} if account else {})
    body = {name: value for name, value in (wanted | terms).items() if value is not None}
    answer = await desk.post("/api/webhooks", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Hook(desk, made["id"], made["token"], made["name"], key)


async def rows(desk: DeskClient, *conditions: Any) -> Sequence[Signal]:
    """Return the signals that are stored, in their order."""
    async with desk.app.state.database.read() as session:
        found = await session.scalars(select(Signal).where(*conditions).order_by(Signal.id))
        return list(found)


async def all_processed(desk: DeskClient) -> Sequence[Signal]:
    """Return the signals that are stored, once nothing more will become of any."""
    async with asyncio.timeout(PATIENCE):
        while not all(row.processed for row in await rows(desk)):  # noqa: ASYNC110 - it asks
            await asyncio.sleep(0.01)
    return await rows(desk)


async def orders(desk: DeskClient) -> Sequence[Order]:
    """Return the orders that are stored, in their order."""
    async with desk.app.state.database.read() as session:
        found = await session.scalars(select(Order).order_by(Order.submitted_at, Order.id))
        return list(found)


async def audited(desk: DeskClient, prefix: str = "signal.") -> Sequence[AuditLog]:
    """Return the lines of the audit trail whose action begins so, in their order."""
    async with desk.app.state.database.read() as session:
        query = select(AuditLog).order_by(AuditLog.timestamp, AuditLog.id)
        return [
            line for line in await session.scalars(query) if str(line.action).startswith(prefix)
        ]


async def everything_stored(desk: DeskClient) -> str:
    """Return all rows of all tables as one text."""
    found: list[str] = []
    async with desk.app.state.database.read() as session:
        for table in Base.metadata.sorted_tables:
            found += [repr(tuple(row)) for row in await session.execute(select(table))]
    return "\n".join(found)


async def pass_time(desk: DeskClient, seconds: float) -> None:
    """Move the clock of a desk whose time stands, with a new price of everything."""
    step_clock(desk, seconds)
    await desk.app.state.market.tick()
    desk.app.state.executor.heard()


def step_clock(desk: DeskClient, seconds: float) -> None:
    """Move the clock of a desk whose time stands."""
    clock = desk.prices.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(seconds=seconds))
