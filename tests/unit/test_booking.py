"""The arithmetic of booking: nothing is lost, to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.ledger.booking import money, value_of
from paperdesk.ledger.holdings import NOTHING, Holding, average_cost
from support.holding import bought, sold

QUANTITY = st.decimals("0.000000001", "1000000000", places=9)
PRICE = st.decimals("0.000000001", "1000000000", places=9)
FRACTION = st.integers(1, 1000)


def test_average_cost_is_weighted_by_quantity() -> None:
    first = bought(NOTHING, Decimal(100), value_of(Decimal(100), Decimal(100)))
    both = bought(first, Decimal(100), value_of(Decimal(100), Decimal(110)))
    assert both == Holding(Decimal(200), Decimal(21_000))
    assert average_cost(both) == 105


def test_nothing_costs_nothing() -> None:
    assert average_cost(NOTHING) == 0


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        ("1.0000005", "1.000000"),
        ("1.0000015", "1.000002"),
        ("-1.0000005", "-1.000000"),
        ("2.00000050000000001", "2.000001"),
    ],
)
def test_money_rounds_once_and_half_to_even(amount: str, rounded: str) -> None:
    assert str(money(Decimal(amount))) == rounded


def test_largest_product_is_exact() -> None:
    largest = Decimal("999999999.999999999")
    assert value_of(largest, largest) == Decimal("999999999999999998.000000")


def test_sale_takes_cost_in_proportion_and_makes_the_rest() -> None:
    left, made = sold(Holding(Decimal(200), Decimal(21_000)), Decimal(50), Decimal(6_000))
    assert left == Holding(Decimal(150), Decimal(15_750))
    assert made == 750
    assert average_cost(left) == 105


@given(
    st.lists(st.tuples(QUANTITY, PRICE), min_size=1, max_size=8),
    st.lists(st.tuples(FRACTION, PRICE), max_size=8),
)
def test_cash_and_cost_equal_flows_and_realized_to_the_last_digit(
    buys: list[tuple[Decimal, Decimal]], sells: list[tuple[int, Decimal]]
) -> None:
    cash, realized, holding = Decimal(0), Decimal(0), NOTHING
    for quantity, price in buys:
        value = value_of(quantity, price)
        cash -= value
        holding = bought(holding, quantity, value)
    for fraction, price in sells:
        quantity = (holding.quantity * fraction / 1000).quantize(Decimal("1e-9"))
        if 0 < quantity <= holding.quantity:
            value = value_of(quantity, price)
            holding, made = sold(holding, quantity, value)
            cash, realized = cash + value, realized + made
        assert cash + holding.cost_basis == realized
        assert holding.quantity >= 0


@given(st.lists(st.tuples(QUANTITY, PRICE), min_size=1, max_size=5), FRACTION, PRICE)
def test_closed_position_is_exactly_zero(
    buys: list[tuple[Decimal, Decimal]], fraction: int, price: Decimal
) -> None:
    holding, paid, received, realized = NOTHING, Decimal(0), Decimal(0), Decimal(0)
    for quantity, each in buys:
        value = value_of(quantity, each)
        holding, paid = bought(holding, quantity, value), paid + value
    part = (holding.quantity * fraction / 1001).quantize(Decimal("1e-9"))
    for quantity in (part, holding.quantity - part):
        if quantity:
            value = value_of(quantity, price)
            holding, made = sold(holding, quantity, value)
            received, realized = received + value, realized + made
    assert holding == NOTHING
    assert realized == received - paid
