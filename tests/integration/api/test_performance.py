"""The statement of performance over HTTP, on both databases."""

import asyncio
import json
import re
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.audit.trail import Action, Line
from paperdesk.ledger.holdings import Holding
from paperdesk.ledger.lane.books import Books
from paperdesk.models import PositionAdjustment, PositionAdjustmentKind, UserProfile
from paperdesk.portfolio.performance.journal import entries_of
from paperdesk.portfolio.performance.service import Asked, Performance
from support.databases import START
from support.desk import DeskClient, open_desk
from support.performance import PATH, closes, later, performance, replayed, stored
from support.processes import ROOT

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
FIELDS = [
    "start",
    "end",
    "simple",
    "twr",
    "mwr",
    "cagr",
    "max_drawdown",
    "drawdown",
    "volatility",
    "sharpe",
    "sortino",
    "calmar",
    "win_rate",
    "exposure",
    "best_day",
    "worst_day",
    "deposits",
    "withdrawals",
    "profit",
    "realized_pnl",
    "fees",
    "income",
    "start_value",
    "end_value",
    "estimated",
    "unpriced",
    "contributions",
    "benchmark",
    "days",
]


async def test_the_answer_has_its_documented_fields(timed: DeskClient) -> None:
    answer = await timed.get(f"{PATH}?benchmark=MSFT")
    page = (ROOT / "docs" / "http.md").read_text()
    (example,) = re.findall(r"^```json\n(\{\n  \"start\".*?)^```$", page, re.MULTILINE | re.DOTALL)
    documented = json.loads(example)

    assert list(answer.json()) == FIELDS == list(documented)
    for name in ("drawdown", "benchmark"):
        assert list(answer.json()[name]) == list(documented[name])
    assert list(answer.json()["contributions"][0]) == list(documented["contributions"][0])


async def test_a_trade_and_a_price_show_at_once_and_agree_with_the_portfolio(
    timed: DeskClient,
) -> None:
    await timed.trade("AAPL", "buy", 10)
    await later(timed, timedelta(hours=3), AAPL="200.123456789")
    first = await performance(timed)
    await timed.trade("AAPL", "sell", 4)
    second = await performance(timed)
    total = json.loads((await timed.get("/api/portfolio")).text, parse_float=Decimal)

    assert first["simple"] == first["twr"] == first["mwr"] == Decimal("0.009873")
    assert (first["profit"], first["realized_pnl"]) == (Decimal("98.734568"), 0)
    assert first["contributions"] == [
        {
            "ticker": "AAPL",
            "profit": Decimal("98.734568"),
            "contribution": Decimal("0.009873"),
        },
        {"ticker": None, "profit": 0, "contribution": 0},
    ]
    assert second["end_value"] == total["total_value"]
    assert (second["realized_pnl"], second["win_rate"]) == (Decimal("39.493827"), 1)
    assert (second["cagr"], second["volatility"], second["days"]) == (None, None, 1)
    assert second["estimated"] is False


async def test_money_that_comes_and_goes_is_no_gain(timed: DeskClient) -> None:
    await timed.trade("AAPL", "buy", 10)
    for kind, amount in (("deposit", 1_000_000), ("withdrawal", 999_999.5), ("withdrawal", 5000)):
        await later(timed, timedelta(hours=7))
        await timed.post("/api/cash", json={"kind": kind, "amount": amount})
    await later(timed, DAY)

    told = await performance(timed)

    assert [told[name] for name in ("simple", "twr", "mwr", "max_drawdown", "profit")] == [0] * 5
    assert (told["deposits"], told["withdrawals"]) == (1_010_000, Decimal("1004999.5"))
    assert (told["start_value"], told["end_value"]) == (0, Decimal("5000.5"))


