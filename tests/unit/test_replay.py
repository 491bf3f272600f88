"""The proof's arithmetic agrees with that of the bookings, which it shares no line with."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.ledger import booking
from paperdesk.ledger.proof import replay
from paperdesk.ledger.proof.replay import Account, Adjustment, Holding, Trade, Wrong

SHARES = st.integers(1, 10**18)
PRICES = st.integers(1, 10**18)
CENTS = 10**4
AT = "2026-11-20T15:00:00.000000Z"


def decimal(units: int, scale: int) -> Decimal:
    return booking.EXACT.scaleb(Decimal(units), -scale)


def units(amount: Decimal, scale: int) -> int:
    return int(booking.EXACT.scaleb(amount, scale))


@given(st.lists(st.tuples(st.booleans(), SHARES, PRICES), min_size=1, max_size=12))
def test_replay_leads_where_the_bookings_led(trades: list[tuple[bool, int, int]]) -> None:
    account, held, realized = Account(cash=10**60), booking.NOTHING, Decimal(0)

    for is_sale, quantity, price in trades:
        value = booking.value_of(decimal(quantity, 9), decimal(price, 9))
        made = Decimal(0)
        if is_sale and decimal(quantity, 9) <= held.quantity:
            sale = booking.sold(held, decimal(quantity, 9), value)
            held, made, side = sale.left, sale.realized_pnl, "sell"
        else:
            held, side = booking.bought(held, decimal(quantity, 9), value), "buy"
        realized += made
        trade = Trade("AAPL", side, quantity, price, units(value, 6), 0, units(made, 6))
        account.trade(trade, AT)

    replayed = account.holdings.get("AAPL", replay.NOTHING)
    assert replayed == (units(held.quantity, 9), units(held.cost_basis, 6))
    assert account.realized == units(realized, 6)
    if replayed.quantity:
        assert replay.average_cost(replayed) == units(booking.average_cost(held), 9)


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (8, 3, 3), (-8, 3, -3), (0, 7, 0)],
)
def test_quotients_are_rounded_once_half_to_even(
    numerator: int, denominator: int, quotient: int
) -> None:
    assert replay.rounded(numerator, denominator) == quotient


TRADE: dict[str, Any] = {
    "ticker": "AAPL",
    "side": "buy",
    "quantity": 10**9,
    "price": 3 * 10**9,
    "value": 3 * 10**6,
    "fee": CENTS,
    "realized": 0,
}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"value": 3 * 10**6 + 1}, "Its value is $3.000001, but 1 x 3 is $3.00."),
        ({"realized": 1}, "It says that $0.000001 was realised, but replaying gives $0.00."),
        ({"side": "sell"}, "It sells 1 AAPL, but 0 were held."),
        ({"fee": 98 * 10**6}, "It leaves -$1.00 in cash."),
        ({"quantity": -1}, "The trade has no positive quantity and price."),
    ],
    ids=repr,
)
def test_what_cannot_have_been_booked_is_told(wrong: dict[str, Any], said: str) -> None:
    account = Account(cash=100 * 10**6)

    with pytest.raises(Wrong) as told:
        account.trade(Trade(**TRADE | wrong), AT)

    assert str(told.value) == said


def test_adjustments_change_holdings_and_cash() -> None:
    account = Account(cash=0, holdings={"OLD": Holding(10 * 10**9, 100 * 10**6)})

    account.adjust(Adjustment("stock_split", "OLD", None, 3, 2, 0, 0, 0), AT)
    account.adjust(Adjustment("symbol_change", "OLD", "NEW", None, None, 0, 0, 0), AT)
    account.adjust(Adjustment("spin_off", "NEW", "SPUN", None, None, 10**9, 25 * 10**6, 7), AT)
    account.adjust(Adjustment("transfer", "SPUN", None, None, None, -(10**9), -25 * 10**6, 0), AT)

    assert account.holdings == {"NEW": Holding(15 * 10**9, 75 * 10**6)}
    assert account.cash == 7


def test_a_holding_is_open_since_there_was_something_of_it() -> None:
    account = Account(cash=100 * 10**6)
    one = 10**9
    for at, side, quantity in (("1", "buy", 1), ("2", "buy", 1), ("3", "sell", 1)):
        account.trade(Trade("A", side, quantity * one, one, quantity * 10**6, 0, 0), at)
    assert account.opened == {"A": "1"}

    account.trade(Trade("A", "sell", one, one, 10**6, 0, 0), "4")
    assert account.opened == {}

    account.trade(Trade("A", "buy", one, one, 10**6, 0, 0), "5")
    account.adjust(Adjustment("symbol_change", "A", "B", None, None, 0, 0, 0), "6")
    assert account.opened == {"B": "6"}
