"""What each row of an import books, to the last digit, and takes back."""

import json
from decimal import Decimal
from typing import Any, Final

import pytest

from support.desk import DeskClient
from support.jobs import rows, run_job
from support.trading import assert_books_hold
from support.uploads import assert_proven, undone

FIRST: Final = "2026-03-02T15:00:00Z"
THEN: Final = "2026-03-04T15:00:00Z"
LATER: Final = "2026-03-06T15:00:00Z"
_RULES: Final = {
    "short": {"short_selling": {"enabled": True}},
    "fifo": {"cost_basis": "fifo"},
}
_ABOUT_CASH: Final = {"interest", "fee", "deposit", "withdrawal"}


def row_of(text: str, at: str) -> dict[str, Any]:
    """Return a row in the desk's own terms: `sell 3 price=50 fee=0.01` is of 3 AAPL."""
    kind, *fields = text.split()
    row: dict[str, Any] = {"kind": kind, "at": at}
    if kind not in _ABOUT_CASH:
        row["ticker"] = "AAPL"
    for each in fields:
        name, _, value = each.rpartition("=")
        row[name or "quantity"] = value
    return row


def rows_of(text: str) -> list[dict[str, Any]]:
    return [row_of(each, FIRST) for each in text.split(";") if each.strip()]


async def books(desk: DeskClient) -> list[str]:
    """Cash, shares of AAPL, their cost and what was realised, exactly."""
    shown = json.loads((await desk.get("/api/portfolio")).text, parse_float=str, parse_int=str)
    held = [each for each in shown["positions"] if each["ticker"] == "AAPL"]
    [position] = held or [{"quantity": "0", "cost_basis": "0"}]
    return [
        shown["cash_balance"],
        position["quantity"],
        position["cost_basis"],
        shown["realized_pnl"],
    ]


