"""The feed: who follows gets everything once, who is slow the newest, and nobody costs much."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from paperdesk.clock import ManualClock
from paperdesk.events import feed as feed_module
from paperdesk.events import wire
from paperdesk.events.event import Event
from paperdesk.events.feed import Feed
from support.databases import START
from support.following import Follower, following


def encode(data: Any) -> bytes:
    return json.dumps(data).encode()


def order(key: str, data: Any = None, account: str = "default", **more: Any) -> Event:
    return Event(account, "order", key, data, **more)


@asynccontextmanager
async def reading_late(feed: Feed) -> AsyncIterator[tuple[Follower, asyncio.Event]]:
    """Follow, but read nothing after the first line until the event is set."""
    follower, now = Follower(), asyncio.Event()

    async def read() -> None:
        async with aclosing(feed.follow("default")) as chunks:
            follower.take(await anext(chunks))
            await now.wait()
            async for chunk in chunks:
                follower.take(chunk)

    task = asyncio.create_task(read())
    await follower.until(lambda: follower.text)
    yield follower, now
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def feed() -> Feed:
    return Feed(encode)


async def test_an_event_has_an_id_a_kind_and_its_data(feed: Feed) -> None:
    async with following(feed) as follower:
        feed.publish(order("1", {"n": 1}))
        await follower.until(lambda: follower.events)
    retry, block, rest = follower.text.split("\n\n")
    log_id = retry.splitlines()[1].removeprefix("id: ").removesuffix("-0")
    assert retry.splitlines()[0] == "retry: 1000"
    assert block == f'id: {log_id}-1\nevent: order\ndata: {{"n": 1}}'
    assert rest == ""


async def test_everybody_gets_the_same_bytes_and_they_are_written_once() -> None:
    written: list[Any] = []

    def noted(data: Any) -> bytes:
        written.append(data)
        return encode(data)

    feed = Feed(noted)
    async with following(feed) as first, following(feed) as second:
        feed.publish(order("1", lambda: [1]))
        await first.until(lambda: first.events)
        await second.until(lambda: second.events)
    assert first.text == second.text
    assert written == [[1]]


async def test_what_nobody_follows_is_neither_written_nor_kept() -> None:
    def never(_data: Any) -> bytes:
        raise AssertionError

    feed = Feed(never)
    feed.publish(order("1"))
    async with following(feed) as follower:
        feed.publish(order("1", account="another"))
        await follower.silent(0.02)
    assert len(feed.memory) == 0
    assert follower.events == []


async def test_events_come_from_any_thread_in_their_order(feed: Feed) -> None:
    def book() -> None:
        for number in range(100):
            feed.publish(order(str(number), number))

    async with following(feed) as follower:
        thread = threading.Thread(target=book)
        thread.start()
        await follower.until(lambda: len(follower.events) == 100)
        thread.join()
    assert follower.of("order") == list(range(100))


async def test_a_stream_goes_on_after_the_last_event_that_came(feed: Feed) -> None:
    async with following(feed) as first:
        feed.publish(order("1", 1))
        await first.until(lambda: first.events)
    feed.publish(order("2", 2), order("3", 3))
    async with following(feed, last_event_id=first.last_id) as second:
        feed.publish(order("4", 4))
        await second.until(lambda: len(second.events) == 3)
    assert second.of("order") == [2, 3, 4]
    assert second.text.startswith("retry: 1000\n")


async def test_a_stream_goes_on_where_it_began_though_no_event_had_come(feed: Feed) -> None:
    async with following(feed) as first:
        pass
    feed.publish(order("1", 1))
    async with following(feed, last_event_id=first.last_id) as second:
        await second.until(lambda: second.events)
    assert second.kinds == ["order"]


@pytest.mark.parametrize(
    "wrong", ["", "-", "x", "{log}", "{log}-", "{log}-x", "{log}-99", "{log}--1", "{log}-²", "0-0"]
)
async def test_an_id_that_says_nothing_here_begins_with_a_reset(feed: Feed, wrong: str) -> None:
    async with following(feed) as first:
        log_id = first.last_id.rpartition("-")[0]
        async with following(feed, last_event_id=wrong.format(log=log_id)) as second:
            feed.publish(order("1", 1))
            await second.until(lambda: "order" in second.kinds)
    assert second.kinds == (["reset", "order"] if wrong else ["order"])
    assert second.text.startswith("retry: 1000\n")


async def test_the_id_of_a_reset_is_one_to_go_on_from(feed: Feed) -> None:
    async with following(feed, last_event_id="of-another-life-7") as first:
        await first.until(lambda: first.events)
    feed.publish(order("1", 1))
    async with following(feed, last_event_id=first.last_id) as second:
        await second.until(lambda: second.events)
    assert (first.kinds, second.kinds) == (["reset"], ["order"])


async def test_who_is_slow_gets_the_newest_of_each_thing_and_every_fact(feed: Feed) -> None:
    async with reading_late(feed) as (follower, now):
        for number in range(50):
            feed.publish(
                order("1", number),
                order("2", -number),
                Event("default", "trade", str(number), number),
                Event("default", "account", "default", {"sequence": number}),
            )
        now.set()
        await follower.until(lambda: "account" in follower.kinds)
    assert follower.of("trade") == list(range(50))
    assert follower.of("order") == [49, -49]
    assert follower.of("account") == [{"sequence": 49}]
    numbers = [int(event.id.rpartition("-")[2]) for event in follower.events]
    assert numbers == sorted(numbers)
    assert len(feed.memory) == 53


async def test_who_is_too_slow_is_told_to_read_again_and_follows_on() -> None:
    feed = Feed(encode, most_events=10)
    async with reading_late(feed) as (follower, now):
        for number in range(11):
            feed.publish(order(str(number), number))
        now.set()
        await follower.until(lambda: follower.events)
        feed.publish(order("more", 1))
        await follower.until(lambda: "order" in follower.kinds)
    assert follower.kinds == ["reset", "order"]
    assert follower.of("order") == [1]


async def test_what_is_kept_is_bounded_in_bytes_whoever_follows() -> None:
    feed = Feed(encode, most_bytes=100_000)
    async with following(feed) as quick, aclosing(feed.follow("default")) as slow:
        await anext(slow)
        for number in range(500):
            feed.publish(order(str(number), "x" * 5_000))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert feed.memory.size <= 100_000 + 5_200
        await quick.until(lambda: len(quick.events) == 500)
    assert len(feed.memory) < 21
    assert quick.of("order") == ["x" * 5_000] * 500


async def test_one_account_that_is_busy_does_not_reset_those_that_missed_nothing() -> None:
    feed = Feed(encode, most_events=10)
    async with following(feed) as quiet, following(feed, "busy"):
        last = quiet.last_id
        for number in range(100):
            feed.publish(order(str(number), number, "busy"))
        feed.publish(order("1", 1))
        await quiet.until(lambda: quiet.events)
    async with following(feed, last_event_id=last) as again:
        await again.until(lambda: again.events)
    assert (quiet.kinds, again.kinds) == (["order"], ["order"])


async def test_a_client_that_does_not_read_is_given_one_chunk_at_a_time(feed: Feed) -> None:
    async with aclosing(feed.follow("default")) as chunks:
        await anext(chunks)
        for number in range(200):
            feed.publish(order(str(number), "x" * 2_000))
        sizes = [len(await anext(chunks)) for _ in range(3)]
    assert all(60_000 < size < 70_000 for size in sizes)


async def test_more_at_once_than_is_worth_telling_is_a_reset(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_AT_ONCE", 5)
    async with following(feed) as follower, following(feed, "another") as another:
        feed.publish(*(order(str(number)) for number in range(6)), order("1", 1, "another"))
        await follower.until(lambda: follower.events)
        await another.until(lambda: another.events)
    assert (follower.kinds, another.kinds) == (["reset"], ["order"])


async def test_an_older_state_does_not_come_after_a_newer_one(feed: Feed) -> None:
    async with following(feed) as follower:
        for data, version in (("new", 2), ("old", 1), ("newest", 2)):
            feed.publish(order("1", data, version=version))
            await follower.silent(0.01)
    assert follower.of("order") == ["new", "newest"]


async def test_an_event_that_cannot_be_written_harms_no_other(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    async with following(feed) as follower:
        feed.publish(order("1", object()))
        feed.publish(order("2", 2))
        await follower.until(lambda: follower.events)
    assert follower.of("order") == [2]
    assert not caplog.records or "event.not_written" in caplog.text


class Beats(ManualClock):
    """A clock that beats when a test says so."""

    def __init__(self) -> None:
        super().__init__(START)
        self.due = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        assert seconds == feed_module.BEAT
        await self.due.acquire()


@pytest.fixture
async def beats(feed: Feed) -> AsyncGenerator[Beats]:
    clock = Beats()
    task = asyncio.create_task(feed.beat(clock))
    yield clock
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_comment_keeps_every_connection_open(feed: Feed, beats: Beats) -> None:
    async with following(feed) as first, following(feed, "another") as second:
        beats.due.release()
        await first.until(lambda: ": keep-alive\n\n" in first.text)
        await second.until(lambda: ": keep-alive\n\n" in second.text)


async def test_an_account_that_nobody_follows_any_more_is_forgotten(
    feed: Feed, beats: Beats
) -> None:
    async with following(feed) as first:
        feed.publish(order("1", 1))
        await first.until(lambda: first.events)
    for _ in range(feed_module.LINGER):
        beats.due.release()
        await asyncio.sleep(0)
    assert feed.is_followed("default")
    beats.due.release()
    await asyncio.sleep(0.01)
    assert not feed.is_followed("default")
    assert (len(feed.memory), feed.memory.size) == (0, 0)
    async with following(feed, last_event_id=first.last_id) as second:
        await second.until(lambda: second.events)
    assert second.kinds == ["reset"]


async def test_closing_ends_every_stream_at_once_and_those_to_come(feed: Feed) -> None:
    async with following(feed) as follower:
        feed.close()
        await follower.until(lambda: follower.ended, 0.5)
    async with asyncio.timeout(0.5):
        assert len([chunk async for chunk in feed.follow("default")]) == 1
