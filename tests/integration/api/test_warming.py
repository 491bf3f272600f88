"""Curves of large accounts are there before anybody asks, and stay as of now."""

import asyncio
from typing import Any

import pytest

from paperdesk.portfolio.performance import warming
from paperdesk.portfolio.performance.service import Performance
from support.desk import DeskClient


class Rounds:
    """A clock that sleeps until it is told that a round begins, and counts them."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.rests = asyncio.Event()
        self._turns: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.rests.set()
        await self._turns.get()

    async def begin(self) -> None:
        """Begin a round, and wait for its end."""
        await self.rests.wait()
        self.rests.clear()
        self._turns.put_nowait(None)
        await self.rests.wait()


async def test_a_large_account_is_warm_before_it_is_asked_for(
    desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "LARGE", 3)
    service: Performance = desk.app.state.performance
    await desk.trade("AAPL", "buy", 1)
    rounds: Any = Rounds()
    task = asyncio.create_task(warming.keep_warm(service, desk.app.state.database, rounds))
    await rounds.begin()
    assert service.kept == []
    await desk.trade("AAPL", "buy", 1)
    await rounds.begin()
    assert service.kept == ["default"]
    assert service._kept["default"].sequence == 3
    # As of now, also after an action, which makes it anew.
    body = {"kind": "dividend", "ticker": "AAPL", "per_share": 1, "key": "d"}
    await desk.post("/api/corporate-actions", json=body)
    await rounds.begin()
    assert service._kept["default"].sequence == 4
    # And what somebody asked for, however small.
    opened = await desk.post("/api/accounts", json={"name": "Small"})
    mine = {"X-Account": opened.json()["id"]}
    await desk.get("/api/portfolio/performance", headers=mine)
    await desk.post("/api/cash", json={"kind": "deposit", "amount": 1}, headers=mine)
    await rounds.begin()
    assert service._kept[mine["X-Account"]].sequence == 2
    assert rounds.slept == [warming.SETTLING, *[warming.INTERVAL] * 4]
    task.cancel()


async def test_a_journal_that_is_being_filled_is_left_alone_until_it_is_over(
    desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "LARGE", 1)
    monkeypatch.setattr(warming, "GROWING", 3)
    service: Performance = desk.app.state.performance
    rounds: Any = Rounds()
    task = asyncio.create_task(warming.keep_warm(service, desk.app.state.database, rounds))
    await rounds.begin()
    assert service._kept["default"].sequence == 1
    for _ in range(3):
        await desk.trade("AAPL", "buy", 1)
    await rounds.begin()
    assert service._kept["default"].sequence == 1
    await rounds.begin()
    assert service._kept["default"].sequence == 4
    task.cancel()