async def test_a_reset_is_no_gain_and_begins_the_range_that_is_shown(timed: DeskClient) -> None:
    await timed.trade("AAPL", "buy", 50)
    await later(timed, DAY, AAPL="95.125")
    await timed.trade("AAPL", "sell", 10)
    lost = await performance(timed)
    await later(timed, DAY)
    await timed.post("/api/accounts/default/reset", json={"cash_balance": 7000})
    await later(timed, DAY)
    await timed.trade("AAPL", "buy", 10)
    await later(timed, DAY, AAPL="114.15")
    chapter = await performance(timed)
    whole = await performance(timed, "range=all")

    assert (lost["profit"], lost["simple"]) == (Decimal("-4756.25"), Decimal("-0.475625"))
    assert (chapter["start_value"], chapter["deposits"], chapter["withdrawals"]) == (7000, 0, 0)
    assert chapter["profit"] == Decimal("190.25")
    assert chapter["simple"] == chapter["twr"] == Decimal("0.027179")
    assert chapter["realized_pnl"] == 0
    assert (chapter["end_value"], chapter["days"]) == (Decimal("7190.25"), 3)
    # All of it: what was lost before and what was gained since, and no gain between.
    assert whole["profit"] == lost["profit"] + chapter["profit"]
    assert whole["deposits"] - whole["withdrawals"] == 7000 - Decimal("-4756.25") + 0
    assert whole["realized_pnl"] == lost["realized_pnl"]
    assert abs(1 + whole["twr"] - (1 + lost["twr"]) * (1 + chapter["twr"])) < Decimal("0.000002")
    portfolio = json.loads((await timed.get("/api/portfolio")).text, parse_float=Decimal)
    assert portfolio["realized_pnl"] == 0


async def test_what_a_clone_brings_is_no_gain(timed: DeskClient) -> None:
    await timed.trade("AAPL", "buy", 50)
    await later(timed, DAY, AAPL="380.5")
    cloned = await timed.post("/api/accounts/default/clone", json={"name": "Twin"})
    timed.headers["X-Account"] = cloned.json()["id"]
    first = await performance(timed)
    await later(timed, DAY, AAPL="418.55")
    second = await performance(timed)

    assert (first["profit"], first["simple"]) == (0, 0)
    assert first["end_value"] == 10_000 - 50 * Decimal("190.25") + 50 * Decimal("380.5")
    assert second["profit"] == 50 * Decimal("38.05")
    assert second["contributions"][0]["profit"] == second["profit"]


async def test_past_trades_make_the_curve_of_their_time(timed: DeskClient) -> None:
    """400 days: bought at 100, which rises to 150, falls to 75, and rises to 180."""
    await stored(timed, "AAPL", closes(range(201, 401), "150") | closes(range(100, 201), "75"))
    await stored(timed, "AAPL", closes(range(1, 100), "180"))
    await replayed(
        timed, "AAPL,buy,50,100,400,1,momentum", "AAPL,sell,10,180,20,1,", "MSFT,buy,1,390,0.01,0,"
    )
    await later(timed, timedelta(0), AAPL="180", MSFT="400")

    told = await performance(timed)
    year = await performance(timed, "range=1y")
    between = await performance(timed, "start=2026-01-01T00:00:00Z&end=2026-05-01T00:00:00-04:00")

    assert told["start"] == (START - 400 * DAY).isoformat().replace("+00:00", "Z")
    assert told["profit"] == 50 * 80 + 10 - 2
    assert told["twr"] == told["simple"] == Decimal("0.4008")
    assert told["cagr"] == told["mwr"] == Decimal("0.360092")
    assert told["max_drawdown"] == Decimal("-0.300024")  # 12,499 to 8,749
    assert told["drawdown"] == {
        "peak_at": "2026-05-04T04:00:00Z",
        "trough_at": "2026-05-05T04:00:00Z",
        "recovered_at": "2026-08-14T04:00:00Z",
    }
    assert (told["realized_pnl"], told["fees"], told["win_rate"]) == (800, 2, 1)
    assert (told["best_day"]["date"], told["worst_day"]["date"]) == ("2026-08-13", "2026-05-04")
    assert told["estimated"] is False
    assert 0 < told["volatility"] < 2
    assert told["days"] == 401
    # A year ago it was worth 12,499; nothing came since.
    assert (year["start_value"], year["deposits"]) == (12_499, 0)
    assert year["simple"] == year["twr"] == Decimal("0.120730")
    assert (between["start_value"], between["end_value"]) == (12_499, 12_499)
    assert (between["twr"], between["estimated"], between["unpriced"]) == (0, False, [])


