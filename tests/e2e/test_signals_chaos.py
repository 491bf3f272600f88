"""A hundred alerts, delivered over and over to desks that are killed meanwhile: a hundred orders.

SIGNAL_DELIVERIES says how many deliveries there are; `make soak` sends 10,000.
"""

import asyncio
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import func, select

from paperdesk.db.inspection import reading
from paperdesk.models import Order, Signal, SignalStatus, Trade, UserProfile
from support.desks import Desks, served
from support.forms import Alert, alerts, body_of, written
from support.program import Program

DELIVERIES: Final = int(os.environ.get("SIGNAL_DELIVERIES", "600"))
ALERTS: Final = 100
AT_ONCE: Final = 256
WEBHOOKS: Final = 4
KILLS: Final = max(3, DELIVERIES // 1000)
PATIENCE: Final = 60.0 + DELIVERIES / 20

pytestmark = pytest.mark.timeout(120 + DELIVERIES // 10)


@dataclass(slots=True)
class Door:
    """A webhook and its token."""

    id: str
    token: str


@dataclass(slots=True)
class Senders:
    """Clients that send again until they are answered, and what they were answered."""

    desks: Desks
    doors: Sequence[Door]
    http: httpx2.AsyncClient
    answered: int = 0
    again: int = 0
    ids: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    received: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    async def deliver_all(self, deliveries: list[list[Alert]]) -> None:
        async def work() -> None:
            while deliveries:
                await self._deliver(deliveries.pop())

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    async def _deliver(self, some: list[Alert]) -> None:
        door = self.doors[some[0].webhook]
        bodies = [body_of(alert, door.token) for alert in some]
        body = written(bodies if len(some) > 1 else bodies[0])
        path, headers = f"/hooks/{door.token}", dict[str, str]()
        match random.randrange(4):
            case 0:
                path, headers = "/api/webhook", {"X-Webhook-Token": door.token}
            case 1:
                path = f"/api/webhook?token={door.token}"
            case 2 if len(some) == 1 and bodies[0] != some[0].said:
                path = "/api/webhook"
            case _:
                pass
        answer = await self._until_answered(path, body, headers)
        signals = answer["signals"]
        assert len(signals) == len(some), (body, answer)
        for alert, signal in zip(some, signals, strict=True):
            assert signal["status"] in {"received", "duplicate"}, (body, answer)
            self.ids[alert.number].add(signal["signal_id"])
            self.received[alert.number] += signal["status"] == "received"
        self.answered += 1

    async def _until_answered(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        pause = 0.05
        async with asyncio.timeout(PATIENCE):
            while True:
                if urls := list(self.desks.processes):
                    url = random.choice(urls) + path
                    try:
                        answer = await self.http.post(url, content=body, headers=headers)
                    except httpx2.TransportError:
                        pass
                    else:
                        if answer.status_code < 500:
                            assert answer.status_code == 200, (body, answer.text)
                            return answer.json()
                self.again += 1
                await asyncio.sleep(random.uniform(pause / 2, pause))
                pause = min(2 * pause, 1)


def deliveries_of(made: list[Alert]) -> list[list[Alert]]:
    """Return every alert as often as every other, some with others in an array, in any order."""
    singles = [[alert] for alert in made] * (DELIVERIES // ALERTS)
    together: defaultdict[int, list[Alert]] = defaultdict(list)
    for alert in made:
        if alert.may_share:
            together[alert.webhook].append(alert)
    arrays: list[list[Alert]] = []
    for _ in range(DELIVERIES // 20):
        some = random.choice(list(together.values()))
        arrays.append(random.sample(some, random.randrange(2, len(some) + 1)))
    deliveries = singles[len(arrays) :] + arrays
    # What was cut off above was delivered at least once more, but surely.
    assert {alert.number for some in deliveries for alert in some} == set(range(ALERTS))
    random.shuffle(deliveries)
    return deliveries


async def make_doors(http: httpx2.AsyncClient, url: str) -> list[Door]:
    doors: list[Door] = []
    for number in range(WEBHOOKS):
        body = {
            "name": f"chaos {number}",
            "mode": "execute",
            "rate_per_minute": 1_000_000,
            "window_seconds": 86_400,
            "default_quantity": {"amount": "0.01"},
        }
        answer = await http.post(f"{url}/api/webhooks", json=body)
        assert answer.status_code == 201, answer.text
        doors.append(Door(answer.json()["id"], answer.json()["token"]))
    return doors


async def all_executed(database_url: str) -> None:
    """Wait until nothing is left in the queue."""

    def left() -> int | None:
        with reading(database_url) as session:
            query = select(func.count()).where(Signal.processed.is_(False))
            return session.scalar(query)

    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(left):  # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.1)


def assert_one_order_each(database_url: str, senders: Senders) -> None:
    with reading(database_url) as session:
        signals = list(session.scalars(select(Signal).order_by(Signal.id)))
        orders = {order.signal_id: order for order in session.scalars(select(Order))}
        trades = list(session.scalars(select(Trade).order_by(Trade.sequence)))
        cash = session.scalar(select(UserProfile.cash_balance))
        count = session.scalar(select(func.count()).select_from(Order))
    assert (len(signals), len(orders), count, len(trades)) == (ALERTS, ALERTS, ALERTS, ALERTS)
    assert {signal.status for signal in signals} == {SignalStatus.executed}, [
        signal.error for signal in signals if signal.error
    ]
    # Each alert was one signal in every answer, new in one of them at the most.
    assert all(len(ids) == 1 for ids in senders.ids.values())
    known = {signal_id for ids in senders.ids.values() for signal_id in ids}
    assert known == {signal.signal_id for signal in signals} == set(orders)
    assert max(senders.received.values()) == 1
    for signal in signals:
        assert orders[signal.signal_id].id == signal.order_id
    assert cash == 10_000 - sum((trade.value for trade in trades), Decimal(0))
    # Those of a webhook and ticker were executed in the order in which they came.
    sequence = {trade.order_id: trade.sequence for trade in trades}
    queues: defaultdict[tuple[str | None, str | None], list[int]] = defaultdict(list)
    for signal in signals:
        queues[signal.webhook_id, signal.ticker].append(sequence[str(signal.order_id)])
    assert all(queue == sorted(queue) for queue in queues.values())


async def run(program: Program, database_url: str, count: int, say: Callable[[str], None]) -> None:
    program = program.with_environment(DATABASE_URL=database_url)
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with (
        served(program, count) as desks,
        httpx2.AsyncClient(timeout=20, limits=limits) as http,
    ):
        senders = Senders(desks, await make_doors(http, next(iter(desks.processes))), http)
        deliveries = deliveries_of(alerts(ALERTS, WEBHOOKS))
        total, begun = len(deliveries), time.monotonic()
        sending = asyncio.create_task(senders.deliver_all(deliveries))
        try:
            for number in range(KILLS):
                due = total * (number + random.random()) / KILLS
                while senders.answered < due and not sending.done():  # noqa: ASYNC110 - a count
                    await asyncio.sleep(0.005)
                await desks.kill_one()
            await sending
        finally:
            sending.cancel()
        took = time.monotonic() - begun
        # The last kill may have come after the last answer, with much still in the queue.
        await all_executed(database_url)
        proof = await asyncio.to_thread(program, "verify")
        assert proof.code == 0, proof.out + proof.err
        assert await desks.stop() == [0] * count
        await asyncio.to_thread(assert_one_order_each, database_url, senders)
        say(
            f"{count} process(es): {total} deliveries in {took:.1f} s, {desks.kills} kills, "
            f"{senders.again} sent again: {ALERTS} orders"
        )


@pytest.fixture
def program(paperdesk: Program) -> Program:
    """The command, with prices that are the same in every desk."""
    return paperdesk.with_environment(PAPERDESK_SIMULATOR_SEED="20261120")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tell whoever asked for a number of deliveries how it went."""

    def say(text: str) -> None:
        if "SIGNAL_DELIVERIES" in os.environ:
            with capsys.disabled():
                sys.stdout.write(f"\n{text}\n")

    return say


async def test_a_hundred_alerts_are_a_hundred_orders_on_sqlite(
    program: Program, sqlite_url: str, say: Callable[[str], None]
) -> None:
    await run(program, sqlite_url, 1, say)


async def test_a_hundred_alerts_are_a_hundred_orders_on_postgresql_with_two_processes(
    program: Program, postgres_url: str, say: Callable[[str], None]
) -> None:
    await run(program, postgres_url, 2, say)
