"""However often and however oddly an alert is delivered, it is one signal and one order."""

import asyncio
import json
import random
import re
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from paperdesk.models import Order, OrderLeg
from support.desk import DeskClient
from support.hooks import Hook, all_processed, buying, make_hook, orders, pass_time, step_clock

AT = "2026-11-20T15:00:00Z"


async def test_the_same_body_twice_is_one_order_and_the_second_gets_the_first_result(
    desk: DeskClient, hook: Hook
) -> None:
    first = await hook.send(buying(2))
    signal = await hook.processed(first["signal_id"])
    again = await hook.send(buying(2))

    assert (first["status"], again["status"]) == ("received", "duplicate")
    assert again["signal_id"] == first["signal_id"]
    assert re.fullmatch("[0-9a-f]{64}", first["signal_id"])
    (order,) = await orders(desk)
    assert again["first"] == {
        "status": "executed",
        "order_id": order.id,
        "outcome": "Bought 2 AAPL at 190.25.",
        "error": None,
    }
    shown = await hook.signal(first["signal_id"])
    assert (signal["duplicates"], shown["duplicates"]) == (0, 1)
    assert shown["last_seen_at"] > shown["received_at"] == signal["received_at"]


@pytest.mark.parametrize("body", [buying(2), buying(2, time=AT), buying(2, signal_id="a")])
async def test_fifty_at_once_are_one_order(
    desk: DeskClient, hook: Hook, body: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(hook.send(body) for _ in range(50)))

    assert sorted(answer["status"] for answer in answers) == ["duplicate"] * 49 + ["received"]
    (signal_id,) = {answer["signal_id"] for answer in answers}
    signal = await hook.processed(signal_id)
    assert (signal["duplicates"], len(await orders(desk))) == (49, 1)


async def test_a_body_without_a_time_is_the_same_for_a_window_from_its_first_arrival(
    timed: DeskClient,
) -> None:
    """Never by a clock bucket: whenever in the minute the first one comes, the window is 30 s."""
    hook = await make_hook(timed)
    for offset in (0.0, 11.25, 29.999):
        await pass_time(timed, 100 + offset)
        first = await hook.done(buying())
        # Each arrival counts from the first one, not from the one before it.
        for seconds in (10, 10, 9.999):
            await pass_time(timed, seconds)
            assert (await hook.send(buying()))["signal_id"] == first["signal_id"]
        await pass_time(timed, 0.001)
        second = await hook.send(buying())
        assert second["status"] == "received"
        assert second["signal_id"] != first["signal_id"]
        await hook.processed(second["signal_id"])
    assert len(await orders(timed)) == 6


async def test_a_webhook_sets_its_own_window(timed: DeskClient) -> None:
    hook = await make_hook(timed, window_seconds=90)
    first = await hook.done(buying())
    await pass_time(timed, 89)
    assert (await hook.send(buying()))["signal_id"] == first["signal_id"]
    await pass_time(timed, 1)
    assert (await hook.send(buying()))["status"] == "received"


async def test_a_body_with_a_time_is_the_same_for_ever(timed: DeskClient) -> None:
    hook = await make_hook(timed)
    await hook.done(buying(time=AT))
    await pass_time(timed, 86_400 * 400)
    assert (await hook.send(buying(time=AT)))["status"] == "duplicate"
    assert (await hook.send(buying(time="2026-11-20T15:01:00Z")))["status"] == "received"


@pytest.mark.parametrize(
    "name", ["signal_id", "idempotency_key", "client_order_id", "alertTimestamp"]
)
async def test_an_explicit_id_is_the_same_for_ever_whatever_else_is_said(
    timed: DeskClient, name: str
) -> None:
    hook = await make_hook(timed)
    first = await hook.done(buying(1, **{name: "breakout-17"}))
    await pass_time(timed, 1_000_000)
    again = await hook.send(buying(2, "MSFT", **{name: "breakout-17"}))
    other = await hook.done(buying(1, **{name: "breakout-18"}))
    assert (again["status"], again["signal_id"]) == ("duplicate", first["signal_id"])
    assert other["status"] == "executed"
    assert len(await orders(timed)) == 2


async def test_the_header_is_an_id_too(timed: DeskClient) -> None:
    hook = await make_hook(timed)
    first = await hook.done(buying(), Idempotency_Key="one")
    other = await hook.done(buying(), Idempotency_Key="two")
    await pass_time(timed, 1_000_000)
    again = await hook.send(buying(3), Idempotency_Key="one")
    assert (again["status"], again["signal_id"]) == ("duplicate", first["signal_id"])
    assert other["signal_id"] != first["signal_id"]