async def test_a_trade_that_is_dated_back_changes_what_was(timed: DeskClient) -> None:
    await stored(timed, "AAPL", closes(range(1, 30), "100"))
    await replayed(timed, "AAPL,buy,10,100,20,0,")
    query = f"start={(START - 15 * DAY).isoformat().replace('+00:00', 'Z')}"
    before = await performance(timed, query)

    await replayed(timed, "AAPL,buy,10,90,18,0,", "AAPL,buy,10,90,5,0,")
    after = await performance(timed, query)

    assert after["start_value"] - before["start_value"] == 100
    assert after["profit"] - before["profit"] == 10 * (Decimal("190.25") * 2 - 100 - 90)


async def test_what_is_dated_absurdly_early_counts_from_1970(timed: DeskClient) -> None:
    days = (START - datetime(1, 1, 1, 12, tzinfo=UTC)) / DAY
    await replayed(timed, f"AAPL,buy,10,100,{days},0,")

    told = await performance(timed)

    assert told["start"] == "1970-01-01T00:00:00Z"
    assert told["profit"] == Decimal("902.5")


async def test_a_range_ends_with_the_last_minute_that_was_over_then(timed: DeskClient) -> None:
    then = START - DAY
    await replayed(timed, "AAPL,buy,10,100,2,0,")
    await stored(timed, "AAPL", {then: "150", then + timedelta(minutes=10): "170"})

    values = [
        (await performance(timed, f"end={(then + after).isoformat()[:-6]}Z"))["end_value"]
        for after in (
            timedelta(minutes=5),
            timedelta(minutes=9, seconds=30),
            timedelta(minutes=10),
        )
    ]

    assert values == [10_500, 10_500, 10_700]


async def test_two_strategies_share_a_ticker_its_dividends_and_its_split(timed: DeskClient) -> None:
    """30 shares of one and 10 of another in one account, told apart in all that they make."""
    for strategy, quantity in (("a", 30), ("b", 10)):
        await timed.trade("AAPL", "buy", quantity, strategy=strategy)
    await later(timed, DAY, AAPL="200.25")
    path = "/api/corporate-actions"
    about = {"ticker": "AAPL"}
    await timed.post(path, json={**about, "kind": "dividend", "per_share": "0.25", "key": "d"})
    await timed.post(
        path, json={**about, "kind": "split", "numerator": 2, "denominator": 1, "key": "s"}
    )
    await later(timed, DAY, AAPL="101")
    await timed.trade("AAPL", "sell", 20, strategy="b")
    whole = await performance(timed)
    a, b = [await performance(timed, f"strategy={name}") for name in "ab"]
    ticker = await performance(timed, "ticker=AAPL")

    assert a["profit"] == 60 * 101 - 30 * Decimal("190.25") + Decimal("7.5")
    assert b["profit"] == 20 * 101 - 10 * Decimal("190.25") + Decimal("2.5")
    assert (a["income"], b["income"], ticker["income"], whole["income"]) == (
        Decimal("7.5"), Decimal("2.5"), 10, 10
    )  # fmt: skip
    assert a["profit"] + b["profit"] == ticker["profit"] == whole["profit"]
    assert (a["realized_pnl"], b["realized_pnl"]) == (0, 20 * 101 - 10 * Decimal("190.25"))
    assert [line["ticker"] for line in whole["contributions"]] == ["AAPL", None]
    assert whole["contributions"][1]["profit"] == 0
    portfolio = json.loads((await timed.get("/api/portfolio")).text, parse_float=Decimal)
    assert whole["end_value"] == portfolio["total_value"]


