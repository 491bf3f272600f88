"""Files that are uploaded: in the order of time, once, whole or not at all, and let go of."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.jobs.loading import STRETCH
from paperdesk.jobs.making import MOST_OF_ALL
from support.desk import DeskClient, open_desk
from support.jobs import ask, assert_counted, ended, job, rows
from support.uploads import (
    HEADER,
    assert_proven,
    assert_refused,
    imported,
    open_spools,
    send,
    standing,
    table,
)

AWAY = "2026-03-04T15:00:00Z"
BUY = "2026-03-04T15:30:00Z,AAPL,buy,1,10,,,"


def history(count: int) -> list[str]:
    """Return lines with the oldest first; in another order they come to something else."""
    chance = random.Random(count)
    lines = ["2026-01-02T15:00:00Z,AAPL,buy,500,10.01,0.5,,"]
    for number in range(count - 1):
        at = f"2026-02-{1 + number // 60:02}T15:{number % 60:02}:00Z"
        side, quantity = chance.choice(["buy", "sell"]), chance.randrange(1, 9)
        lines.append(f"{at},AAPL,{side},{quantity},{10 + number % 7}.{number % 100:02},0.25,,")
    return lines


def newest_first(lines: list[str]) -> list[str]:
    return lines[::-1]


def shuffled(lines: list[str]) -> list[str]:
    return random.Random(1).sample(lines, len(lines))


def with_the_first_at_the_end(lines: list[str]) -> list[str]:
    return [*lines[1:], lines[0]]


async def all_rows(desk: DeskClient, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        asked = {"limit": 500, "cursor": str(len(found))}
        page = (await desk.get(f"/api/jobs/{job_id}/rows", params=asked)).json()
        found += page
        if not page:
            return found


async def realised(desk: DeskClient) -> Decimal:
    return Decimal(str((await desk.get("/api/portfolio")).json()["realized_pnl"]))


async def assert_nothing_booked(desk: DeskClient) -> None:
    assert [entry["key"] for entry in (await desk.get("/api/journal")).json()] == ["opening"]


@pytest.mark.parametrize(
    ("order", "count"),
    [
        (list[str], 9),
        (newest_first, 9),
        (shuffled, 9),
        # Two stretches are read before the first is stored.
        (with_the_first_at_the_end, 2 * STRETCH + 9),
    ],
)
async def test_rows_are_booked_by_their_time_whatever_the_order_of_the_file(
    desk: DeskClient, order: Callable[[list[str]], list[str]], count: int
) -> None:
    """Also where that is found out once some of them are stored: these are taken away again."""
    lines = history(count)
    expected, cost, gain = Decimal(0), Decimal(0), Decimal(0)
    cash = Decimal(10_000)
    for line in lines:
        _, _, side, *numbers = line.split(",")
        quantity, price, fee = map(Decimal, numbers[:3])
        sign = 1 if side == "buy" else -1
        part = round(cost * quantity / expected, 6) if side == "sell" else -quantity * price
        gain += quantity * price - part if side == "sell" else 0
        cost -= part
        expected += sign * quantity
        cash -= sign * quantity * price + fee
    sent = order(lines)

    done = await imported(desk, table(*sent))

    assert (done["total_rows"], done["successful_rows"]) == (count, count)
    found = await all_rows(desk, done["id"])
    assert [row["row_number"] for row in found] == list(range(1, count + 1))
    assert [row["line"] for row in found] == [sent.index(line) + 2 for line in lines]
    assert await standing(desk) == (cash, {"AAPL": expected})
    assert await realised(desk) == gain
    again = await imported(desk, table(*shuffled(lines)))
    assert Counter(row["error_code"] for row in await all_rows(desk, again["id"])) == {
        "ALREADY_DONE": count
    }
    await assert_proven(desk)


async def test_of_one_day_what_brings_cash_or_shares_comes_first(desk: DeskClient) -> None:
    lines = [
        "2026-03-04,AAPL,transfer out,20,,,,",
        "2026-03-04,,withdrawal,,,,-10100,",
        "2026-03-04,,fee,,,,-100,",
        "2026-03-04,AAPL,cash in lieu,,,,3,",
        "2026-03-04,AAPL,buy,10,900,,,",
        "2026-03-04,AAPL,dividend,,,,97,",
        "2026-03-04,,deposit,,,,9100,",
        "2026-03-04,AAPL,split,,,,,2:1",
        "2026-03-04,AAPL,transfer in,10,,,,",
    ]
    done = await imported(desk, table("2026-03-03,AAPL,transfer in,5,1,,,", *lines))
    found = await rows(desk, done["id"])
    assert [row["line"] for row in found] == [2, 10, 9, 11, 8, 7, 6, 5, 3, 4]
    assert {row["status"] for row in found} == {"completed"}, found
    assert await standing(desk) == (Decimal(0), {"AAPL": Decimal(10)})


@pytest.mark.parametrize(
    "lines",
    [
        ["2026-03-04,AAPL,buy,5,10,,,", "2026-03-04,AAPL,sell,5,11,,,", "2026-03-04,,fee,,,,-1,"],
        ["2026-03-04,,fee,,,,-1,", "2026-03-04,AAPL,buy,5,10,,,", "2026-03-04,AAPL,sell,5,11,,,"],
        [
            "2026-03-04,AAPL,buy,5,10,,,",
            "2026-03-04,AAPL,sell,5,11,,,",
            "2026-03-04,,deposit,,,,1,",
        ],
        ["2026-03-04,AAPL,sell,5,11,,,", "2026-03-04,AAPL,buy,5,10,,,", "2026-03-03,,fee,,,,-1,"],
        [f"{AWAY},AAPL,buy,5,10,,,", f"{AWAY},AAPL,sell,5,11,,,", "2026-03-03,,fee,,,,-1,", BUY],
    ],
    ids=["in order", "a fee above", "a deposit below", "newest first", "one out of order"],
)
async def test_of_trades_at_one_time_the_order_of_the_file_counts(
    desk: DeskClient, lines: list[str]
) -> None:
    done = await imported(desk, table(*lines))
    assert done["failed_rows"] == 0, await rows(desk, done["id"])


async def test_shares_and_cash_of_a_day_are_there_when_it_begins(desk: DeskClient) -> None:
    """Told by the day alone, a purchase has the time of its close, before which others are."""
    lines = [
        "2026-03-04T10:00:00Z,AAPL,sell,4,1,,,",
        "2026-03-04T11:00:00Z,MSFT,buy,1,20000,,,",
        "2026-03-04,,deposit,,,,10000,",
        "2026-03-04,AAPL,split,,,,,2:1",
        "2026-03-04,AAPL,transfer in,2,,,,",
    ]
    done = await imported(desk, table("2026-03-03,AAPL,transfer in,1,,,,", *lines))
    assert done["failed_rows"] == 0, await rows(desk, done["id"])
    assert await standing(desk) == (Decimal(4), {"MSFT": Decimal(1)})


async def test_what_is_no_activity_stays_where_it_stood(desk: DeskClient) -> None:
    lines = ["2026-03-05,AAPL,buy,1,10,,,", "nonsense,AAPL,buy,1,10,,,", "2026-03-03,,fee,,,,-1,"]
    done = await imported(desk, table(*lines))
    found = await rows(desk, done["id"])
    assert [(row["line"], row["status"]) for row in found] == [
        (4, "completed"),
        (3, "failed"),
        (2, "completed"),
    ]
    assert found[1]["data"]["date"] == "nonsense"
    assert (done["status"], done["successful_rows"], done["failed_rows"]) == ("completed", 2, 1)


async def test_all_or_nothing_takes_no_more_than_is_booked_at_once(desk: DeskClient) -> None:
    before = await standing(desk)
    lines = [f"2026-03-04T10:00:00Z,AAPL,buy,1,{n}.5,,," for n in range(1, MOST_OF_ALL + 2)]
    done = await imported(desk, table(*lines), atomicity="all", fund="true")
    assert (done["status"], done["error_code"]) == ("failed", "INVALID_REQUEST")
    assert f"{MOST_OF_ALL:,}" in done["error_message"]
    assert await standing(desk) == before
    await assert_nothing_booked(desk)
    less = await imported(desk, table(*lines[:-1]), atomicity="all", fund="true")
    assert (less["status"], less["successful_rows"]) == ("completed", MOST_OF_ALL)


@pytest.mark.parametrize("bad", ["nonsense,AAPL,buy,1,10,,,", "2026-03-05,AAPL,sell,9,10,,,"])
async def test_all_or_nothing_with_a_bad_row_books_nothing_until_it_is_mended(
    desk: DeskClient, bad: str
) -> None:
    before = await standing(desk)
    done = await imported(desk, table("2026-03-04,AAPL,buy,1,10,,,", bad), atomicity="all")
    assert done["status"] == "failed"
    found = await rows(desk, done["id"])
    assert [row["status"] for row in found] == ["skipped", "failed"]
    await assert_nothing_booked(desk)
    # Not mended it is the same again.
    await ask(desk, done["id"], "retry")
    assert (await ended(desk, done["id"]))["status"] == "failed"
    assert await standing(desk) == before

    good = {"kind": "sell", "at": "2026-03-05T20:00:00Z", "ticker": "AAPL", "quantity": 1}
    changed = await desk.patch(f"/api/jobs/{done['id']}/rows/2", json={"data": good | {"price": 9}})
    assert changed.status_code == 200, changed.text
    await ask(desk, done["id"], "retry")
    assert (await ended(desk, done["id"]))["status"] == "completed"
    assert await standing(desk) == (before[0] - 1, {})


async def test_a_key_makes_one_job_of_a_file(desk: DeskClient) -> None:
    content, headers = table(BUY), {"Idempotency-Key": "once"}
    first = await send(desk, content, mode="auto", headers=headers)
    second = await send(desk, content, "other.csv", mode="auto", headers=headers)
    assert (second.status_code, second.json()["id"]) == (201, first.json()["id"])
    assert second.headers["Idempotent-Replayed"] == "true"
    for changes in ({"content": content + BUY}, {"fund": "true"}, {"mode": "confirm"}):
        form = {"content": content, "mode": "auto", **changes}
        assert_refused(await send(desk, headers=headers, **form), 409, "IDEMPOTENCY_MISMATCH")
    body = {"rows": [{"ticker": "AAPL"}]}
    assert_refused(
        await desk.post("/api/jobs", json=body, headers=headers), 409, "IDEMPOTENCY_MISMATCH"
    )
    assert len((await desk.get("/api/jobs")).json()) == 1


async def test_a_key_sent_many_times_at_once_makes_one_job(desk: DeskClient) -> None:
    content, headers = table(*history(STRETCH)), {"Idempotency-Key": "once"}
    before = open_spools()
    answers = await asyncio.gather(
        *(send(desk, content, mode="auto", headers=dict(headers)) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    [job_id] = {answer.json()["id"] for answer in answers}
    assert (await ended(desk, job_id))["successful_rows"] == STRETCH
    assert open_spools() == before


LARGE = table(*(f"2026-03-04T10:00:00Z,AAPL,buy,0.001,{n}.5,,,{' ' * 80}" for n in range(9_000)))
"""A file that goes to the disk, and takes a while."""


async def begun(desk: DeskClient, **form: Any) -> str:
    """Send a large file, and return the job once it is being loaded."""
    answer = await send(desk, LARGE, mode="auto", **form)
    assert (answer.status_code, answer.json()["phase"]) == (201, "load"), answer.text
    return answer.json()["id"]


async def assert_let_go(before: int) -> None:
    async with asyncio.timeout(10):
        while open_spools() > before:  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.02)


async def test_a_job_that_is_deleted_while_it_is_loaded_is_gone(desk: DeskClient) -> None:
    before = open_spools()
    job_id = await begun(desk)
    assert open_spools() == before + 1
    assert (await desk.delete(f"/api/jobs/{job_id}")).status_code == 204
    await assert_let_go(before)
    assert (await desk.get("/api/jobs")).json() == []
    await assert_nothing_booked(desk)


async def test_a_job_that_is_cancelled_while_it_is_loaded_books_nothing(desk: DeskClient) -> None:
    before = open_spools()
    job_id = await begun(desk)
    refused = await desk.post(f"/api/jobs/{job_id}/start")
    assert_refused(refused, 409, "INVALID_STATE")
    assert (await ask(desk, job_id, "cancel"))["status"] == "cancelled"
    await assert_let_go(before)
    left = await job(desk, job_id)
    assert (left["status"], left["error_code"]) == ("cancelled", None)
    assert left["total_rows"] < LARGE.count("\n") - 1
    assert_refused(await desk.post(f"/api/jobs/{job_id}/undo"), 409, "INVALID_STATE")
    await assert_nothing_booked(desk)


async def test_a_file_that_a_desk_was_loading_when_it_stopped_is_sent_again(
    database_url: str,
) -> None:
    before, headers = open_spools(), {"Idempotency-Key": "once"}
    async with open_desk(database_url) as desk:
        await desk.app.state.worker.started.wait()
        job_id = await begun(desk, headers=headers)
    assert open_spools() <= before
    async with open_desk(database_url) as desk:
        await desk.app.state.worker.started.wait()
        left = await job(desk, job_id)
        assert (left["status"], left["error_code"]) == ("failed", "LOAD_BROKE_OFF")
        for event in ("start", "retry", "undo"):
            assert_refused(await desk.post(f"/api/jobs/{job_id}/{event}"), 409, "INVALID_STATE")
        await assert_nothing_booked(desk)
        again = await send(desk, table(BUY), mode="auto", headers=headers)
        assert again.json()["id"] != job_id
        assert (await ended(desk, again.json()["id"]))["successful_rows"] == 1
        assert (await desk.delete(f"/api/jobs/{job_id}")).status_code == 204
        await assert_counted(desk.app.state.database)


async def test_what_is_told_of_a_file_holds_for_all_of_its_rows(desk: DeskClient) -> None:
    """Columns, the order of day and month, the decimal mark, the zone and the currency."""
    content = 'Tag;Papier;Was;Zahl;Kurs;Geld\n"03/04/2026 10:00";AAPL;buy;1,500;100;EUR\n'
    columns = '{"at": "Tag", "ticker": "Papier", "kind": "Was", "quantity": "Zahl", "price": "Kurs"'
    told = {"columns": columns + ', "currency": "Geld"}', "zone": "Europe/Berlin"}
    for name, value in (("decimal", ","), ("date_order", "day_first")):
        detail = assert_refused(await send(desk, content, **told), 422, "QUESTION")
        assert name in detail
        told[name] = value
    rejected = await imported(desk, content, **told)
    assert (await rows(desk, rejected["id"]))[0]["error_code"] == "CURRENCY"
    done = await imported(desk, content, currency="EUR", **told)
    [row] = await rows(desk, done["id"])
    assert row["data"]["at"] == "2026-04-03T08:00:00.000000Z"
    assert await standing(desk) == (Decimal(9_850), {"AAPL": Decimal("1.5")})


async def test_a_file_without_rows_fails_and_leaves_its_key(desk: DeskClient) -> None:
    headers = {"Idempotency-Key": "once"}
    done = await imported(desk, HEADER + "\n", headers=headers)
    assert (done["status"], done["error_code"]) == ("failed", "INVALID_REQUEST")
    assert (await imported(desk, table(BUY), headers=headers))["successful_rows"] == 1


async def test_a_job_is_loaded_though_it_cannot_be_told_of(desk: DeskClient) -> None:
    """Nobody loads it later: with its key it would be found for ever, and never be ready."""

    def untold(*_: object) -> None:
        raise OSError("nobody listens")

    desk.app.state.feed.tell = untold
    answer = await send(desk, table(BUY), mode="auto")
    del desk.app.state.feed.tell
    assert answer.status_code == 500
    [made] = (await desk.get("/api/jobs")).json()
    assert (await ended(desk, made["id"]))["successful_rows"] == 1


async def test_what_no_database_keeps_is_told_of_as_it_can_be_shown(desk: DeskClient) -> None:
    """As in UTF-16 that does not say so, where each other character is NUL."""
    content = table("2026-03-04,AAPL,buy,1,10,,,").encode("utf-16-le")
    done = await imported(desk, content)
    assert (done["status"], done["error_code"]) == ("failed", "NOTHING_BOOKED")
    found = await rows(desk, done["id"])
    assert {row["status"] for row in found} == {"failed"}
    assert "Line 2: quantity" in found[0]["error_message"].replace("\N{REPLACEMENT CHARACTER}", "")
