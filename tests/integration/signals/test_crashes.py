"""What breaks off is done once all the same, or given up; a former leader books nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from paperdesk.models import Signal
from paperdesk.signals.executor import Executor
from support.desk import DeskClient, open_desk
from support.hooks import (
    Hook,
    all_processed,
    audited,
    buying,
    make_hook,
    orders,
    pass_time,
    rows,
)
from support.observed import problems_found


async def change(desk: DeskClient, signal_id: str, **values: Any) -> None:
    """Change the row of a signal by hand."""
    async with desk.app.state.database.write() as session:
        await session.execute(update(Signal).where(Signal.signal_id == signal_id).values(**values))


async def left_behind(database_url: str, bodies: Sequence[Any], **values: Any) -> list[str]:
    """Leave signals in the queue as a desk does that is killed; return their ids."""
    async with open_desk(database_url) as desk:
        hook = await make_hook(desk, mode="propose")
        ids = [(await hook.send(body))["signal_id"] for body in bodies]
        for signal_id in ids:
            await change(desk, signal_id, status="queued", **values)
        return ids


async def test_what_was_claimed_and_not_booked_is_executed_by_the_next_desk(
    database_url: str,
) -> None:
    ids = await left_behind(
        database_url, [buying(1), buying(2)], lease="of-a-dead-desk", attempts=1
    )
    async with open_desk(database_url) as desk:
        signals = await all_processed(desk)
        assert [(s.signal_id, str(s.status), s.attempts) for s in signals] == [
            (ids[0], "executed", 2),
            (ids[1], "executed", 2),
        ]
        assert [order.quantity for order in await orders(desk)] == [1, 2]
        assert await problems_found(desk.app.state.database) == []


async def test_a_signal_whose_order_is_booked_is_not_ordered_again(database_url: str) -> None:
    """However its row came to say that it waits: a backup of the inbox, a hand in the database."""
    async with open_desk(database_url) as desk:
        hook = await make_hook(desk)
        signal = await hook.done(buying(2))
        again = {"status": "queued", "processed": False, "order_id": None, "lease": None}
        await change(desk, signal["signal_id"], **again)
        desk.app.state.executor.heard()
        done = await hook.processed(signal["signal_id"])
        assert (done["status"], done["order_id"]) == ("executed", signal["order_id"])
        assert len(await orders(desk)) == 1


async def test_one_that_brings_the_desk_down_again_and_again_is_given_up(
    database_url: str,
) -> None:
    poison, fine = await left_behind(database_url, [buying(1), buying(2)])
    async with open_desk(database_url) as desk:
        await all_processed(desk)
    # Executed there; so again, with the tries that it would have had.
    async with open_desk(database_url) as desk:
        hook = await make_hook(desk, mode="propose")
        answer = await hook.send(buying(3))
        await change(desk, answer["signal_id"], status="queued", attempts=8, lease="dead")
    async with open_desk(database_url) as desk:
        signals = {signal.signal_id: signal for signal in await all_processed(desk)}
        given_up = signals[answer["signal_id"]]
        assert (given_up.status, given_up.attempts, given_up.order_id) == ("failed", 8, None)
        assert given_up.error == "It was given up after 8 tries: The desk went down each time."
        assert {str(signals[each].status) for each in (poison, fine)} == {"executed"}
        assert (await audited(desk))[-1].action == "signal.failed"


async def test_what_cannot_be_read_any_more_fails_and_blocks_nobody_for_ever(
    timed: DeskClient,
) -> None:
    hook = await make_hook(timed, mode="propose")
    broken, behind, beside = [
        (await hook.send(buying(n, ticker)))["signal_id"]
        for n, ticker in ((1, "AAPL"), (2, "AAPL"), (3, "MSFT"))
    ]
    await change(timed, broken, understood={"intent": "dance", "ticker": "AAPL"})
    for signal_id in (broken, behind, beside):
        await timed.post(f"/api/signals/{signal_id}/approve") if signal_id != broken else None
    await change(timed, broken, status="queued")
    for attempt in range(1, 9):
        await pass_time(timed, 1)
        await hook_tried(timed, broken, attempt)
        (row,) = await rows(timed, Signal.signal_id == broken)
        assert (str(row.status), row.attempts) == ("queued", attempt)
        assert row.error == "The desk met an error of its own."
    await pass_time(timed, 1)
    signals = {signal.signal_id: signal for signal in await all_processed(timed)}
    assert (str(signals[broken].status), signals[broken].attempts) == ("failed", 8)
    assert signals[broken].error == (
        "It was given up after 8 tries: The desk met an error of its own."
    )
    assert {str(signals[each].status) for each in (behind, beside)} == {"executed"}
    assert [order.quantity for order in await orders(timed)] in ([2, 3], [3, 2])
    failed = [line for line in await audited(timed) if line.action == "signal.failed"]
    assert [line.subject for line in failed] == [broken]


async def hook_tried(desk: DeskClient, signal_id: str, attempts: int) -> None:
    """Wait until a signal was tried so often and is back in the queue."""
    async with asyncio.timeout(20):
        while True:
            (row,) = await rows(desk, Signal.signal_id == signal_id)
            if row.attempts >= attempts and row.lease is None:
                return
            await asyncio.sleep(0.01)


async def test_the_lease_of_a_former_leader_books_nothing(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="propose")
    state = desk.app.state
    old, new = [
        Executor(
            state.database,
            state.desk.leadership,
            state.ledger,
            state.market,
            state.venue,
            "America/New_York",
            lambda: 0,
        )
        for _ in range(2)
    ]
    signal_id = (await hook.send(buying(1)))["signal_id"]
    # Not there for the desk's own executor: it is queued and on lease in one statement.
    await change(desk, signal_id, status="queued", lease=old._lease, attempts=1)
    # The new leader takes back every lease, and only then the old one comes to submit.
    await new._reclaim()
    await change(desk, signal_id, lease=new._lease)
    await old._submit(await claimed(desk, signal_id), None)
    (row,) = await rows(desk)
    assert (str(row.status), row.lease, await orders(desk)) == ("queued", new._lease, [])
    await new._submit(await claimed(desk, signal_id), None)
    assert (await hook.processed(signal_id))["status"] == "executed"
    await old._submit(await claimed(desk, signal_id), None)
    assert len(await orders(desk)) == 1


async def claimed(desk: DeskClient, signal_id: str) -> Any:
    """Return a signal as an executor holds it that leased it."""
    (row,) = await rows(desk, Signal.signal_id == signal_id)
    return row


@pytest.mark.parametrize("body", [{"intent": "dance"}, {"ticker": "AAPL"}])
async def test_what_cannot_be_read_any_more_does_not_close_the_inbox(
    desk: DeskClient, hook: Hook, body: dict[str, Any]
) -> None:
    """The alert after it asks what the one before it said of the position."""
    first = await hook.done(buying(1, market_position="long"))
    await change(desk, first["signal_id"], understood=body)
    signal = await hook.done(buying(2, prev_market_position="long"))
    assert (signal["status"], signal["missed"]) == ("executed", None)
