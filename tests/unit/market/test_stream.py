"""The price stream: everybody gets the newest, nobody holds anybody up, and it ends."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal

from paperdesk.market.quotes import Quote
from paperdesk.market.stream import KEEP_ALIVE, RETRY, PriceStream, price_event

AT = datetime(2026, 11, 20, 15, 0, 0, 250_000, tzinfo=UTC)


async def next_of(events: object) -> bytes:
    async with asyncio.timeout(1):
        return await anext(events)  # type: ignore[call-overload]


async def test_a_subscriber_gets_the_newest_event_and_then_each_newer_one() -> None:
    stream = PriceStream()
    stream.publish(b"1")
    events = stream.subscribe()
    assert [await next_of(events), await next_of(events)] == [RETRY, b"1"]
    waiting = asyncio.create_task(next_of(events))
    await asyncio.sleep(0)
    stream.publish(b"2")
    assert await waiting == b"2"


async def test_a_slow_subscriber_skips_to_the_newest() -> None:
    stream = PriceStream()
    events = stream.subscribe()
    await next_of(events)
    for n in range(1_000):
        stream.publish(str(n).encode())
    assert await next_of(events) == b"999"
    waiting = asyncio.create_task(next_of(events))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    stream.publish(b"more")
    assert await waiting == b"more"


async def test_every_subscriber_gets_the_same_event() -> None:
    stream = PriceStream()
    subscriptions = [stream.subscribe() for _ in range(200)]
    for events in subscriptions:
        await next_of(events)
    waiting = [asyncio.create_task(next_of(events)) for events in subscriptions]
    await asyncio.sleep(0)
    event = b"data: {}\n\n"
    stream.publish(event)
    assert all(got is event for got in await asyncio.gather(*waiting))


async def test_silence_is_filled_with_a_comment() -> None:
    stream = PriceStream(silence=0.01)
    events = stream.subscribe()
    assert [await next_of(events) for _ in range(3)] == [RETRY, KEEP_ALIVE, KEEP_ALIVE]


async def test_closing_ends_every_subscription_at_once_and_for_good() -> None:
    stream = PriceStream()
    events = stream.subscribe()
    await next_of(events)
    stream.publish(b"1")
    assert await next_of(events) == b"1"

    async def rest() -> list[bytes]:
        return [event async for event in events]

    waiting = asyncio.create_task(rest())
    await asyncio.sleep(0)
    stream.close()
    async with asyncio.timeout(0.5):
        assert await waiting == []
        assert [event async for event in stream.subscribe()] == [RETRY]


def test_the_event_has_the_documented_form_with_exact_numbers() -> None:
    quote = Quote("AAPL", Decimal("190.120000000"), Decimal(190), AT, AT, "simulator")
    event = price_event([quote])
    assert event == (
        b'data: {"AAPL":{"ticker":"AAPL","price":190.12,"previous_price":190,'
        b'"timestamp":"2026-11-20T15:00:00.250000Z","change":0.12,"change_percent":0.0632,'
        b'"direction":"up"}}\n\n'
    )
    assert json.loads(price_event([]).removeprefix(b"data: ")) == {}
