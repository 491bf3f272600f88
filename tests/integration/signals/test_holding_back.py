"""Limits, kill switches and modes: looked at in the transaction that books."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from support.databases import START
from support.desk import DeskClient
from support.hooks import (
    Hook,
    all_processed,
    audited,
    buying,
    exact,
    make_hook,
    orders,
    pass_time,
    rows,
    selling,
)

# START is 10:00 of a Friday in New York.
QUIET = {"since": "09:30", "until": "10:30", "days": ["fri"]}


@pytest.mark.parametrize(
    ("limits", "within", "beyond", "sentence"),
    [
        ({"tickers": ["AAPL"]}, buying(), buying(1, "MSFT"), "does not trade MSFT"),
        ({"sides": ["buy"]}, buying(), selling(), "does not sell"),
        ({"max_notional_per_order": 381}, buying(2), buying(3), "is the most for one order"),
        ({"max_notional_per_day": 571}, buying(2), buying(2, note="2"), "is the most for a day"),
        ({"max_position": 5}, buying(3), buying(3, note="2"), "The position would be 6 shares"),
        ({"max_position_notional": 600}, buying(2), buying(2, note="2"), "would be worth $761.00"),
    ],
)
async def test_each_limit_lets_through_what_is_within_and_nothing_more(
    timed: DeskClient,
    limits: dict[str, Any],
    within: dict[str, Any],
    beyond: dict[str, Any],
    sentence: str,
) -> None:
    hook = await make_hook(timed, **limits)
    first, second = await hook.done(within), await hook.done(beyond)
    assert (first["status"], second["status"]) == ("executed", "rejected"), first["error"]
    assert sentence in second["error"]
    assert len(await orders(timed)) == 1


async def test_two_that_are_too_much_together_are_not_both_booked_in_one_batch(
    timed: DeskClient,
) -> None:
    hook = await make_hook(timed, max_position=5)
    answer = await hook.send([buying(3, signal_id=f"{n}") for n in range(20)])
    signals = await all_processed(timed)
    assert len(answer["signals"]) == 20
    assert [str(signal.status) for signal in signals] == ["executed"] + ["rejected"] * 19
    (order,) = await orders(timed)
    assert order.quantity == 3


async def test_what_a_day_holds_is_summed_until_midnight_where_the_desk_is(
    timed: DeskClient,
) -> None:
    hook = await make_hook(timed, max_notional_per_day=400)
    other = await make_hook(timed, max_notional_per_day=400)
    assert (await hook.done(buying(1)))["status"] == "executed"
    assert (await hook.done(buying(1, note="2")))["status"] == "executed"
    # Selling opens nothing, and gives nothing back.
    assert (await hook.done(selling(1)))["status"] == "executed"
    assert (await hook.done(buying(1, note="3")))["status"] == "rejected"
    assert (await other.done(buying(1)))["status"] == "executed"
    # 18:59:59 in New York is 23:59:59 UTC; midnight of UTC changes nothing.
    await pass_time(timed, 10 * 3600)
    assert (await hook.done(buying(1, note="4")))["status"] == "rejected"
    await pass_time(timed, 4 * 3600 - 1)
    assert (await hook.done(buying(1, note="5")))["status"] == "rejected"
    await pass_time(timed, 1)
    assert (await hook.done(buying(1, note="6")))["status"] == "executed"


async def test_in_quiet_hours_nothing_is_opened_and_everything_may_be_closed(
    timed: DeskClient,
) -> None:
    hook = await make_hook(timed)
    await hook.done(buying(5))
    await hook.change(quiet_hours=[QUIET])
    refused = await hook.done(buying(1))
    assert (refused["status"], "quiet hours" in refused["error"]) == ("rejected", True)
    assert (await hook.done(selling(2)))["status"] == "executed"
    assert (await hook.done({"ticker": "AAPL", "action": "close"}))["status"] == "executed"
    await pass_time(timed, 1800)
    assert (await hook.done(buying(1, note="later")))["status"] == "executed"


async def test_what_closes_passes_though_an_order_that_closes_too_rests(
    timed: DeskClient,
) -> None:
    """That one is canceled; it would be wrong to count both, and keep somebody in a position."""
    hook = await make_hook(timed)
    await hook.done(buying(5))
    await hook.done(selling(5, orderType="limit", limitPrice=300, tif="gtc"))
    await hook.change(quiet_hours=[QUIET], max_position=1)
    signal = await hook.done({"ticker": "AAPL", "action": "close"})
    assert signal["status"] == "executed", signal["error"]
    assert [str(o.status) for o in await orders(timed)] == ["filled", "canceled", "filled"]


async def test_a_resting_order_counts_for_the_position(timed: DeskClient) -> None:
    hook = await make_hook(timed, max_position=5)
    assert (await hook.done(buying(3, orderType="limit", limitPrice=100)))["status"] == "executed"
    assert (await hook.done(buying(3)))["status"] == "rejected"
    assert (await hook.done(buying(2)))["status"] == "executed"


async def test_stale_is_off_until_somebody_says_so(timed: DeskClient) -> None:
    old = (START - timedelta(days=400)).isoformat().replace("+00:00", "Z")
    minute = (START - timedelta(seconds=61)).isoformat().replace("+00:00", "Z")
    hook = await make_hook(timed)
    assert (await hook.done(buying(1, time=old)))["status"] == "executed"
    by_sender = await hook.done(buying(1, time=minute, max_lag=60))
    assert (by_sender["status"], "61 s old" in by_sender["error"]) == ("rejected", True)
    await hook.change(stale_after_seconds=60)
    by_webhook = await hook.done(buying(2, time=minute))
    assert (by_webhook["status"], "60 s is the most" in by_webhook["error"]) == ("rejected", True)
    # Whoever replays it knows how old it is.
    replay = await timed.post(f"/api/signals/{by_webhook['signal_id']}/replay")
    assert (await hook.processed(replay.json()["signal_id"]))["status"] == "executed"


@pytest.mark.parametrize(
    "body",
    [
        buying(time="yesterday"),
        buying(timenow=""),
        buying(time="{{timenow}}"),
        buying(date={"day": 20}),
        json.dumps(buying(time=0)).replace("0}", "NaN}"),
        "symbol=AAPL&action=buy&quantity=1&time=yesterday",
    ],
)
async def test_a_time_that_cannot_be_read_passes_no_limit_on_age(
    timed: DeskClient, body: Any
) -> None:
    hook = await make_hook(timed, stale_after_seconds=60)
    stale = await hook.done(body)
    assert (stale["status"], stale["order_id"]) == ("rejected", None)
    assert "cannot be read, and 60 s is the most" in stale["error"]
    # Whoever replays it has looked.
    replay = await timed.post(f"/api/signals/{stale['signal_id']}/replay")
    assert (await hook.processed(replay.json()["signal_id"]))["status"] == "executed"
    # Nobody set a limit.
    assert (await (await make_hook(timed)).done(body))["status"] == "executed"


async def test_the_senders_own_limit_is_not_passed_by_a_time_that_cannot_be_read(
    timed: DeskClient,
) -> None:
    hook = await make_hook(timed)
    refused = await hook.done(buying(time="yesterday", max_lag=300))
    assert (refused["status"], "300 s is the most" in refused["error"]) == ("rejected", True)
    # One that says no time at all has no age.
    assert (await hook.done(buying(max_lag=300)))["status"] == "executed"


async def test_an_alert_grows_stale_in_the_queue(timed: DeskClient) -> None:
    timed.prices.prices["WAIT"] = None
    hook = await make_hook(timed, stale_after_seconds=60)
    now = START.isoformat().replace("+00:00", "Z")
    signal_id = (await hook.send(buying(1, "WAIT", time=now)))["signal_id"]
    await hook.tried(signal_id, 1)
    timed.prices.prices["WAIT"] = "10"
    await pass_time(timed, 61)
    signal = await hook.processed(signal_id)
    assert (signal["status"], "61 s old" in signal["error"]) == ("rejected", True)


async def test_a_limit_that_is_set_while_an_alert_waits_counts(timed: DeskClient) -> None:
    timed.prices.prices["WAIT"] = None
    hook = await make_hook(timed)
    signal_id = (await hook.send(buying(5, "WAIT")))["signal_id"]
    await hook.tried(signal_id, 1)
    await hook.change(max_position=4)
    timed.prices.prices["WAIT"] = "10"
    await pass_time(timed, 1)
    assert (await hook.processed(signal_id))["status"] == "rejected"


async def turn(desk: DeskClient, **body: Any) -> Any:
    answer = await desk.post("/api/killswitch", json=body)
    assert answer.status_code == 200, answer.text
    return exact(answer)


@pytest.mark.parametrize("whose", ["desk", "account", "webhook"])
async def test_what_waits_when_a_kill_switch_is_turned_on_is_rejected(
    timed: DeskClient, whose: str
) -> None:
    timed.prices.prices["WAIT"] = None
    hook = await make_hook(timed)
    body: dict[str, Any] = {
        "desk": {"reason": "enough"},
        "account": {"account_id": "default", "reason": "enough"},
        "webhook": {"webhook_id": hook.id},
    }[whose]
    queued = (await hook.send(buying(1, "WAIT")))["signal_id"]
    behind = (await hook.send(buying(2, "WAIT")))["signal_id"]
    await hook.tried(queued, 1)

    await turn(timed, on=True, **body)
    timed.prices.prices["WAIT"] = "10"
    await pass_time(timed, 1)

    for signal_id in (queued, behind):
        signal = await hook.processed(signal_id)
        assert (signal["status"], signal["order_id"]) == ("rejected", None)
        assert ("off" if whose == "webhook" else "enough") in signal["error"]
    # And what comes now is refused when it comes, with 200.
    answer = await hook.send(buying(3))
    assert (answer["status"], answer["first"]["status"]) == ("rejected", "rejected")
    await turn(timed, on=False, **body)
    assert (await hook.done(buying(4)))["status"] == "executed"
    assert len(await orders(timed)) == 1
    actions = [line.action for line in await audited(timed, "killswitch.")]
    assert actions == ["killswitch.engaged", "killswitch.released"]


async def test_the_switch_of_one_stops_no_other(timed: DeskClient) -> None:
    made = await timed.post("/api/accounts", json={"name": "b", "cash_balance": 5_000})
    hook, other = await make_hook(timed), await make_hook(timed)
    foreign = await make_hook(timed, account=made.json()["id"])
    await turn(timed, on=True, webhook_id=hook.id)
    assert (await hook.send(buying()))["status"] == "rejected"
    assert (await other.done(buying()))["status"] == "executed"
    await turn(timed, on=True, account_id="default")
    assert (await other.send(buying(2)))["status"] == "rejected"
    assert (await foreign.send(buying()))["status"] == "received"
    shown = (await timed.get("/api/killswitch")).json()
    assert {(each["account_id"], each["webhook_id"]) for each in shown} == {
        ("default", None),
        ("default", hook.id),
    }
    await all_processed(timed)
    assert len(await orders(timed)) == 2


async def test_a_kill_switch_cancels_what_rests_of_its_webhook(timed: DeskClient) -> None:
    hook, other = await make_hook(timed), await make_hook(timed)
    resting = {"orderType": "limit", "limitPrice": 100, "tif": "gtc"}
    await hook.done(buying(1, **resting))
    await other.done(buying(2, **resting))
    own = {"ticker": "AAPL", "side": "buy", "type": "limit", "limit_price": 99, "quantity": 3}
    assert (await timed.post("/api/orders", json=own)).status_code == 201

    answer = await turn(timed, on=True, webhook_id=hook.id, cancel_orders=True)
    assert answer["canceled_orders"] == 1
    assert [o.quantity for o in await orders(timed) if o.closed_at is None] == [2, 3]
    answer = await turn(timed, on=True, cancel_orders=True)
    assert answer["canceled_orders"] == 1
    assert [o.quantity for o in await orders(timed) if o.closed_at is None] == [3]


async def test_a_switch_outlives_a_second_turn_and_keeps_its_first_reason(
    timed: DeskClient,
) -> None:
    await turn(timed, on=True, reason="first")
    await pass_time(timed, 60)
    await turn(timed, on=True, reason="second")
    (shown,) = (await timed.get("/api/killswitch")).json()
    assert (shown["since"], shown["reason"]) == ("2026-11-20T15:00:00Z", "first")
    assert len(await audited(timed, "killswitch.")) == 1


@pytest.mark.parametrize("whose", [{}, {"account_id": "default"}], ids=["desk", "account"])
async def test_a_switch_that_several_turn_on_at_once_is_turned_on_by_one(
    timed: DeskClient, whose: dict[str, str]
) -> None:
    for _ in range(5):
        bodies = [{"on": True, "reason": f"{n}", **whose} for n in range(8)]
        await asyncio.gather(*(turn(timed, **body) for body in bodies))
        (shown,) = (await timed.get("/api/killswitch")).json()
        line = (await audited(timed, "killswitch.engaged"))[-1]
        assert line.details is not None
        assert line.details["after"]["reason"] == shown["reason"]
        await asyncio.gather(*(turn(timed, on=False, **whose) for _ in range(8)))
        assert (await timed.get("/api/killswitch")).json() == []
    actions = [line.action for line in await audited(timed, "killswitch.")]
    assert actions == ["killswitch.engaged", "killswitch.released"] * 5


async def test_what_is_recorded_is_never_executed(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="record")
    answer = await hook.send(buying())
    assert (answer["status"], answer["first"]["status"]) == ("received", "recorded")
    assert (await hook.signal(answer["signal_id"]))["processed"] is True
    assert (await hook.send(buying()))["status"] == "duplicate"
    refused = await desk.post(f"/api/signals/{answer['signal_id']}/approve")
    assert refused.status_code == 409
    # Replayed through the webhook as it is now.
    await hook.change(mode="execute")
    replay = await desk.post(f"/api/signals/{answer['signal_id']}/replay")
    assert (await hook.processed(replay.json()["signal_id"]))["status"] == "executed"
    assert len(await orders(desk)) == 1


async def test_what_is_proposed_waits_for_a_person(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="propose")
    yes, no = [(await hook.send(buying(n)))["signal_id"] for n in (1, 2)]
    for signal_id in (yes, no):
        shown = await hook.signal(signal_id)
        assert (shown["status"], shown["processed"]) == ("received", False)
    approvals = await asyncio.gather(*(desk.post(f"/api/signals/{yes}/approve") for _ in range(4)))
    assert sorted(answer.status_code for answer in approvals) == [200, 409, 409, 409]
    declined = [await desk.post(f"/api/signals/{no}/decline") for _ in range(2)]
    assert [answer.status_code for answer in declined] == [200, 409]
    assert (await hook.processed(yes))["status"] == "executed"
    refused = await hook.signal(no)
    assert (refused["status"], refused["processed"]) == ("rejected", True)
    assert [order.quantity for order in await orders(desk)] == [1]
    actions = sorted(
        str(line.action)
        for line in await audited(desk)
        if line.action in {"signal.approved", "signal.dismissed"}
    )
    assert actions == ["signal.approved", "signal.dismissed"]


async def test_the_limits_count_for_what_was_approved_as_they_are_then(desk: DeskClient) -> None:
    hook = await make_hook(desk, mode="propose")
    signal_id = (await hook.send(buying(5)))["signal_id"]
    await hook.change(max_position=4)
    assert (await desk.post(f"/api/signals/{signal_id}/approve")).status_code == 200
    signal = await hook.processed(signal_id)
    assert (signal["status"], "is the most" in signal["error"]) == ("rejected", True)


async def test_what_waits_for_a_deleted_webhook_is_refused(timed: DeskClient) -> None:
    timed.prices.prices["WAIT"] = None
    hook: Hook = await make_hook(timed)
    signal_id = (await hook.send(buying(1, "WAIT")))["signal_id"]
    await hook.tried(signal_id, 1)
    assert (await timed.delete(f"/api/webhooks/{hook.id}")).status_code == 204
    timed.prices.prices["WAIT"] = "10"
    await pass_time(timed, 1)
    signal = await hook.processed(signal_id)
    assert (signal["status"], signal["error"]) == ("rejected", "The webhook was deleted.")
    assert (await timed.post(f"/api/signals/{signal_id}/replay")).status_code == 409
    assert len(await rows(timed)) == 1
    assert exact(await timed.get("/api/portfolio"))["cash_balance"] == Decimal(10_000)
