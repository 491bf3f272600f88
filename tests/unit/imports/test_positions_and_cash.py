"""The cash and the shares that a sample comes to, added up by hand."""

from collections import defaultdict
from decimal import Decimal
from typing import Final

import pytest

from paperdesk.imports.model import Activity, ActivityKind
from support.imports import SAMPLES, outcomes

_SUMS: Final = {
    "degiro.csv": ("69.601329", {"ACME": "6"}),
    "degiro_nl.csv": ("-4695.90", {"NVDA": "95"}),
    "portfolio_performance_de.csv": ("-1998.053957", {"AAPL": "15", "MSFT": "25"}),
    "portfolio_performance_depot.csv": ("-812.49", {"AAPL": "5", "MSFT": "3"}),
    "wealthfolio.csv": ("-1592.68", {"MSFT": "30", "AAPL": "15", "NVDA": "40"}),
    "webull.csv": (
        "-1043.625",
        {"AAPL": "4", "RDDT": "3", "XYZ": "-0.25", "GME": "-10", "BRK.B": "-1"},
    ),
    "yahoo.csv": ("1576.113748", {"AAPL": "16", "BRK-B": "0.33333"}),
    "yahoo_without_types.csv": ("-1120.403794", {"GOOG": "2.292856", "MSFT": "2.5"}),
}
_IN: Final = frozenset({ActivityKind.buy, ActivityKind.transfer_in})
_OUT: Final = frozenset({ActivityKind.sell, ActivityKind.transfer_out})


@pytest.mark.parametrize("name", sorted(_SUMS))
def test_a_sample_comes_to_this_cash_and_these_shares(name: str) -> None:
    cash, shares = Decimal(0), defaultdict[str, Decimal](Decimal)
    for each in outcomes(SAMPLES / name):
        if not isinstance(each, Activity):
            continue
        cash += each.net_amount or 0
        ticker, quantity = each.ticker or "", each.quantity or Decimal(0)
        if each.kind in _IN:
            shares[ticker] += quantity
        elif each.kind in _OUT:
            shares[ticker] -= quantity
        elif each.ratio:
            shares[ticker] *= Decimal(each.ratio[0]) / each.ratio[1]
    expected_cash, expected_shares = _SUMS[name]
    assert cash == Decimal(expected_cash)
    assert {ticker: held for ticker, held in shares.items() if held} == {
        ticker: Decimal(held) for ticker, held in expected_shares.items()
    }
