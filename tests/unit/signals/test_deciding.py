"""From what an alert says and what is held to the order that is placed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.errors import InvalidRequest, NotFound, Refused
from paperdesk.models import OrderClass, OrderType, Side, TimeInForce
from paperdesk.orders.terms import StopLoss
from paperdesk.signals.deciding import Decision, Situation, decide
from paperdesk.signals.reading.model import Exit, Intent, Quantity, QuantityKind, Understood


def said(intent: str, quantity: str | None = None, kind: str = "shares", **rest: Any) -> Understood:
    amount = Quantity(amount=Decimal(quantity), kind=QuantityKind(kind)) if quantity else None
    return Understood(intent=Intent(intent), ticker="AAPL", quantity=amount, **rest)


def where(held: str = "0", price: str = "100", equity: str = "10000", **rest: Any) -> Situation:
    return Situation(Decimal(held), Decimal(price), Decimal(equity), **rest)


def order(decision: Decision) -> tuple[str, Decimal | None]:
    assert decision.terms is not None
    return decision.terms.side.value, decision.terms.quantity


@pytest.mark.parametrize(
    ("alert", "held", "side", "shares"),
    [
        (said("buy", "10"), "0", "buy", "10"),
        (said("buy", "10"), "-4", "buy", "10"),
        (said("sell", "10"), "4", "sell", "10"),
        (said("enter_long", "10"), "0", "buy", "10"),
        (said("enter_long", "10"), "-4", "buy", "14"),
        (said("enter_long", "10"), "4", "buy", "10"),
        (said("enter_short", "10"), "4", "sell", "14"),
        (said("exit_long"), "4", "sell", "4"),
        (said("exit_long", "3"), "4", "sell", "3"),
        (said("exit_long", "30"), "4", "sell", "4"),
        (said("exit_short"), "-4", "buy", "4"),
        (said("close"), "4", "sell", "4"),
        (said("close"), "-4", "buy", "4"),
        (said("close", "50", "percent_of_position"), "5", "sell", "2.5"),
        (said("reverse"), "4", "sell", "8"),
        (said("reverse"), "-4", "buy", "8"),
        (said("reverse", "1"), "4", "sell", "5"),
        (said("target", target=Decimal(10)), "4", "buy", "6"),
        (said("target", target=Decimal(10)), "-4", "buy", "14"),
        (said("target", target=Decimal(-3)), "4", "sell", "7"),
        (said("target", target=Decimal(0)), "4", "sell", "4"),
        (said("sell"), "4", "sell", "4"),
        (said("buy"), "-4", "buy", "4"),
        (said("buy", "5", "percent_of_equity"), "0", "buy", "5"),
        (said("sell", "25", "percent_of_position"), "10", "sell", "2.5"),
    ],
)
def test_alert_becomes_this_order(alert: Understood, held: str, side: str, shares: str) -> None:
    assert order(decide(alert, where(held))) == (side, Decimal(shares))


def test_cash_buys_by_notional_and_by_shares_where_a_notional_cannot_be_ordered() -> None:
    plain = decide(said("buy", "250", "cash"), where()).terms
    assert plain is not None
    assert (plain.quantity, plain.notional) == (None, Decimal(250))

    limited = said("buy", "250", "cash", order_type=OrderType.limit, limit_price=Decimal(3))
    assert order(decide(limited, where())) == ("buy", Decimal("83.333333333"))
    assert order(decide(said("enter_long", "250", "cash"), where("-1"))) == ("buy", Decimal("3.5"))


def test_default_quantity_counts_where_the_alert_has_none() -> None:
    default = Quantity(amount=Decimal(7))
    assert order(decide(said("buy"), where(default=default))) == ("buy", Decimal(7))
    assert order(decide(said("buy", "2"), where(default=default))) == ("buy", Decimal(2))


@pytest.mark.parametrize("intent", ["buy", "enter_long", "enter_short"])
def test_without_any_quantity_nothing_is_opened(intent: str) -> None:
    with pytest.raises(InvalidRequest, match="default_quantity"):
        decide(said(intent), where())


@pytest.mark.parametrize(
    ("intent", "held"),
    [
        ("exit_long", "0"),
        ("exit_long", "-4"),
        ("exit_short", "4"),
        ("close", "0"),
        ("reverse", "0"),
    ],
)
def test_leaving_what_is_not_held_is_refused_and_opens_nothing(intent: str, held: str) -> None:
    with pytest.raises(NotFound, match=r"no .*position in AAPL"):
        decide(said(intent), where(held))


def test_target_that_is_reached_orders_nothing() -> None:
    decision = decide(said("target", target=Decimal(4)), where("4"))
    assert decision.terms is None
    assert decision.notes == ("The position is already 4; nothing to do.",)


def test_exits_are_measured_from_where_the_order_begins() -> None:
    alert = said(
        "buy", "10", take_profit=Exit(percent=Decimal(10)), stop_loss=Exit(percent=Decimal(5))
    )
    terms = decide(alert, where()).terms
    assert terms is not None
    assert terms.order_class is OrderClass.bracket
    assert (terms.take_profit, terms.stop_loss) == (Decimal(110), StopLoss(Decimal(95)))
    assert terms.time_in_force is TimeInForce.gtc

    short = said("sell", "10", stop_loss=Exit(amount=Decimal(20), amount_of="total"))
    terms = decide(short, where()).terms
    assert terms is not None
    assert terms.order_class is OrderClass.oto
    assert terms.stop_loss == StopLoss(Decimal(102))


def test_exits_of_an_order_that_opens_nothing_are_left_out_and_named() -> None:
    alert = said("sell", "4", take_profit=Exit(percent=Decimal(10)))
    decision = decide(alert, where("4"))
    assert decision.terms is not None
    assert decision.terms.order_class is OrderClass.simple
    assert decision.notes == ("It opens nothing, so it has no exits.",)


def test_exit_beyond_zero_is_refused() -> None:
    alert = said("buy", "1", stop_loss=Exit(amount=Decimal(100), amount_of="share"))
    with pytest.raises(InvalidRequest, match="closer"):
        decide(alert, where())


amounts = st.decimals("0.000000001", "1000000", places=9)


@given(
    st.sampled_from([each for each in Intent if each is not Intent.cancel]),
    st.decimals(-1000, 1000, places=9),
    amounts,
    st.sampled_from(QuantityKind),
    amounts,
)
def test_what_leaves_never_opens_and_a_target_is_always_met(
    intent: Intent, held: Decimal, amount: Decimal, kind: QuantityKind, price: Decimal
) -> None:
    alert = said(intent.value, str(amount), kind.value, target=amount)
    try:
        terms = decide(alert, Situation(held, price, Decimal(10_000))).terms
    except Refused:
        return
    if terms is None or terms.quantity is None:
        return
    assert terms.quantity > 0
    after = held + (terms.quantity if terms.side is Side.buy else -terms.quantity)
    if intent is Intent.target:
        assert after == amount
    if intent in {Intent.close, Intent.exit_long, Intent.exit_short}:
        assert abs(after) <= abs(held)
        assert after * held >= 0
    if intent is Intent.reverse:
        assert after * held < 0


SHORT_TO_LONG = {"prev_market_position": "short", "market_position": "long"}


@pytest.mark.parametrize(
    ("rest", "held", "bought"),
    [
        ({**SHORT_TO_LONG, "market_position_size": Decimal(4)}, "0", "4"),
        ({**SHORT_TO_LONG, "prev_market_position_size": Decimal(6)}, "0", "4"),
        ({**SHORT_TO_LONG, "market_position_size": Decimal(4)}, "1", "4"),
        (SHORT_TO_LONG, "0", "10"),
        ({**SHORT_TO_LONG, "market_position_size": Decimal(40)}, "0", "10"),
        ({**SHORT_TO_LONG, "prev_market_position_size": Decimal(10)}, "0", "10"),
        ({"prev_market_position": "flat", "market_position_size": Decimal(4)}, "0", "10"),
    ],
)
def test_what_was_never_sold_short_is_not_bought_back(
    rest: dict[str, Any], held: str, bought: str
) -> None:
    alert = said("buy", "10", **rest)
    decision = decide(alert, where(held, may_short=False))

    assert order(decision) == ("buy", Decimal(bought))
    assert bool(decision.notes) is (bought != "10")
    assert order(decide(alert, where(held))) == ("buy", Decimal(10))
    assert order(decide(alert, where("-6", may_short=False))) == ("buy", Decimal(10))


def test_a_purchase_that_leaves_the_strategy_short_opens_nothing_where_there_is_no_short() -> None:
    alert = said("buy", "3", prev_market_position="short", market_position="short")

    with pytest.raises(NotFound, match="no short position"):
        decide(alert, where(may_short=False))
    assert order(decide(alert, where())) == ("buy", Decimal(3))
