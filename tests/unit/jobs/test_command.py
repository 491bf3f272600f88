"""Commands in words: what is understood, what it means, and what is refused with examples."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.errors import InvalidRequest
from paperdesk.jobs.basket.command import (
    EXAMPLES,
    CloseCommand,
    EqualCommand,
    Measure,
    RebalanceCommand,
    TradeCommand,
    Universe,
    parse_command,
)
from paperdesk.jobs.basket.expanding import Situation, expand, tickers_to_price
from paperdesk.models import Side

SITUATION = Situation(
    ["AAPL", "MSFT"],
    {"TSLA": Decimal(3), "AAPL": Decimal("1.000000001"), "GME": Decimal(-4)},
    Decimal(1000),
    {"TSLA": Decimal(100), "AAPL": Decimal(200), "GME": Decimal(10), "MSFT": Decimal(50)},
)
HALF, ALL = Decimal(50), Decimal(100)
SHARES, DOLLARS, PERCENT = Measure
BUY, SELL = Side


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (
            "buy $500 of every ticker in my watchlist",
            TradeCommand(BUY, Decimal(500), DOLLARS, Universe.watchlist),
        ),
        ("Buy 500 dollars of AAPL.", TradeCommand(BUY, Decimal(500), DOLLARS, ("AAPL",))),
        ("buy $1,500.50 of BRK.B", TradeCommand(BUY, Decimal("1500.50"), DOLLARS, ("BRK.B",))),
        ("buy $1.5k AAPL", TradeCommand(BUY, Decimal(1500), DOLLARS, ("AAPL",))),
        (
            "buy 10 of AAPL, MSFT and NVDA",
            TradeCommand(BUY, Decimal(10), SHARES, ("AAPL", "MSFT", "NVDA")),
        ),
        ("buy 10 shares of aapl each", TradeCommand(BUY, Decimal(10), SHARES, ("AAPL",))),
        ("buy 0.5 AAPL & AAPL", TradeCommand(BUY, Decimal("0.5"), SHARES, ("AAPL",))),
        ("sell half of everything", TradeCommand(SELL, HALF, PERCENT, Universe.positions)),
        ("sell half", TradeCommand(SELL, HALF, PERCENT, Universe.positions)),
        (
            "sell a quarter of my holdings",
            TradeCommand(SELL, HALF / 2, PERCENT, Universe.positions),
        ),
        ("sell 25% of TSLA", TradeCommand(SELL, Decimal(25), PERCENT, ("TSLA",))),
        ("sell 25 percent of TSLA", TradeCommand(SELL, Decimal(25), PERCENT, ("TSLA",))),
        ("sell everything", TradeCommand(SELL, ALL, PERCENT, Universe.positions)),
        ("sell all", TradeCommand(SELL, ALL, PERCENT, Universe.positions)),
        ("sell all TSLA", TradeCommand(SELL, ALL, PERCENT, ("TSLA",))),
        ("sell TSLA", TradeCommand(SELL, ALL, PERCENT, ("TSLA",))),
        ("sell 2 TSLA", TradeCommand(SELL, Decimal(2), SHARES, ("TSLA",))),
        ("close all", CloseCommand(Universe.positions)),
        ("close all positions", CloseCommand(Universe.positions)),
        ("liquidate everything", CloseCommand(Universe.positions)),
        ("close GME", CloseCommand(("GME",))),
        (
            "rebalance to AAPL 40 MSFT 30 cash 30",
            RebalanceCommand({"AAPL": Decimal(40), "MSFT": Decimal(30)}),
        ),
        (
            "rebalance to 40% AAPL, 60% MSFT",
            RebalanceCommand({"AAPL": Decimal(40), "MSFT": Decimal(60)}),
        ),
        ("equal weight AAPL, MSFT and NVDA", EqualCommand(("AAPL", "MSFT", "NVDA"))),
        ("rebalance equally across my watchlist", EqualCommand(Universe.watchlist)),
    ],
)
def test_what_is_understood(text: str, meant: Any) -> None:
    assert parse_command(text) == meant


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_understood(text: str) -> None:
    parse_command(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "buy",
        "buy AAPL",
        "buy half of AAPL",
        "buy 10",
        "buy $0 of AAPL",
        "buy 10 of my watchlist and AAPL",
        "buy 1e9 of AAPL",
        "buy -5 of AAPL",
        "buy 10,00 of AAPL",
        "sell 200% of TSLA",
        "sell 0% of TSLA",
        "rebalance to",
        "rebalance to AAPL",
        "rebalance to AAPL 70 MSFT 70",
        "rebalance to AAPL 40 cash 30",
        "rebalance to AAPL 40 AAPL 40",
        "buy 10 of A$PL",
        "compra 10 de AAPL",
        "buy 10 of ÄPL",
        "buy \u0661\u0660 of AAPL",
    ],
)
def test_what_is_not_understood_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidRequest, match="buy 10 of AAPL, MSFT and NVDA"):
        parse_command(text)


@given(
    st.text() | st.lists(st.sampled_from([*"$5%,.", "buy", "sell", "of", "all", "A"])).map(" ".join)
)
def test_no_text_breaks_it(text: str) -> None:
    with suppress(InvalidRequest):
        command = parse_command(text)
        prices = dict.fromkeys(
            tickers_to_price(command, SITUATION.watchlist, list(SITUATION.positions)), Decimal(7)
        )
        expand(command, replace(SITUATION, prices=prices))


def meant(text: str) -> list[tuple[str, ...]]:
    return [tuple(map(str, row.values())) for row in expand(parse_command(text), SITUATION)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("buy $500 of my watchlist", [("AAPL", "buy", "500"), ("MSFT", "buy", "500")]),
        ("sell half", [("AAPL", "sell", "0.5"), ("TSLA", "sell", "1.5")]),
        ("sell everything", [("AAPL", "sell", "1.000000001"), ("TSLA", "sell", "3")]),
        (
            "close all",
            [("AAPL", "sell", "1.000000001"), ("GME", "buy", "4"), ("TSLA", "sell", "3")],
        ),
        ("sell 50% of my watchlist", [("AAPL", "sell", "0.5")]),
        # Worth 1000 + 300 + 200.0000002 - 40: sales first, and a cushion of the cash.
        (
            "rebalance to TSLA 10 MSFT 60 cash 30",
            [
                ("AAPL", "sell", "1.000000001"),
                ("GME", "buy", "4"),
                ("TSLA", "sell", "1.539999999"),
                ("MSFT", "buy", "876"),
            ],
        ),
    ],
)
def test_what_it_means(text: str, rows: list[tuple[str, ...]]) -> None:
    assert meant(text) == rows


def test_a_rebalancing_never_spends_more_than_there_will_be() -> None:
    rows = expand(parse_command("equal weight MSFT and AAPL"), SITUATION)
    spent = sum(Decimal(row["notional"]) for row in rows if "notional" in row)
    assert spent <= Decimal("0.995") * (1000 + 300 - 40)


@pytest.mark.parametrize("text", ["sell half of NVDA", "close NVDA"])
def test_what_is_not_held_cannot_be_sold(text: str) -> None:
    with pytest.raises(InvalidRequest, match="hold no NVDA"):
        meant(text)


def test_nothing_to_trade_is_said() -> None:
    nothing = Situation([], {}, Decimal(0), {})
    for text in ("sell everything", "buy $5 of my watchlist", "equal weight my watchlist"):
        with pytest.raises(InvalidRequest, match="there is nothing"):
            expand(parse_command(text), nothing)