async def test_parts_of_an_account_add_up(timed: DeskClient) -> None:
    await replayed(
        timed,
        "AAPL,buy,10,100,9,1,a",
        "AAPL,buy,10,120,8,1,b",
        "MSFT,buy,2,300,7,1,a",
        "AAPL,sell,5,150,6,1,b",
    )
    whole = await performance(timed)

    parts = {
        name: [await performance(timed, f"{name}={value}") for value in values]
        for name, values in {"ticker": ("aapl", "MSFT"), "strategy": ("a", "b")}.items()
    }
    one = await performance(timed, "ticker=AAPL&strategy=b&source=replay")
    none = [await performance(timed, query) for query in ("strategy=nobody", "ticker=ZZZ")]

    for of_kind in parts.values():
        assert sum(part["profit"] for part in of_kind) == whole["profit"]
        assert sum(part["fees"] for part in of_kind) == whole["fees"] == 4
    assert (one["realized_pnl"], one["deposits"], one["withdrawals"]) == (150, 1201, 749)
    assert one["end_value"] == 5 * Decimal("190.25")
    for part in none:
        assert (part["profit"], part["simple"], part["twr"]) == (0, None, None)
        assert [line["ticker"] for line in part["contributions"]] == [None]


async def test_what_one_strategy_sold_to_another_has_the_prices_of_the_market(
    timed: DeskClient,
) -> None:
    """The account has none of it: live, with a quote of before, from minutes, and in a past."""
    timed.prices.prices["BRK.B"] = "400.5"
    await timed.trade("BRK.B", "buy", 10, strategy="a")
    await timed.trade("BRK.B", "sell", 10, strategy="b")
    seen: list[tuple[Decimal, Decimal, list[str]]] = []

    async def look(query: str = "") -> None:
        a, b = [await performance(timed, f"strategy={name}{query}") for name in "ab"]
        assert a["profit"] + b["profit"] == (await performance(timed, "range=all"))["profit"]
        assert a["unpriced"] == b["unpriced"]
        seen.append((a["profit"], b["profit"], a["unpriced"]))

    await timed.get("/api/prices/BRK.B")
    await later(timed, timedelta(minutes=1), **{"BRK.B": "410"})
    await look()
    timed.prices.prices["BRK.B"] = None
    await later(timed, timedelta(minutes=5))
    await look()
    # Nobody has asked for it lately: there is no quote any more, but a minute of today.
    await later(timed, timedelta(minutes=10))
    assert timed.app.state.market.board.latest("BRK.B") is None
    await stored(timed, "BRK.B", {START + timedelta(minutes=9): "420.5"})
    await look()
    await later(timed, 3 * DAY)
    await stored(timed, "BRK.B", closes([-2], "430.5"))
    await look()
    await look(f"&end={(START + DAY).isoformat()[:-6]}Z")

    assert seen == [
        (95, -95, []),
        (95, -95, ["BRK.B"]),
        (200, -200, ["BRK.B"]),
        (300, -300, ["BRK.B"]),
        (200, -200, []),
    ]


async def test_a_benchmark_is_set_beside_the_account(timed: DeskClient) -> None:
    prices = {day: str(100 + day * 7 % 11) for day in range(1, 60)}
    for ticker in ("AAPL", "MSFT"):
        for day, price in prices.items():
            await stored(timed, ticker, closes([day], price))
    await replayed(timed, f"AAPL,buy,50,{prices[59]},59,0,")

    query = f"benchmark=msft&start={(START - 50 * DAY).isoformat().replace('+00:00', 'Z')}"
    told = await performance(timed, query)
    beside = told["benchmark"]
    unpriced = await performance(timed, "benchmark=TSLA")
    await timed.trade("MSFT", "buy", 1)
    traded_now = await performance(timed, query)

    assert traded_now["benchmark"] == beside
    assert beside["ticker"] == "MSFT"
    assert beside["since"] == told["start"]
    assert beside["return"] == round(Decimal("400.5") / Decimal(prices[51]) - 1, 6)
    # Half of it is invested, all in what moves as the benchmark does.
    assert beside["beta"] == pytest.approx(Decimal("0.52"), abs=Decimal("0.03"))
    assert beside["correlation"] == pytest.approx(1, abs=Decimal("0.01"))
    assert unpriced["benchmark"] == {
        "ticker": "TSLA",
        "since": "2026-11-20T15:00:00Z",
        "return": None,
        "beta": None,
        "correlation": None,
        "alpha": None,
    }