OTHER_BODIES: dict[str, tuple[Any, Any]] = {
    "JSON": (buying(close=1.10), buying(2)),
    "what is not acted on": (buying(x=1), buying(x=2)),
    "another form": (buying(), "long AAPL q=1"),
    "text": ("long AAPL q=1", "long AAPL q=2"),
    "what was not understood": ("hello", "world"),
    "what is understood after what was not": ("hello", buying()),
    "the first of an array": ([buying(1), buying(2)], [buying(3), buying(2)]),
}


@pytest.mark.parametrize(("first", "other"), OTHER_BODIES.values(), ids=OTHER_BODIES)
async def test_who_sends_another_body_under_an_id_is_told(
    desk: DeskClient, hook: Hook, first: Any, other: Any
) -> None:
    bodies = (first, other, first)
    with capture_logs() as logs:
        answers = [await hook.post(body, Idempotency_Key="one") for body in bodies]
    told = ["Another body came under this id before" in answer.text for answer in answers]
    assert told == [False, True, False]
    assert {answer.status_code for answer in answers} == {400 if first == "hello" else 200}
    stored = await all_processed(desk)
    assert {row.duplicates for row in stored} == {2}
    (line,) = [line for line in logs if line["event"] == "signal.other_body"]
    assert (line["log_level"], line["signal"]) == ("warning", stored[0].signal_id)


async def test_the_same_body_written_otherwise_is_no_other_body(
    desk: DeskClient, hook: Hook
) -> None:
    texts: list[Any] = [
        '{"ticker":"AAPL","action":"buy","quantity":1.1,"signal_id":"a","token":"one"}',
        '{ "signal_id": "a", "token": "two",\n"quantity": 1.10, "action":"buy","ticker":"AAPL"}',
        '[{"ticker":"AAPL","action":"buy","quantity":11e-1,"signal_id":"a","token":"three"}]',
    ]
    answers = [await hook.send(text) for text in texts]
    assert [answer["status"] for answer in answers] == ["received", "duplicate", "duplicate"]
    assert [answer["warning"] for answer in answers] == [None] * 3
    assert len(await all_processed(desk)) == 1


@pytest.mark.parametrize("name", ["id", "order_id"])
async def test_the_name_of_the_strategys_order_is_no_key(timed: DeskClient, name: str) -> None:
    hook = await make_hook(timed)
    first = await hook.done(buying(**{name: "Long"}))
    other = await hook.done(buying(2, **{name: "Long"}))
    another = await hook.done(buying(**{name: "Longer"}))
    await pass_time(timed, 60)
    later = await hook.done(buying(**{name: "Long"}))
    assert len({each["signal_id"] for each in (first, other, another, later)}) == 4
    assert len(await orders(timed)) == 4


async def test_another_webhook_or_account_is_another_signal(desk: DeskClient, hook: Hook) -> None:
    answer = await desk.post("/api/accounts", json={"name": "b", "cash_balance": 5_000})
    other = answer.json()["id"]
    second = await make_hook(desk)
    foreign = await make_hook(desk, account=other)
    for body in (buying(), buying(time=AT), buying(signal_id="a")):
        ids = {(await each.send(body))["signal_id"] for each in (hook, second, foreign)}
        assert len(ids) == 3
    await all_processed(desk)
    accounts = [order.user_id for order in await orders(desk)]
    assert sorted(accounts) == sorted(["default"] * 6 + [other] * 3)


async def test_the_same_json_written_otherwise_is_the_same(desk: DeskClient, hook: Hook) -> None:
    body = buying(2, strategy="é", close=190.5)
    first = await hook.send(body)
    written = [
        json.dumps(body, indent=4),
        json.dumps(dict(reversed(body.items())), separators=(",", ":")),
        json.dumps(body, ensure_ascii=False) + "\n",
        "\ufeff" + json.dumps(body),
    ]
    for text in written:
        again = await hook.send(text.encode())
        assert (again["status"], again["signal_id"]) == ("duplicate", first["signal_id"]), text
    await hook.processed(first["signal_id"])
    assert len(await orders(desk)) == 1


async def test_an_array_is_one_signal_an_element(desk: DeskClient, hook: Hook) -> None:
    three = [buying(n, signal_id=f"a{n}") for n in (1, 2, 3)]
    first = await hook.send(three)
    partly = await hook.send([three[2], buying(4, signal_id="a4"), three[0]])

    assert [each["status"] for each in first["signals"]] == ["received"] * 3
    assert [each["status"] for each in partly["signals"]] == ["duplicate", "received", "duplicate"]
    assert partly["status"] == "duplicate"
    assert partly["signals"][0]["signal_id"] == first["signals"][2]["signal_id"]
    assert first["signal_id"] == first["signals"][0]["signal_id"]
    await hook.processed(partly["signals"][1]["signal_id"])
    assert [order.quantity for order in await orders(desk)] == [1, 2, 3, 4]


