"""What each strategy and each source made, over HTTP, on both databases."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.portfolio.performance.parts import SOURCE, STRATEGY, parts_by
from support.desk import DeskClient
from support.performance import DAY, PARTS, attribution, later, performance, replayed


async def test_what_each_strategy_and_each_source_made_adds_up(timed: DeskClient) -> None:
    await replayed(timed, "MSFT,buy,3,300,9,1,a", "MSFT,sell,3,330,8,1,b")
    await timed.trade("AAPL", "buy", 10, strategy="a")
    await timed.trade("AAPL", "buy", 5)
    await timed.post("/api/cash", json={"kind": "interest", "amount": "1.25"})
    about = {"ticker": "AAPL", "kind": "dividend", "per_share": "0.333333333", "key": "d"}
    await timed.post("/api/corporate-actions", json=about)
    await later(timed, DAY, AAPL="200.25", MSFT="350")

    told = await attribution(timed, "by=strategy")
    sources = await attribution(timed, "by=source&range=1w")
    whole = await performance(timed)
    named = {name: await performance(timed, f"strategy={name}") for name in "ab"}

    parts = {part["name"]: part for part in told["parts"]}
    assert list(parts) == ["a", None, "b"]
    for name, part in named.items():
        figures = ("profit", "realized_pnl", "income", "fees", "end_value")
        assert [parts[name][each] for each in figures] == [part[each] for each in figures]
    assert (parts["a"]["profit"], parts["b"]["profit"]) == (Decimal("252.333333"), -61)
    assert (parts["a"]["end_value"], parts["b"]["end_value"]) == (Decimal("3052.5"), -1050)
    assert (parts[None]["profit"], parts[None]["trades"]) == (Decimal("51.666667"), 1)
    assert told["rest"] == {
        "profit": Decimal("1.25"),
        "income": Decimal("1.25"),
        "fees": 0,
        "end_value": 0,
    }
    shares = [*told["parts"], told["rest"]]
    assert sum(part["profit"] for part in shares) == told["profit"] == whole["profit"]
    assert sum(part["income"] for part in shares) == whole["income"]
    assert (told["start"], told["end"], told["unpriced"]) == (whole["start"], whole["end"], [])
    # Within the week only the orders were traded; what was replayed before is held by no source.
    assert [(part["name"], part["trades"]) for part in sources["parts"]] == [("api", 2)]


async def test_who_has_no_trades_has_no_parts(timed: DeskClient) -> None:
    await timed.post("/api/cash", json={"kind": "fee", "amount": 2})

    told = await attribution(timed, "by=source")

    assert (told["profit"], told["parts"]) == (-2, [])
    assert told["rest"] == {"profit": -2, "income": 0, "fees": 2, "end_value": 0}


async def test_shares_that_were_cloned_are_of_no_part(timed: DeskClient) -> None:
    await timed.trade("AAPL", "buy", 10, strategy="a")
    cloned = await timed.post("/api/accounts/default/clone", json={"name": "Twin"})
    timed.headers["X-Account"] = cloned.json()["id"]
    await timed.trade("AAPL", "sell", 4, strategy="b")
    await later(timed, timedelta(hours=1), AAPL="191.25")

    told = await attribution(timed, "by=strategy")

    assert [(part["name"], part["profit"]) for part in told["parts"]] == [("b", -4)]
    assert (told["profit"], told["rest"]["profit"]) == (6, 10)
    assert told["rest"]["end_value"] == Decimal("1912.5")


async def test_parts_are_made_once_until_something_is_booked(
    timed: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(*rest: Any) -> Any:
        made.append(rest[2])
        return parts_by(*rest)

    monkeypatch.setattr("paperdesk.portfolio.performance.service.parts_by", counted)
    for _ in range(2):
        await timed.trade("AAPL", "buy", 1)
        for query in ("by=source", "by=source&range=1d", "by=strategy"):
            await attribution(timed, query)

    assert made == [SOURCE, STRATEGY] * 2


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "INVALID_REQUEST"),
        ("by=ticker", 422, "INVALID_REQUEST"),
        ("by=source&strategy=a", 422, "INVALID_REQUEST"),
        ("by=source&range=1d&start=2026-01-01T00:00:00Z", 422, "INVALID_REQUEST"),
        ("by=source&account=nobody", 404, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_attributed_is_refused(
    sqlite_desk: DeskClient, query: str, status: int, code: str
) -> None:
    answer = await sqlite_desk.get(f"{PARTS}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