async def test_a_benchmark_that_was_never_priced_before_counts_from_its_first_minute(
    timed: DeskClient,
) -> None:
    await timed.trade("AAPL", "buy", 10)
    await later(timed, timedelta(minutes=9))
    at = START + timedelta(minutes=5)
    await stored(timed, "MSFT", {at: "445", at + timedelta(minutes=1): "400"})
    first = (await performance(timed, "benchmark=MSFT"))["benchmark"]
    past = await performance(timed, f"benchmark=MSFT&end={(at + MINUTE).isoformat()[:-6]}Z")
    await stored(timed, "MSFT", closes([0], "450"))
    await later(timed, 2 * DAY, MSFT="489.5")
    told = (await performance(timed, "benchmark=MSFT"))["benchmark"]

    assert (first["since"], first["return"]) == ("2026-11-20T15:05:00Z", Decimal("-0.1"))
    assert (told["since"], told["return"]) == (first["since"], Decimal("0.1"))
    assert (past["benchmark"]["since"], past["benchmark"]["return"]) == (
        first["since"], Decimal("-0.101124")
    )  # fmt: skip
    assert told["beta"] is None


async def test_what_a_deposit_found_is_known_from_the_minute_before(timed: DeskClient) -> None:
    """The account has lost a tenth by noon; a large deposit then must not hide it."""
    await replayed(timed, "AAPL,buy,100,100,3,0,")
    await stored(timed, "AAPL", closes([3, 2, 1], "100"))
    await stored(timed, "AAPL", {START + timedelta(hours=1): "90"})
    await later(timed, timedelta(hours=1, minutes=5), AAPL="90")
    await timed.post("/api/cash", json={"kind": "deposit", "amount": 990_000})

    told = await performance(timed)

    assert told["twr"] == Decimal("-0.1")
    assert told["simple"] == Decimal("-0.001")


@dataclass(frozen=True)
class Adjust:
    """Put an adjustment into the journal, as a later version will."""

    entry: PositionAdjustment
    holding: Holding
    account_id: str = "default"

    @property
    def key(self) -> None:
        """It has none."""

    def __call__(self, books: Books) -> None:
        at = self.entry.effective_at
        books.account(self.account_id).enter(self.entry, at, {self.entry.ticker: self.holding})
        books.note(Line(Action.action_booked, "A split."))


async def test_a_split_is_no_gain(timed: DeskClient) -> None:
    await timed.trade("AAPL", "buy", 10)
    split = PositionAdjustment(
        id="split",
        kind=PositionAdjustmentKind.stock_split,
        ticker="AAPL",
        numerator=2,
        denominator=1,
        quantity=Decimal(0),
        cost_basis=Decimal(0),
        amount=Decimal(0),
        key="split",
        effective_at=START,
        created_at=START,
    )
    holding = Holding(Decimal(20), Decimal("1902.5"))
    await timed.app.state.ledger.submit(Adjust(split, holding))
    await later(timed, timedelta(hours=1), AAPL="95.125")

    told = await performance(timed)

    assert (told["profit"], told["twr"], told["end_value"]) == (0, 0, 10_000)


async def test_an_account_that_lost_everything_says_so(timed: DeskClient) -> None:
    await stored(timed, "AAPL", closes([9, 8], "100"))
    await replayed(timed, "AAPL,buy,100,100,9,0,")
    await later(timed, timedelta(minutes=1), AAPL="0.000000001")

    told = await performance(timed)

    assert [told[name] for name in ("simple", "twr", "mwr", "max_drawdown")] == [-1] * 4
    assert told["worst_day"] == {"date": "2026-11-20", "return": -1}


async def test_a_new_account_without_money_has_nothing_to_tell(timed: DeskClient) -> None:
    async with timed.app.state.database.write() as session:
        session.add(UserProfile(id="empty"))

    told = await performance(timed, "account=empty")

    assert [told[name] for name in ("simple", "twr", "mwr", "exposure", "best_day")] == [None] * 5
    assert (told["profit"], told["days"]) == (0, 0)


