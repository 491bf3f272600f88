"""Several processes on one PostgreSQL: whatever one commits, the streams of all tell once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from paperdesk.db.engine import Database
from paperdesk.events import feed as feed_module
from paperdesk.events.event import Event
from paperdesk.events.feed import Feed
from paperdesk.runtime import leader
from support.desk import DeskClient, open_desk
from support.electing import cut_off, holder
from support.following import following


@pytest.fixture
async def desks(postgres_url: str) -> AsyncIterator[list[DeskClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_desk(postgres_url)) for _ in range(2)]


def feed_of(desk: DeskClient) -> Feed:
    feed: Feed = desk.app.state.feed
    return feed


async def test_a_trade_of_one_is_told_by_both_alike_and_once(desks: list[DeskClient]) -> None:
    one, other = desks
    async with following(feed_of(one)) as here, following(feed_of(other)) as there:
        traded = (await one.trade("AAPL", "buy", "1.000000001")).json()["trade"]
        await here.until(lambda: len(here.events) >= 3)
        await there.until(lambda: len(there.events) >= 3)
        await here.silent()
    assert here.kinds == there.kinds == ["order", "trade", "account"]
    assert [event.data for event in here.events] == [event.data for event in there.events]
    assert there.of("trade")[0]["id"] == traded["id"]


async def test_both_tell_all_trades_in_the_order_of_their_booking(desks: list[DeskClient]) -> None:
    async def trade(desk: DeskClient) -> None:
        for _ in range(15):
            assert (await desk.trade("AAPL", "buy", "0.01")).status_code == 200

    async with following(feed_of(desks[0])) as here, following(feed_of(desks[1])) as there:
        await asyncio.gather(*(trade(desk) for desk in desks * 3))
        for follower in (here, there):
            await follower.until(lambda: len(follower.of("trade")) >= 90)  # noqa: B023 - awaited at once
            await follower.until(lambda: follower.of("account")[-1]["sequence"] == 91)  # noqa: B023
    booked = (await desks[0].get("/api/trades?limit=500")).json()
    for follower in (here, there):
        told: list[Any] = [trade["id"] for trade in follower.of("trade")]
        assert told == [trade["id"] for trade in reversed(booked)]
        sequences = [account["sequence"] for account in follower.of("account")]
        assert sequences == sorted(sequences)


async def test_what_a_session_says_is_told_by_both_however_long_it_is(
    desks: list[DeskClient],
) -> None:
    words = "a 'quoted' \"word\" \N{PILE OF POO}\n" * 2_000
    said = Event("default", "chat", "1", {"content": words})
    async with following(feed_of(desks[0])) as here, following(feed_of(desks[1])) as there:
        async with desks[0].app.state.database.write() as session:
            await session.run_sync(feed_of(desks[0]).tell, said)
        for follower in (here, there):
            await follower.until(lambda: follower.events)  # noqa: B023 - awaited at once
            assert follower.of("chat") == [{"content": words}]


async def test_who_could_not_listen_for_a_while_says_so(
    desks: list[DeskClient], postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "ROUND", 0.2)
    async with following(feed_of(desks[0])) as here, following(feed_of(desks[1])) as there:
        await cut_off(postgresql, await holder(postgresql))
        await here.until(lambda: here.events)
        await desks[1].trade("MSFT", "buy", 1)
        await there.until(lambda: len(there.events) >= 3)
        await here.until(lambda: "account" in here.kinds)
    assert here.kinds == ["reset", "order", "trade", "account"]
    assert there.kinds == ["order", "trade", "account"]


async def test_a_flood_of_notifications_is_a_reset_and_not_a_heap(
    desks: list[DeskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_LONGEST_BACKLOG", 5)
    feed = feed_of(desks[0])
    async with following(feed) as follower:
        for number in range(8):
            feed.heard(f'["value","default","job","{number}"]\n{number}')
        await follower.until(lambda: follower.events)
        feed.heard('["value","default","job","more"]\n"more"')
        await follower.until(lambda: "more" in follower.of("job"))
    assert follower.kinds == ["reset", "job"]
