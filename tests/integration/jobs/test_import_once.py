"""Imports again: mended, estimated, repeated, undone and repeated, and after a reset."""

from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.desk import DeskClient
from support.jobs import ask, ended, job, previewed, rows, run_job
from support.trading import assert_books_hold
from support.uploads import assert_proven, give, imported, send, standing, table, undone

AT: Final = "2026-03-04T15:30:00Z"
HEADER: Final = "date,symbol,side,quantity,price,fee,net amount,ratio,currency,account,id"
TERMS: Final = {"kind": "buy", "at": AT, "ticker": "AAPL", "quantity": 5, "price": "10.50"}


def codes(found: list[dict[str, Any]]) -> list[str | None]:
    return [row["error_code"] for row in found]


@pytest.mark.parametrize("way", ["columns", "terms"])
@pytest.mark.parametrize(
    ("bad", "good", "terms"),
    [
        (f"{AT},AAPL,buy,x,10.5,,,,,,", {"quantity": "5"}, TERMS),
        (f"{AT},AAPL,buy,5.00,x,1.50,,,,,", {"price": "10.50"}, TERMS | {"fee": "1.5"}),
        ("x,AAPL,buy,5,10.5,,,,,,", {"date": "2026-03-04"}, TERMS | {"date_only": True}),
        (f"{AT},AAPL,buy,5,10.5,,x,,,,", {"net amount": "-53"}, TERMS | {"net": -53}),
        (f"{AT},AAPL,buy,5,10.5,,,,EUR,,", {"currency": "USD"}, TERMS | {"currency": "USD"}),
        (f"{AT},AAPL,buy,x,10.5,,,,,Roth,", {"quantity": "5"}, TERMS | {"account": "Roth"}),
        (f"{AT},AAPL,buy,x,9,,,,,,t-1", {"quantity": "5"}, TERMS | {"external_id": "t-1"}),
        (
            "2026-03-04T10:30:00.500-05:00,MSFT,split,,,,,x,,,",
            {"ratio": "4-for-2"},
            {"kind": "stock_split", "at": "2026-03-04T15:30:00.5Z", "ticker": "MSFT"}
            | {"ratio": "4:2"},
        ),
    ],
    ids=["quantity", "price", "day", "net", "currency", "account", "id", "ratio"],
)
async def test_a_row_that_is_mended_is_the_same_in_the_mended_file(
    desk: DeskClient, bad: str, good: dict[str, str], terms: dict[str, Any], way: str
) -> None:
    other = "2026-03-03T15:30:00Z,MSFT,buy,1,10,,,,,,"
    first = await imported(desk, table(other, bad, header=HEADER))
    assert (first["successful_rows"], first["failed_rows"]) == (1, 1)
    [_, row] = await rows(desk, first["id"])
    assert row["data"] == dict(zip(HEADER.split(","), bad.split(","), strict=True))
    data = row["data"] | good if way == "columns" else terms

    changed = await desk.patch(f"/api/jobs/{first['id']}/rows/2", json={"data": data})

    assert (changed.status_code, changed.json()["error_code"]) == (200, "EDITED"), changed.text
    await ask(desk, first["id"], "retry")
    assert (await ended(desk, first["id"]))["successful_rows"] == 2, await rows(desk, first["id"])
    held = await standing(desk)
    cells = {**dict(zip(HEADER.split(","), bad.split(","), strict=True)), **good}
    mended = table(",".join(cells.values()), other, header=HEADER)
    second = await imported(desk, mended)
    assert codes(await rows(desk, second["id"])) == ["ALREADY_DONE"] * 2
    assert await standing(desk) == held
    await undone(desk, first["id"])
    assert await standing(desk) == (Decimal(10_000), {})
    await assert_proven(desk)