async def test_prices_that_are_gone_make_no_crash(timed: DeskClient) -> None:
    await timed.trade("AAPL", "buy", 10)
    await stored(timed, "AAPL", {START + timedelta(hours=5): "195"})
    timed.prices.prices["AAPL"] = None
    await later(timed, DAY)

    told = await performance(timed)

    assert (told["unpriced"], told["profit"]) == (["AAPL"], Decimal("47.5"))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("range=2d", 422, "INVALID_REQUEST"),
        ("range=1d&start=2026-01-01T00:00:00Z", 422, "INVALID_REQUEST"),
        ("start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", 422, "INVALID_REQUEST"),
        ("start=yesterday", 422, "INVALID_REQUEST"),
        ("ticker=a%00b", 422, "INVALID_REQUEST"),
        ("strategy=", 422, "INVALID_REQUEST"),
        ("benchmark=not+a+ticker", 422, "INVALID_REQUEST"),
        ("benchmrk=SPY", 422, "INVALID_REQUEST"),
        ("benchmark=ZZZZ", 404, "UNKNOWN_TICKER"),
        ("account=nobody", 404, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    sqlite_desk: DeskClient, query: str, status: int, code: str
) -> None:
    answer = await sqlite_desk.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    [
        "start=0001-01-01T00:00:00%2B14:00",
        "end=9999-12-31T23:59:59.999999-14:00",
        "start=9999-12-31T23:59:59Z",
        "end=1980-01-01T00:00:00Z",
    ],
)
async def test_the_ends_of_the_calendar_are_times_like_others(
    sqlite_desk: DeskClient, query: str
) -> None:
    told = await performance(sqlite_desk, query)

    assert told["profit"] == 0


async def test_many_who_ask_at_once_share_one_curve(
    timed: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    make = Performance._made

    def counted(self: Performance, session: Any, view: Any, kept: Any) -> Any:
        made.append(view.sequence)
        return make(self, session, view, kept)

    monkeypatch.setattr(Performance, "_made", counted)
    service: Performance = timed.app.state.performance
    await asyncio.gather(*(performance(timed) for _ in range(20)))
    await performance(timed, "range=1d")
    once = list(made)

    await timed.trade("AAPL", "buy", 1)
    await asyncio.gather(*(service.of("default", Asked()) for _ in range(20)))
    await later(timed, DAY)
    await performance(timed)

    assert (once, made) == ([1], [1, 2, 2])


async def test_whoever_goes_away_stops_nobody_else(timed: DeskClient) -> None:
    service: Performance = timed.app.state.performance
    leaving = asyncio.create_task(service.of("default", Asked()))
    staying = asyncio.create_task(service.of("default", Asked()))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).figures.profit == 0


async def test_a_desk_that_stops_breaks_off_a_curve_that_nobody_waits_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, going_on = threading.Event(), threading.Event()

    def slowly(*rest: Any) -> Any:
        began.set()
        going_on.wait(10)
        return entries_of(*rest)

    monkeypatch.setattr("paperdesk.portfolio.performance.service.entries_of", slowly)
    async with open_desk(database_url) as desk:
        service: Performance = desk.app.state.performance
        asking = asyncio.create_task(service.of("default", Asked()))
        await asyncio.to_thread(began.wait, 10)
        asking.cancel()
        asyncio.get_running_loop().call_later(0.05, going_on.set)
    outcome = await asyncio.gather(asking, return_exceptions=True)

    assert isinstance(outcome[0], asyncio.CancelledError)
    assert service._making == {}


async def test_an_account_whose_past_was_replaced_is_read_anew(timed: DeskClient) -> None:
    """As where a PostgreSQL database was set back to an earlier time, and went on from there."""
    service: Performance = timed.app.state.performance
    await timed.trade("AAPL", "buy", 1)
    await performance(timed)
    kept = service._kept["default"]
    service._kept["default"] = replace(kept, sequence=1, hash="another")

    told = await performance(timed)

    assert [line["ticker"] for line in told["contributions"]] == ["AAPL", None]
    assert service._kept["default"].events.count == 2


async def test_few_accounts_are_kept_where_they_are_large(
    timed: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.portfolio.performance.service.MOST_ENTRIES", 0)
    async with timed.app.state.database.write() as session:
        session.add(UserProfile(id="other", created_at=datetime(2026, 1, 1, tzinfo=UTC)))

    await performance(timed)
    await performance(timed, "account=other")

    assert list(timed.app.state.performance._kept) == ["other"]
