"""Corporate actions on lots: nothing is lost, and the proof does the same in whole numbers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paperdesk.db.types import format_utc
from paperdesk.errors import InvalidRequest, InvalidState
from paperdesk.ledger.adjusting import merged, split, spun_off
from paperdesk.ledger.booking import EXACT
from paperdesk.ledger.holdings import NOTHING, Holding, Lot
from paperdesk.ledger.proof import lots as proof
from support.databases import START

SHARES = st.integers(1, 10**12)
COST = st.integers(0, 10**12)
RATIO = st.integers(1, 1000)


def amount(units: int, scale: int) -> Decimal:
    return EXACT.scaleb(Decimal(units), -scale)


@st.composite
def holdings(draw: st.DrawFn, first: int = 1) -> Holding:
    """A holding, long or short, at average cost or of up to six lots."""
    way = draw(st.sampled_from((1, -1)))
    parts = draw(st.lists(st.tuples(SHARES, COST), min_size=1, max_size=6))
    lots = tuple(
        Lot(first + n, START + timedelta(days=n), amount(way * q, 9), amount(way * c, 6))
        for n, (q, c) in enumerate(parts)
    )
    quantity = sum((lot.quantity for lot in lots), Decimal(0))
    cost = sum((lot.cost for lot in lots), Decimal(0))
    return Holding(quantity, cost, lots if draw(st.booleans()) else None)


def whole(holding: Holding) -> proof.Holding:
    """Return a holding as the proof has it."""

    def units(value: Decimal, scale: int) -> int:
        return int(EXACT.scaleb(value, scale))

    lots = None
    if holding.lots is not None:
        lots = tuple(
            proof.Lot(n, format_utc(at), units(q, 9), units(c, 6)) for n, at, q, c in holding.lots
        )
    return proof.Holding(units(holding.quantity, 9), units(holding.cost_basis, 6), lots)


def adds_up(holding: Holding) -> bool:
    if holding.lots is None:
        return True
    return (
        all(lot.quantity for lot in holding.lots)
        and sum(lot.quantity for lot in holding.lots) == holding.quantity
        and sum(lot.cost for lot in holding.lots) == holding.cost_basis
    )


@given(holdings(), RATIO, RATIO)
def test_a_split_keeps_all_of_the_cost(holding: Holding, numerator: int, denominator: int) -> None:
    try:
        after = split(holding, numerator, denominator)
    except InvalidRequest:
        assert abs(holding.quantity) * numerator / denominator <= Decimal("5.1e-10")
        return
    assert after.cost_basis == holding.cost_basis
    assert adds_up(after)
    assert proof.split(whole(holding), numerator, denominator) == whole(after)


@given(holdings(), RATIO, RATIO, st.integers(0, 100))
def test_a_spin_off_shares_the_cost_out(
    holding: Holding, numerator: int, denominator: int, percent: int
) -> None:
    quantity = (holding.quantity * numerator / denominator).quantize(Decimal("1e-9"))
    cost = (holding.cost_basis * percent / 100).quantize(Decimal("1e-6"))
    assume(quantity)
    left, given_out = spun_off(holding, quantity, cost)
    assert left.cost_basis + given_out.cost_basis == holding.cost_basis
    assert (left.quantity, given_out.quantity) == (holding.quantity, quantity)
    assert adds_up(left)
    assert adds_up(given_out)
    units = whole(Holding(quantity, cost))
    assert proof.spun_off(whole(holding), units.quantity, units.cost) == (
        whole(left),
        whole(given_out),
    )


@given(holdings(), holdings(first=4))
def test_two_become_one(one: Holding, other: Holding) -> None:
    since = format_utc(START)
    if (one.quantity > 0) != (other.quantity > 0):
        with pytest.raises(InvalidState):
            merged(one, START, other, START)
        return
    both = merged(one, START, other, START)
    assert both.quantity == one.quantity + other.quantity
    assert both.cost_basis == one.cost_basis + other.cost_basis
    assert adds_up(both)
    assert proof.merged(whole(one), since, whole(other), since) == whole(both)


def test_nothing_and_something_is_something() -> None:
    some = Holding(Decimal(1), Decimal(2))
    assert merged(NOTHING, None, some, START) == merged(some, START, NOTHING, None) == some
