"""Brokers' files, imported as jobs: each sample comes to these shares and this cash."""

from collections import Counter
from decimal import Decimal
from typing import Final

import pytest

from support.desk import DeskClient
from support.imports import SAMPLES
from support.jobs import rows
from support.trading import assert_books_hold
from support.uploads import assert_proven, give, imported_sample, standing, undone

_RESULTS: Final[dict[str, tuple[str, dict[str, str], tuple[int, int, int]]]] = {
    "alpaca.json": ("3579.03", {"AAPL": "30", "NVDA": "5", "TSLA": "-2"}, (12, 2, 5)),
    "degiro.csv": ("69.601329", {"ACME": "6"}, (3, 6, 0)),
    "degiro_nl.csv": ("-4695.9", {"NVDA": "95"}, (2, 1, 0)),
    "european.csv": ("-8107.6", {"AAPL": "7.5"}, (4, 1, 2)),
    "fidelity.csv": (
        "4912.79",
        {"AAPL": "10", "BRK.B": "-2", "VOO": "4", "VTI": "0.05"},
        (9, 1, 6),
    ),
    "fidelity_all_accounts.csv": ("139.69", {"EXMP": "-2", "GLDM": "10"}, (3, 0, 0)),
    "generic.csv": ("-4416.14", {"AAPL": "38", "BRK.B": "0.5"}, (9, 6, 2)),
    "ghostfolio.csv": ("-1557.8", {"MSFT": "5"}, (3, 2, 2)),
    "ghostfolio.json": ("1418.97", {"AAPL": "0.1", "BRK-B": "-3"}, (5, 1, 3)),
    "ibkr_activity.csv": (
        "476842.89",
        {"AAPL": "10", "BRK.B": "-1000", "MSFT": "5", "VTI": "150"},
        (11, 9, 44),
    ),
    "ibkr_activity_accounts.csv": ("-1000.44", {"VTI": "4"}, (3, 2, 5)),
    "ibkr_flex_cash.csv": ("749.58", {}, (11, 2, 1)),
    "ibkr_flex_cash_full.csv": ("1011.79", {}, (2, 0, 2)),
    "ibkr_flex_trades.csv": (
        "-20554.260123",
        {"AAPL": "100", "BRK.B": "-2", "VTI": "10"},
        (4, 7, 4),
    ),
    "ibkr_flex_trades_short.csv": ("-6346.4", {"AAPL": "1", "VTI": "25"}, (4, 1, 1)),
    "paperdesk.csv": ("1728.28", {"AAPL": "28", "MSFT": "2.5"}, (10, 4, 0)),
    "portfolio_performance_de.csv": ("-1998.053957", {"AAPL": "15", "MSFT": "25"}, (16, 6, 0)),
    "portfolio_performance_depot.csv": ("-812.49", {"AAPL": "5", "MSFT": "3"}, (9, 0, 0)),
    "revolut.csv": ("4780.53", {"AAPL": "1"}, (6, 3, 1)),
    "robinhood.csv": ("1863.24", {"AAPL": "20", "BRK.B": "-1"}, (10, 1, 4)),
    "schwab.csv": ("249331.55", {"AMZN": "-1471", "BND": "0.0249", "BRK.B": "3"}, (10, 3, 4)),
    "trading212.csv": ("-1170.43", {"AAPL": "6", "MSFT": "2"}, (7, 5, 0)),
    "wealthfolio.csv": ("-1592.68", {"AAPL": "15", "MSFT": "30", "NVDA": "40"}, (20, 9, 4)),
    "webull.csv": (
        "-1043.625",
        {"AAPL": "4", "BRK.B": "-1", "GME": "-10", "RDDT": "3", "XYZ": "-0.25"},
        (6, 5, 6),
    ),
    "yahoo.csv": ("1576.113748", {"AAPL": "16", "BRK-B": "0.33333"}, (8, 8, 5)),
    "yahoo_without_types.csv": ("-1120.403794", {"GOOG": "2.292856", "MSFT": "2.5"}, (3, 0, 1)),
}
"""By sample: the cash that it brings, the shares, and how many rows are booked, fail, are skipped.

Where the unit tests add them up by hand, too, the sums are the same.
"""
_BEFORE: Final = 1_000_000


def test_every_sample_has_its_result() -> None:
    assert {each.name for each in SAMPLES.iterdir()} == _RESULTS.keys()


@pytest.mark.parametrize("name", sorted(_RESULTS))
async def test_a_sample_comes_to_this_cash_and_these_shares(desk: DeskClient, name: str) -> None:
    await give(desk, _BEFORE - 10_000)
    rules = await desk.patch("/api/accounts/default", json={"short_selling": {"enabled": True}})
    assert rules.status_code == 200, rules.text
    cash, shares, counts = _RESULTS[name]
    expected = (_BEFORE + Decimal(cash), {ticker: Decimal(q) for ticker, q in shares.items()})

    first = await imported_sample(desk, name)
    assert await standing(desk) == expected
    found = await rows(desk, first["id"])
    statuses = Counter(row["status"] for row in found)
    assert tuple(statuses[each] for each in ("completed", "failed", "skipped")) == counts
    assert all(
        row["error_code"] and row["error_message"]
        for row in found
        if row["status"] in {"failed", "skipped"}
    )
    # All of it is there already: nothing is added, and each row says so.
    second = await imported_sample(desk, name)
    assert await standing(desk) == expected
    again = await rows(desk, second["id"])
    assert not any(row["status"] == "completed" for row in again)
    assert [row["row_number"] for row in again if row["error_code"] == "ALREADY_DONE"] == [
        row["row_number"] for row in found if row["status"] == "completed"
    ]
    await assert_proven(desk)

    # Taken back to the last digit; and then it can be imported once more.
    await undone(desk, first["id"])
    assert await standing(desk) == (_BEFORE, {})
    third = await imported_sample(desk, name)
    assert await standing(desk) == expected
    assert third["successful_rows"] == first["successful_rows"]
    await assert_proven(desk)
    await assert_books_hold(desk.app.state.database)
