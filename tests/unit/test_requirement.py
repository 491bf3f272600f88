"""What an account must be worth that sold something short."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.clock import ManualClock
from paperdesk.ledger.booking import value_of
from paperdesk.ledger.holdings import Holding
from paperdesk.ledger.rules import PLAIN, Rules
from paperdesk.margin.requirement import Requirement, requirement_of, shares_worth
from paperdesk.market.quotes import QuoteBoard, Tick
from support.databases import START

PERCENT = st.integers(0, 300).map(Decimal)


def held(**positions: tuple[str, str]) -> list[tuple[str, Holding]]:
    return [(name, Holding(Decimal(q), Decimal(c))) for name, (q, c) in positions.items()]


def board(**prices: int) -> QuoteBoard:
    clock = ManualClock(START)
    found = QuoteBoard(clock, timedelta(seconds=1))
    for ticker, price in prices.items():
        found.put(ticker, Tick(Decimal(price), START), "test", START)
    return found


def test_it_counts_cash_and_all_positions_at_their_prices() -> None:
    shorts = held(SHRT=("-10", "-1000"), LONG=("4", "150"))
    found = requirement_of(Decimal(1500), shorts, PLAIN, board(SHRT=120, LONG=50))
    # 1,500 - 1,200 + 200; 30 % of 1,200.
    assert found == Requirement(Decimal(500), Decimal(1200), Decimal(360))
    assert found is not None
    assert not found.is_missed


def test_nobody_is_called_while_a_price_is_missing() -> None:
    shorts = held(SHRT=("-10", "-1000"), LONG=("4", "150"))
    assert requirement_of(Decimal(1), shorts, PLAIN, board(SHRT=120)) is None


@pytest.mark.parametrize(("equity", "missed"), [("360", False), ("359.999999", True)])
def test_a_millionth_too_little_is_too_little(equity: str, *, missed: bool) -> None:
    assert Requirement(Decimal(equity), Decimal(1200), Decimal(360)).is_missed is missed


def test_nobody_is_called_who_sold_nothing_short() -> None:
    assert not Requirement(Decimal(-1), Decimal(0), Decimal(0)).is_missed


@given(
    st.integers(-(10**12), 10**12).map(lambda n: Decimal(n).scaleb(-6)),
    st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-3)),
    st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-3)),
    PERCENT,
    PERCENT,
)
def test_after_covering_the_rest_may_be_sold_short_anew(
    equity: Decimal, shares: Decimal, price: Decimal, margin: Decimal, maintenance: Decimal
) -> None:
    """Whatever it is worth and whatever the rules: enough is bought back, and no more than is."""
    rules = Rules(short_selling=True, margin_percent=margin, maintenance_percent=maintenance)
    value = value_of(shares, price)
    to_cover = Requirement(equity, value, rules.maintenance(value)).to_cover(rules)
    assert 0 <= to_cover <= value
    if to_cover == value:
        return
    rest = value_of(shares - min(shares, shares_worth(to_cover, price)), price)
    slack = Decimal("0.00001") + price * Decimal("0.000000001")
    assert rules.maintenance(rest) <= equity + slack
    assert rules.margin(rest) <= equity + slack * max(1, margin)
