"""The proof's arithmetic agrees with that of the bookings, which it shares no line with."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.db.types import format_utc
from paperdesk.ledger import booking
from paperdesk.ledger.holdings import (
    NOTHING,
    Lot,
    average_cost,
    closed,
    closes,
    lots_of,
    opened,
    written,
)
from paperdesk.ledger.proof import lots as proof
from paperdesk.ledger.proof.amounts import Wrong, rounded
from paperdesk.ledger.proof.lots import Holding
from paperdesk.ledger.proof.replay import Account, Adjustment, Trade
from paperdesk.models import CostBasis, Side
from support.databases import START

SHARES = st.integers(1, 10**18)
PRICES = st.integers(1, 10**18)
CENTS = 10**4
AT = "2026-11-20T15:00:00.000000Z"


def decimal(units: int, scale: int) -> Decimal:
    return booking.EXACT.scaleb(Decimal(units), -scale)


def units(amount: Decimal, scale: int) -> int:
    return int(booking.EXACT.scaleb(amount, scale))


@given(
    st.lists(
        st.tuples(st.booleans(), SHARES, PRICES, st.sampled_from(CostBasis), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_replay_leads_where_the_bookings_led(
    trades: list[tuple[bool, int, int, CostBasis, int]],
) -> None:
    """Long and short, through zero, whatever the method: also where it changes in between."""
    account, held, realized = Account(cash=10**60), NOTHING, Decimal(0)
    since = START

    for number, (is_sale, units_of, price, method, first) in enumerate(trades, 1):
        at = START + timedelta(hours=number)
        side = Side.sell if is_sale else Side.buy
        closing = closes(held.quantity, side)
        quantity = min(units_of, abs(units(held.quantity, 9))) if closing else units_of
        shares = decimal(quantity, 9)
        value = booking.value_of(shares, decimal(price, 9))
        way = -1 if is_sale else 1
        made, opened_at, lots = Decimal(0), None, None
        if closing:
            there = lots_of(held, since)
            named = [lot.number for lot in (*there[first % len(there) :], *there)][: len(there)]
            named = list(dict.fromkeys(named)) if method is CostBasis.named else None
            done = closed(held, since, method, shares, named)
            held, made, opened_at = done.left, -way * value - done.cost, done.opened_at
            lots = None if done.closed is None else written(done.closed)
        else:
            since = since if held.quantity else at
            held = opened(held, since, method, Lot(number, at, way * shares, way * value))
        realized += made
        trade = Trade(
            "AAPL",
            side,
            quantity,
            price,
            units(value, 6),
            0,
            units(made, 6),
            None if method is CostBasis.average else method,
            opened_at and format_utc(opened_at),
            lots,
        )
        account.trade(trade, format_utc(at), number)

        replayed = account.holdings.get("AAPL", proof.NOTHING)
        told = None if held.lots is None else tuple(map(in_units, held.lots))
        assert replayed == (units(held.quantity, 9), units(held.cost_basis, 6), told)
        assert account.realized == units(realized, 6)
        if held.lots is not None:
            assert sum(lot.quantity for lot in held.lots) == held.quantity
            assert sum(lot.cost for lot in held.lots) == held.cost_basis
        if replayed.quantity:
            assert proof.average_cost(replayed) == units(average_cost(held), 9)
        else:
            assert replayed == (0, 0, None)


def in_units(lot: Lot) -> tuple[int, str, int, int]:
    return lot.number, format_utc(lot.opened_at), units(lot.quantity, 9), units(lot.cost, 6)


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (8, 3, 3), (-8, 3, -3), (0, 7, 0)],
)
def test_quotients_are_rounded_once_half_to_even(
    numerator: int, denominator: int, quotient: int
) -> None:
    assert rounded(numerator, denominator) == quotient


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
        ({"fee": 98 * 10**6}, "It leaves -$1.00 in cash."),
        ({"quantity": -1}, "The trade has no positive quantity and price."),
    ],
    ids=repr,
)
def test_what_cannot_have_been_booked_is_told(wrong: dict[str, Any], said: str) -> None:
    account = Account(cash=100 * 10**6)

    with pytest.raises(Wrong) as told:
        account.trade(Trade(**TRADE | wrong), AT, 1)

    assert str(told.value) == said


def test_adjustments_change_holdings_and_cash() -> None:
    account = Account(cash=0, holdings={"OLD": Holding(10 * 10**9, 100 * 10**6)})

    account.adjust(Adjustment("stock_split", "OLD", None, 3, 2, 0, 0, 0), AT, 9)
    account.adjust(Adjustment("symbol_change", "OLD", "NEW", None, None, 0, 0, 0), AT, 9)
    account.adjust(Adjustment("spin_off", "NEW", "SPUN", None, None, 10**9, 25 * 10**6, 7), AT, 9)
    account.adjust(
        Adjustment("transfer", "SPUN", None, None, None, -(10**9), -25 * 10**6, 0), AT, 9
    )

    assert account.holdings == {"NEW": Holding(15 * 10**9, 75 * 10**6)}
    assert account.cash == 7


def test_a_reset_leaves_nothing_and_forgets_what_was_realised() -> None:
    account = Account(cash=5, realized=7)
    account.move("adjustment", -5)
    assert (account.cash, account.realized) == (0, 0)
    for left in (Account(cash=6), Account(cash=5, holdings={"A": Holding(1, 1)})):
        with pytest.raises(Wrong, match="It resets the account"):
            left.move("adjustment", -5)


def test_a_transfer_brings_a_lot_of_its_own() -> None:
    account = Account()
    for number, (at, since) in enumerate((("5", "3"), ("6", "2")), 4):
        account.adjust(
            Adjustment("transfer", "A", None, None, None, 10, number, 0, since), at, number
        )
    lots = (proof.Lot(4, "3", 10, 4), proof.Lot(5, "2", 10, 5))
    assert account.holdings == {"A": Holding(20, 9, lots)}
    assert account.opened == {"A": "2"}


def test_a_holding_is_open_since_there_was_something_of_it() -> None:
    account = Account(cash=100 * 10**6)
    one = 10**9
    for at, side, quantity in (("1", "buy", 1), ("2", "buy", 1), ("3", "sell", 1)):
        account.trade(Trade("A", side, quantity * one, one, quantity * 10**6, 0, 0), at, int(at))
    assert account.opened == {"A": "1"}

    account.trade(Trade("A", "sell", one, one, 10**6, 0, 0), "4", 4)
    assert account.opened == {}

    account.trade(Trade("A", "buy", one, one, 10**6, 0, 0), "5", 5)
    account.adjust(Adjustment("symbol_change", "A", "B", None, None, 0, 0, 0), "6", 9)
    assert account.opened == {"B": "5"}


CLOSING: dict[str, Any] = {
    "ticker": "AAPL",
    "side": "sell",
    "quantity": 10**9,
    "price": 100 * 10**9,
    "value": 100 * 10**6,
    "fee": 0,
    "realized": 0,
    "method": "fifo",
    "opened_at": "1",
    "closed": '[[2,"1",1000000000,100000000]]',
}
SECOND = '[[3,"2",1000000000,100000000]]'


def in_two_lots() -> Account:
    lots = (proof.Lot(2, "1", 5 * 10**9, 500 * 10**6), proof.Lot(3, "2", 5 * 10**9, 500 * 10**6))
    held = Holding(10 * 10**9, 1000 * 10**6, lots)
    return Account(cash=10**9, holdings={"AAPL": held}, opened={"AAPL": "1"})


def test_a_sale_that_tells_the_lots_truly_is_right() -> None:
    in_two_lots().trade(Trade(**CLOSING), AT, 4)
    named: dict[str, Any] = {"method": "named", "closed": SECOND, "opened_at": "2"}
    in_two_lots().trade(Trade(**CLOSING | named), AT, 4)
    # One that was booked before trades said it.
    pooled: dict[str, Any] = {"method": None, "closed": None, "opened_at": None}
    in_two_lots().trade(Trade(**CLOSING | pooled), AT, 4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"closed": SECOND}, "It says that it closed the lots"),
        ({"closed": None}, "It says that it closed the lots None"),
        ({"opened_at": "2"}, "held since 2: 1."),
        ({"opened_at": None}, "held since None: 1."),
        ({"method": None, "closed": None, "opened_at": "2"}, "held since 2: 1."),
        ({"method": "lifo"}, "It says that it closed the lots"),
        ({"method": "named", "closed": '[[9,"1",1,1]]'}, "which is not there"),
        ({"method": "named", "closed": "9"}, "which are none"),
        ({"method": "named", "closed": None}, "which are none"),
        ({"quantity": 11 * 10**9, "value": 1100 * 10**6}, "sells 11 AAPL, but 10 were held"),
        (
            {"method": "named", "quantity": 6 * 10**9, "value": 600 * 10**6},
            "its lots have 1 less",
        ),
        ({"side": "buy"}, "It says that it closed the lots"),
    ],
    ids=repr,
)
def test_a_sale_that_tells_its_lots_falsely_is_told(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(Wrong, match=said):
        in_two_lots().trade(Trade(**CLOSING | wrong), AT, 4)