async def test_equal_elements_of_an_array_are_signals_of_their_own_and_the_array_is_one(
    desk: DeskClient, hook: Hook
) -> None:
    first = await hook.send([buying(), buying()])
    again = await hook.send([buying(), buying()])
    ids = [each["signal_id"] for each in first["signals"]]
    assert len(set(ids)) == 2
    assert [each["signal_id"] for each in again["signals"]] == ids
    await hook.processed(ids[1])
    assert len(await orders(desk)) == 2


async def test_deliveries_of_many_alerts_in_any_order_are_one_order_each(
    desk: DeskClient, hook: Hook
) -> None:
    bodies = [buying("0.01", note=f"n{n}") for n in range(20)]
    deliveries = bodies * 8
    random.shuffle(deliveries)
    answers = await asyncio.gather(*(hook.send(body) for body in deliveries))
    for signal_id in {answer["signal_id"] for answer in answers}:
        assert (await hook.processed(signal_id))["duplicates"] == 7
    assert len(await orders(desk)) == 20


async def test_a_replay_is_a_signal_of_its_own_and_under_a_key_only_one(
    desk: DeskClient, hook: Hook
) -> None:
    first = await hook.done(buying(signal_id="a"))
    path = f"/api/signals/{first['signal_id']}/replay"

    plain = [await desk.post(path) for _ in range(2)]
    keyed = await asyncio.gather(
        *(desk.post(path, headers={"Idempotency-Key": "k"}) for _ in range(5))
    )

    assert {answer.status_code for answer in (*plain, *keyed)} == {201}
    assert all(answer.json()["replay_of"] == first["signal_id"] for answer in (*plain, *keyed))
    ids = {answer.json()["signal_id"] for answer in plain}
    (once,) = {answer.json()["signal_id"] for answer in keyed}
    assert len({first["signal_id"], once, *ids}) == 4
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in keyed]
    assert sorted(map(str, replayed)) == ["None"] + ["true"] * 4
    for signal_id in (once, *ids):
        assert (await hook.processed(signal_id))["status"] == "executed"
    assert len(await orders(desk)) == 4


async def test_a_span_is_replayed_in_its_order(desk: DeskClient, hook: Hook) -> None:
    for n in (3, 1, 2):
        await hook.done(buying(n))
    span = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    answer = await desk.post("/api/signals/replay", json=span, headers={"Idempotency-Key": "k"})
    again = await desk.post("/api/signals/replay", json=span, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201, answer.text
    ids = [each["signal_id"] for each in answer.json()]
    assert [each["signal_id"] for each in again.json()] == ids
    assert again.headers["Idempotent-Replayed"] == "true"
    for signal_id in ids:
        await hook.processed(signal_id)
    assert [order.quantity for order in await orders(desk)] == [3, 1, 2, 3, 1, 2]


async def test_the_database_refuses_a_second_order_of_a_signal(
    desk: DeskClient, hook: Hook
) -> None:
    signal = await hook.done(buying())
    (order,) = await orders(desk)
    assert (order.signal_id, order.leg) == (signal["signal_id"], OrderLeg.single)
    columns = {column.name: getattr(order, column.name) for column in Order.__table__.columns}
    columns |= {"id": "another", "client_order_id": "another"}
    async with desk.app.state.database.write() as session:
        with pytest.raises(IntegrityError):
            await session.execute(insert(Order).values(**columns))
        await session.rollback()
    assert len(await orders(desk)) == 1


async def test_a_window_counts_from_when_it_was_taken_not_from_a_refusal(
    timed: DeskClient,
) -> None:
    hook = await make_hook(timed, rate_per_minute=4)
    for n in (2, 3, 4, 5):
        await hook.send(buying(n))
    assert (await hook.post(buying())).status_code == 429
    await pass_time(timed, 20)
    first = await hook.send(buying())
    assert first["status"] == "received"
    await pass_time(timed, 29)
    again = await hook.send(buying())
    assert (again["status"], again["signal_id"]) == ("duplicate", first["signal_id"])


async def test_time_that_steps_back_begins_no_window(timed: DeskClient) -> None:
    hook = await make_hook(timed)
    first = await hook.send(buying())
    step_clock(timed, -5)
    assert (await hook.send(buying()))["signal_id"] == first["signal_id"]