async def test_a_row_is_mended_in_the_columns_of_its_own_file(desk: DeskClient) -> None:
    """Semicolons, German numbers and dates, columns without names: as all rows of it."""
    told = {"columns": '{"at": "Tag", "ticker": "Was", "quantity": "Zahl", "price": "Zahl+1"}'}
    content = 'Tag;Was;Zahl;;Was\n04.03.2026;AAPL;x;1.000,50;y\n03.03.2026;AAPL;"1,5";2,25;y\n'
    done = await imported(desk, content, **told)
    row = (await rows(desk, done["id"]))[0]
    assert row["data"].keys() == {"Tag", "Was", "Zahl", "Zahl+1", "Was#2"}
    path = f"/api/jobs/{done['id']}/rows/1"
    changed = await desk.patch(path, json={"data": row["data"] | {"Zahl": "0,5"}})
    assert changed.json()["error_code"] == "EDITED", changed.text
    await ask(desk, done["id"], "retry")
    await ended(desk, done["id"])
    assert await standing(desk) == (Decimal("9496.375"), {"AAPL": Decimal(2)})
    again = await imported(desk, content.replace(";x;", ";0,5;"), **told)
    assert codes(await rows(desk, again["id"])) == ["ALREADY_DONE"] * 2


async def test_what_could_not_be_paid_is_booked_after_a_deposit(desk: DeskClient) -> None:
    done = await imported(desk, table(f"{AT},AAPL,buy,10,1500,,,"))
    assert codes(await rows(desk, done["id"])) == ["INSUFFICIENT_CASH"]
    assert done["error_code"] == "NOTHING_BOOKED"
    await give(desk, 5_000)
    await ask(desk, done["id"], "retry")
    assert (await ended(desk, done["id"]))["status"] == "completed"
    assert await standing(desk) == (Decimal(0), {"AAPL": Decimal(10)})


async def test_what_is_missing_is_deposited_and_taken_back(desk: DeskClient) -> None:
    lines = [
        f"{AT},AAPL,buy,10,1500,1,,",
        "2026-03-05T15:00:00Z,,fee,,,,-7.5,",
        "2026-03-06T15:00:00Z,,withdrawal,,,,-1,",
    ]
    done = await imported(desk, table(*lines), fund="true")
    bought, paid, refused = await rows(desk, done["id"])
    assert (bought["cost_cents"], bought["warning"]) == (
        1_500_100,
        "$5,001.00 was deposited for it.",
    )
    assert (paid["cost_cents"], paid["warning"]) == (750, "$7.50 was deposited for it.")
    assert refused["error_code"] == "INSUFFICIENT_CASH"
    assert await standing(desk) == (Decimal(0), {"AAPL": Decimal(10)})
    journal = (await desk.get("/api/journal")).json()
    assert [entry["amount"] for entry in journal if entry.get("kind") == "deposit"][:2] == [
        7.5,
        5001,
    ]
    await undone(desk, done["id"])
    assert await standing(desk) == (Decimal(10_000), {})
    await assert_books_hold(desk.app.state.database)
    await assert_proven(desk)


async def test_equal_rows_of_a_file_are_all_booked_and_equal_objects_are_one(
    desk: DeskClient,
) -> None:
    line = f"{AT},AAPL,buy,2,10,1,-21,"
    done = await imported(desk, table(line, line, line))
    assert done["successful_rows"] == 3
    broker = {"ticker": "AAPL", "side": "buy", "quantity": 2, "price": 10, "executed_at": AT}
    broker |= {"fee": 1, "net_amount": -21}
    terms = TERMS | {"quantity": 2, "price": 10, "fee": 1, "net": -21}
    # Said either way they are the first of the file's.
    same = await run_job(desk, [broker, terms], kind="import_trades")
    assert codes(await rows(desk, same["id"])) == ["ALREADY_DONE"] * 2
    for one in (broker | {"price": "10.5"}, terms | {"price": "11"}):
        twice = await run_job(desk, [one, one], kind="import_trades")
        assert codes(await rows(desk, twice["id"])) == [None, "ALREADY_DONE"]
        known = [one | {"external_id": each} for each in ("a", "b", "a")]
        apart = await run_job(desk, known, kind="import_trades")
        assert codes(await rows(desk, apart["id"])) == [None, None, "ALREADY_DONE"]
    assert (await standing(desk))[0] == 10_000 - 9 * 21