async def history(desk: DeskClient, *given: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return await run_job(desk, given, kind="import_trades", **rest)


async def follow(desk: DeskClient, names: str) -> None:
    for name in names.split():
        answer = await desk.patch("/api/accounts/default", json=_RULES[name])
        assert answer.status_code == 200, answer.text


def cells(text: str) -> dict[str, list[str]]:
    """Return the lines of a table by their first cell."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return {name: others for name, *others in lines}


_CASES: Final = cells("""
buy||| buy 3 price=10.123456789 fee=0.35 | 9969.27963 3 30.37037 0 | 0.35
buy for less||| buy 3 price=10 net=-29 | 9971 3 30 0 | -1
buy for more||| buy 3 price=10 fee=1 net=-31.000001 | 9968.999999 3 30 0 | 1.000001
buy by its cash||| buy 3 net=-10 | 9990 3 10 0 | 0
buy with a rebate||| buy 1 price=10 fee=-2 | 9992 1 10 0 | -2
buy with a tax||| buy 1 price=10 fee=1 taxes=0.5 | 9988.5 1 10 0 | 1.5
sell|| buy 3 price=33.333333 | sell 1 price=50 fee=0.01 | 9949.990001 2 66.666666 16.666667 | 0.01
sell for more|| buy 3 price=33 | sell 1 price=50 net=51 | 9952 2 66 17 | -1
sell all|| buy 3 price=33.333333 | sell 3 price=10 | 9930.000001 0 0 -69.999999 | 0
sell lots| fifo | buy 2 price=10; buy 2 price=20 | sell 3 price=30 fee=1 | 10029 1 20 50 | 1
sell short| short || sell 2 price=50 fee=1 | 10099 -2 -100 0 | 1
sell through zero| short | buy 3 price=33 | sell 5 price=50 fee=2 | 10149 -2 -100 51 | 2 0
buy through zero| short | sell 2 price=50 | buy 5 price=40 fee=0.5 | 9899.5 3 120 20 | 0.5 0
dividend|| buy 3 price=10 | dividend net=1.23 | 9971.23 3 30 0 |
dividend taken back|| buy 3 price=10 | dividend net=-1.23 | 9968.77 3 30 0 |
dividend owed| short | sell 2 price=50 | dividend net=-3 | 10097 -2 -100 0 |
interest||| interest net=0.000001 | 10000.000001 0 0 0 |
interest paid||| interest net=-7 | 9993 0 0 0 |
fee||| fee net=-7 | 9993 0 0 0 |
fee given back||| fee net=7 | 10007 0 0 0 |
tax||| tax net=-0.7 | 9999.3 0 0 0 |
deposit||| deposit net=0.5 | 10000.5 0 0 0 |
withdrawal of all||| withdrawal net=-10000 | 0 0 0 0 |
split|| buy 3 price=33.333333 | stock_split ratio=4:1 | 9900.000001 12 99.999999 0 |
split by shares|| buy 3 price=10 | stock_split 1.5 | 9970 4.5 30 0 |
reverse split|| buy 10 price=10 | stock_split -9 | 9900 1 100 0 |
split of lots| fifo | buy 1 price=10; buy 2 price=20 | stock_split ratio=3:2 | 9950 4.5 50 0 |
split of a short sale| short | sell 2 price=50 | stock_split ratio=4:2 | 10100 -4 -100 0 |
transfer in|| buy 3 price=33.333333 | transfer_in 2 price=5 | 9900.000001 5 109.999999 0 |
transfer in with cash||| transfer_in 2 price=5 net=7 | 10007 2 10 0 |
transfer in of a gift||| transfer_in 2 | 10000 2 0 0 |
transfer in of a lot| fifo || transfer_in 2 price=5 | 10000 2 10 0 |
transfer in to lots| fifo | buy 2 price=10 | transfer_in 2 price=5 | 9980 4 30 0 |
transfer out|| buy 3 price=33.333333 | transfer_out 2 price=50 | 9900.000001 1 33.333333 0 |
transfer out with cash|| buy 3 price=10 | transfer_out 3 net=-1 | 9969 0 0 0 |
transfer out of lots| fifo | buy 2 price=10; buy 2 price=20 | transfer_out 4 | 9940 0 0 0 |
cash in lieu|| buy 2.5 price=10 | cash_in_lieu net=6.1 | 9981.1 2 20 1.1 | 0
cash in lieu of nothing|| buy 2 price=10 | cash_in_lieu net=6.1 | 9986.1 2 20 0 |
cash in lieu of dust|| buy 2.000000001 price=10 | cash_in_lieu net=6 | 9986 2.000000001 20 0 |
cash in lieu owed|| buy 2.5 price=10 | cash_in_lieu net=-6 | 9969 2.5 25 0 |
""")
"""By name: rules, rows before, the row; then cash, shares, cost and gain, fees of its trades."""


@pytest.mark.parametrize("rules", ["", *_RULES])
async def test_a_row_books_this_and_takes_it_back(desk: DeskClient, rules: str) -> None:
    """Each in a new chapter of the account: what was before a reset does not count."""
    await follow(desk, rules)
    for name, (which, before, text, after, fees) in _CASES.items():
        if which == rules:
            await begin(desk, before)
            await check(desk, name, row_of(text, THEN), after.split(), fees.split())
    await assert_books_hold(desk.app.state.database)
    await assert_proven(desk)


async def begin(desk: DeskClient, before: str) -> None:
    answer = await desk.post("/api/accounts/default/reset", json={"cash_balance": 10_000})
    assert answer.status_code == 200, answer.text
    if before:
        assert (await history(desk, *rows_of(before)))["failed_rows"] == 0


async def check(
    desk: DeskClient, name: str, row: dict[str, Any], after: list[str], fees: list[str]
) -> None:
    was = await books(desk)

    done = await history(desk, row)

    [shown] = await rows(desk, done["id"])
    assert (name, shown["status"]) == (name, "completed"), shown
    assert (name, await books(desk)) == (name, after)
    assert shown["cost_cents"] == round(100 * (Decimal(was[0]) - Decimal(after[0])))
    trades = (await desk.get("/api/trades", params={"source": "import"})).text
    by_id = {each["id"]: each for each in json.loads(trades, parse_float=str, parse_int=str)}
    booked = [by_id[each] for each in shown["effect"].get("trades", ())]
    assert (name, [trade["fee"] for trade in booked]) == (name, fees)
    assert {trade["executed_at"] for trade in booked} <= {THEN}
    differs = row["kind"] in {"buy", "sell"} and "price" in row and "net" in row
    assert bool(shown["warning"]) is (differs or name == "transfer in of a gift"), name

    await undone(desk, done["id"])

    [back] = await rows(desk, done["id"])
    if name == "transfer in to lots":
        # Which of them came, the books do not tell.
        assert (back["status"], await books(desk)) == ("needs_review", after)
    else:
        assert (name, back["error_code"]) == (name, "UNDONE"), back
        cash, shares, cost, gain = map(Decimal, await books(desk))
        assert (name, str(cash), str(shares)) == (name, *was[:2])
        # What a sale realised is the cost of the shares that come back at its price.
        assert (name, cost - gain) == (name, Decimal(was[2]) - Decimal(was[3]))
        if row["kind"] != "stock_split":
            # For a split that is too late: the shares were split back after it.
            assert (await history(desk, row))["successful_rows"] == 1, name


_REFUSED: Final = cells("""
more cash than there is||| buy 3 price=4000 | INSUFFICIENT_CASH
a fee of more||| buy 1 price=1 fee=10000 | INSUFFICIENT_CASH
a sale that costs|| buy 1 price=9999 | sell 1 price=1 fee=5 | INSUFFICIENT_CASH
a withdrawal of more||| withdrawal net=-10000.000001 | INSUFFICIENT_CASH
more shares|| buy 3 price=1 | sell 4 price=10 | INSUFFICIENT_SHARES
a transfer of more|| buy 3 price=1 | transfer_out 4 | INSUFFICIENT_SHARES
a transfer of one lot| fifo | buy 1 price=1; buy 1 price=2 | transfer_out 1 | INVALID_REQUEST
a transfer out with cash|| buy 3 price=1 | transfer_out 1 net=-9998 | INSUFFICIENT_CASH
a transfer in with cash||| transfer_in 1 net=-10001 | INSUFFICIENT_CASH
shares beside a short sale| short | sell 2 price=50 | transfer_in 1 | INSUFFICIENT_SHARES
a split of nothing||| stock_split ratio=4:1 | NO_EFFECT
a split too late|| buy 3 price=1 | stock_split ratio=4:1 at=2026-03-01T15:00Z | INVALID_REQUEST
a split of one for one|| buy 3 price=1 | stock_split ratio=2:2 | INVALID_REQUEST
a split without a ratio|| buy 3 price=1 | stock_split 0.123456789 | INVALID_REQUEST
a split of all|| buy 3 price=1 | stock_split -3 | INVALID_REQUEST
a ratio of nothing|| buy 3 price=1 | stock_split ratio=0:5 | RATIO
more than a desk has||| deposit net=1000000000 | INVALID_REQUEST
a price beyond bounds||| buy 0.000000001 net=-1000 | TOO_LARGE
a price of many digits||| buy 0.000000001 price=9999999999 | TOO_LARGE
shares beyond bounds||| transfer_in 9999999999 | TOO_LARGE
cash beyond bounds||| dividend net=-9999999999999 | TOO_LARGE
the future||| buy 1 price=10 at=2126-01-01T00:00:00Z | FUTURE
the past||| buy 1 price=10 at=1899-12-31T23:59:59Z | DATE
before all times||| buy 1 price=10 at=0001-01-01T00:00:00+14:00 | DATE
after all times||| buy 1 price=10 at=9999-12-31T23:59:59-14:00 | DATE
euros||| deposit net=1 currency=EUR | CURRENCY
a purchase that pays||| buy 1 price=1 net=5 | CONTRADICTION
no price||| buy 1 | MISSING
no such kind||| gift 1 price=1 | INVALID_REQUEST
""")
"""By name: rules, rows before, the row and the code of its refusal."""


@pytest.mark.parametrize("rules", ["", *_RULES])
async def test_what_cannot_be_booked_is_refused_alone(desk: DeskClient, rules: str) -> None:
    await follow(desk, rules)
    for name, (which, before, text, code) in _REFUSED.items():
        if which == rules:
            await begin(desk, before)
            cash, *others = await books(desk)
            more = row_of("interest net=1", LATER)
            done = await history(desk, row_of(text, THEN), more)
            [shown, other] = await rows(desk, done["id"])
            assert (name, shown["error_code"]) == (name, code), shown
            assert (bool(shown["error_message"]), shown["effect"]) == (True, None), name
            assert other["status"] == "completed"
            assert await books(desk) == [str(Decimal(cash) + 1), *others], name
    await assert_books_hold(desk.app.state.database)
    await assert_proven(desk)


async def test_what_stood_already_is_no_failure(desk: DeskClient) -> None:
    good, bad = row_of("buy 1 price=10", FIRST), row_of("buy 1 price=none", THEN)
    assert (await history(desk, good))["status"] == "completed"
    again = await history(desk, good, bad)
    counts = [again[name] for name in ("status", "successful_rows", "failed_rows", "error_code")]
    assert counts == ["completed", 0, 1, None]
    alone = await history(desk, bad)
    assert (alone["status"], alone["error_code"]) == ("failed", "INVALID_REQUEST")