async def test_an_estimate_says_what_is_booked_then(desk: DeskClient) -> None:
    """Of all its rows as one history: also where a row is that of another stretch."""
    lines = [
        f"2026-03-04T10:{n // 60:02}:{n % 60:02}Z,AAPL,buy,1,{n},,,,,,{n}" for n in range(1, 560)
    ]
    lines[300] = "2026-03-04T10:05:01Z,AAPL,split,,,,,2:1,,,"
    lines += [
        "2026-03-05T10:00:00Z,AAPL,buy,1,1,,,,,,1",
        "2026-03-05T10:00:01Z,AAPL,buy,1,10,,-12,,,,",
        "2026-03-05T10:00:02Z,AAPL,sell,99999,10,,,,,,",
        "2026-03-05T10:00:03Z,,withdrawal,,,,-999999,,,,",
        "2026-03-05T10:00:04Z,TSLA,split,,,,,2:1,,,",
        "2026-03-05T10:00:05Z,AAPL,transfer in,2,,,,,,,",
        "x,AAPL,buy,1,1,,,,,,",
    ]
    content = table(*lines, header=HEADER)
    before = await standing(desk)
    answer = await send(desk, content, fund="true")
    job_id = answer.json()["id"]
    waiting = await previewed(desk, job_id)
    estimated = await all_of(desk, job_id)
    assert await standing(desk) == before
    await ask(desk, job_id, "start")
    done = await ended(desk, job_id)
    booked = await all_of(desk, job_id)
    assert waiting["total_cost_cents"] == done["total_cost_cents"] > 0
    fields = ("row_number", "cost_cents", "error_code", "warning")
    told = [[row[field] for field in fields] for row in estimated]
    assert told == [[row[field] for field in fields] for row in booked]
    assert [each[2] for each in told if each[2]] == [
        "ALREADY_DONE",
        "INSUFFICIENT_SHARES",
        "INSUFFICIENT_CASH",
        "NO_EFFECT",
        "DATE",
    ]


async def all_of(desk: DeskClient, job_id: str) -> list[dict[str, Any]]:
    more = await desk.get(f"/api/jobs/{job_id}/rows", params={"limit": 500, "cursor": "500"})
    return await rows(desk, job_id) + more.json()


async def test_after_a_reset_all_is_booked_once_more(desk: DeskClient) -> None:
    content = table(
        f"{AT},AAPL,buy,10,15,,,",
        "2026-03-05T15:00:00Z,,dividend,,,,3,",
        "2026-03-06T15:00:00Z,AAPL,split,,,,,2:1",
        "2026-03-07T15:00:00Z,AAPL,transfer out,4,,,,",
    )
    for _ in range(3):
        first = await imported(desk, content)
        assert first["successful_rows"] == 4
        assert await standing(desk) == (Decimal(9_853), {"AAPL": Decimal(16)})
        assert (await imported(desk, content))["successful_rows"] == 0
        answer = await desk.post("/api/accounts/default/reset", json={})
        assert answer.status_code == 200, answer.text
        # What was before it cannot be taken back.
        await undone(desk, first["id"])
        assert await standing(desk) == (Decimal(10_000), {})
    await assert_proven(desk)


async def test_open_orders_are_split_along_and_back(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 2)
    order = {"ticker": "AAPL", "side": "buy", "type": "limit", "quantity": 10, "limit_price": 100}
    made = (await desk.post("/api/orders", json=order)).json()
    now = desk.app.state.market.clock.now().isoformat()
    split = {"kind": "stock_split", "at": now, "ticker": "AAPL", "ratio": "2:1"}
    done = await run_job(desk, [split], kind="import_trades")
    assert done["status"] == "completed", await rows(desk, done["id"])
    await assert_order(desk, made["id"], 20, 50)
    await undone(desk, done["id"])
    await assert_order(desk, made["id"], 10, 100)
    assert (await standing(desk))[1] == {"AAPL": 2}


async def test_a_split_that_was_undone_is_booked_again_while_the_shares_are_held(
    desk: DeskClient,
) -> None:
    bought = TERMS | {"quantity": 3}
    split = {"kind": "stock_split", "at": "2026-03-05T15:30:00Z", "ticker": "AAPL", "ratio": "4:1"}
    await run_job(desk, [bought], kind="import_trades")
    for _ in range(3):
        done = await run_job(desk, [split], kind="import_trades")
        assert codes(await rows(desk, done["id"])) == [None]
        assert (await standing(desk))[1] == {"AAPL": 12}
        await undone(desk, done["id"])
        assert (await standing(desk))[1] == {"AAPL": 3}
    await assert_proven(desk)


async def assert_order(desk: DeskClient, order_id: str, quantity: int, price: int) -> None:
    order = (await desk.get(f"/api/orders/{order_id}")).json()
    assert (order["quantity"], order["limit_price"]) == (quantity, price)


POOL: Final[list[tuple[str, Decimal, str, Decimal]]] = [
    (f"2026-03-{day:02}T15:00:00Z,{rest}", Decimal(net), ticker, Decimal(shares))
    for day, (rest, net, ticker, shares) in enumerate(
        [
            (",deposit,,,,500,", "500", "", "0"),
            ("AAPL,buy,3,10.123456789,0.35,,", "-30.72037", "AAPL", "3"),
            ("AAPL,sell,5,11,0.1,55.25,", "55.25", "AAPL", "-5"),
            ("AAPL,buy,4,33.333333333,,-133,", "-133", "AAPL", "4"),
            ("MSFT,sell,2.5,7,,,", "17.5", "MSFT", "-2.5"),
            ("MSFT,buy,7,8.000000001,1,,", "-57", "MSFT", "7"),
            ("AAPL,dividend,,,,1.5,", "1.5", "", "0"),
            ("AAPL,dividend,,,,-0.25,", "-0.25", "", "0"),
            (",fee,,,,-3,", "-3", "", "0"),
            (",interest,,,,0.000001,", "0.000001", "", "0"),
            ("AAPL,sell,1,12,,,", "12", "AAPL", "-1"),
            (",withdrawal,,,,-40,", "-40", "", "0"),
        ],
        2,
    )
]
_IMPORT = st.tuples(st.just("import"), st.sets(st.integers(0, len(POOL) - 1), min_size=1))
_UNDO = st.tuples(st.just("undo"), st.integers(0, 7))


@pytest.mark.parametrize("method", ["average", "fifo"])
@settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(_IMPORT | _UNDO, min_size=2, max_size=8))
async def test_cash_and_shares_are_what_the_standing_imports_come_to(
    desk: DeskClient, method: str, steps: list[tuple[str, Any]]
) -> None:
    reset = await desk.post("/api/accounts/default/reset", json={"cash_balance": 10_000})
    assert reset.status_code == 200, reset.text
    rules = {"short_selling": {"enabled": True}, "cost_basis": method}
    assert (await desk.patch("/api/accounts/default", json=rules)).status_code == 200
    stands: set[int] = set()
    jobs: list[tuple[str, set[int]]] = []
    for what, which in steps:
        if what == "import":
            done = await imported(desk, table(*(POOL[each][0] for each in which)))
            new = which - stands
            assert (done["successful_rows"], done["failed_rows"]) == (len(new), 0)
            stands |= new
            jobs.append((done["id"], new))
        elif jobs:
            job_id, booked = jobs[which % len(jobs)]
            if booked:
                await undone(desk, job_id)
                assert (await job(desk, job_id))["successful_rows"] == 0, await rows(desk, job_id)
                stands -= booked
                booked.clear()
        cash, shares = Decimal(10_000), dict[str, Decimal]()
        for each in stands:
            _, net, ticker, quantity = POOL[each]
            cash += net
            shares[ticker] = shares.get(ticker, Decimal(0)) + quantity
        held = {ticker: quantity for ticker, quantity in shares.items() if quantity}
        assert await standing(desk) == (cash, held)
    await assert_books_hold(desk.app.state.database)
