"""The index finds what a look at every order would find, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperdesk.ledger.rules import PLAIN
from paperdesk.models import OrderStatus, OrderType, Side, TimeInForce
from paperdesk.orders.matching.index import OrderIndex
from paperdesk.orders.prices import better, fill_price, is_triggered
from paperdesk.orders.resting import Resting, Watermark
from support.databases import START

TICKERS = ("AAPL", "MSFT")
STOPS = {OrderType.stop, OrderType.stop_limit, OrderType.trailing_stop}


def resting(rng: Random, order_id: str, latest: dict[str, Decimal]) -> Resting:
    """Return an order of any kind, near the latest price."""
    kind, side = rng.choice(list(OrderType)), rng.choice(list(Side))
    ticker = rng.choice(TICKERS)

    def near() -> Decimal:
        return latest[ticker] + Decimal(rng.randrange(-40, 41)) / 10

    trails = kind is OrderType.trailing_stop
    by_amount = rng.random() < 0.5
    return Resting(
        id=order_id,
        user_id="default",
        ticker=ticker,
        side=side,
        type=kind,
        time_in_force=TimeInForce.gtc,
        status=rng.choice([OrderStatus.new, OrderStatus.new, OrderStatus.held]),
        limit_price=near() if kind in {OrderType.limit, OrderType.stop_limit} else None,
        stop_price=near() if kind in {OrderType.stop, OrderType.stop_limit} else None,
        trail_price=Decimal(rng.randrange(1, 50)) / 10 if trails and by_amount else None,
        trail_percent=Decimal(rng.randrange(1, 400)) / 100 if trails and not by_amount else None,
        watermark=latest[ticker] if trails else None,
        extended_hours=False,
        triggered_at=START if kind is OrderType.stop_limit and rng.random() < 0.3 else None,
        expires_at=None,
        adjusted_by=None,
        replaces=None,
    )


class Scan:
    """What the index is held to: it looks at every order."""

    def __init__(self) -> None:
        self.orders: dict[str, Resting] = {}

    def touched(self, ticker: str, price: Decimal) -> Iterator[str]:
        for order_id, known in self.orders.items():
            if known.ticker != ticker or known.status is OrderStatus.held:
                continue
            order = known
            if known.watermark is not None:
                order = replace(known, watermark=better(known.side, known.watermark, price))
                self.orders[order_id] = order
            waits = order.type in STOPS and order.triggered_at is None
            if is_triggered(order, price) if waits else fill_price(order, price, PLAIN) is not None:
                yield order_id


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
def test_a_price_touches_what_a_scan_would_find(choice: int) -> None:
    rng = Random(choice)
    index, scan = OrderIndex(), Scan()
    latest = {ticker: Decimal(100) for ticker in TICKERS}
    stored: dict[str, Resting] = {}
    for n in range(150):
        match rng.randrange(8):
            case 0 | 1 | 2:
                order = resting(rng, f"{n:04d}", latest)
                index.put(order, latest[order.ticker])
                scan.orders[order.id] = stored[order.id] = order
            case 3 if scan.orders:
                order_id = rng.choice(list(scan.orders))
                index.drop(order_id)
                del scan.orders[order_id]
            case 4 if scan.orders:
                # Its batch left an order as it was stored: what was seen since then stays.
                order_id = rng.choice(list(scan.orders))
                order = stored[order_id]
                if rng.random() < 0.5 and order.watermark is not None:
                    seen, ratio = scan.orders[order_id].watermark, rng.choice((2, Decimal("0.5")))
                    assert seen is not None
                    split = {"adjusted_by": f"{n:04d}", "watermark": order.watermark * ratio}
                    order = stored[order_id] = replace(order, **split)
                    scan.orders[order_id] = replace(order, watermark=seen * ratio)
                index.put(order)
            case _:
                ticker = rng.choice(TICKERS)
                latest[ticker] += Decimal(rng.randrange(-25, 26)) / 10
                price = latest[ticker] = max(latest[ticker], Decimal(1))
                found = [order.id for order in index.touched(ticker, price)]
                assert len(set(found)) == len(found)
                assert set(found) == set(scan.touched(ticker, price))
                for order_id, order in scan.orders.items():
                    known = index._orders[order_id]
                    if order.status is not OrderStatus.held and order.ticker == ticker:
                        watermark = index.watermark(known)
                        assert (watermark and watermark.price) == order.watermark
    assert len(index) == len(scan.orders)


def limit(order_id: str, side: Side, price: str) -> Resting:
    return Resting(
        order_id, "default", "AAPL", side, OrderType.limit, TimeInForce.gtc, OrderStatus.new,
        Decimal(price), None, None, None, None, extended_hours=False, triggered_at=None,
        expires_at=None, adjusted_by=None, replaces=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("side", "prices", "at", "found"),
    [
        (Side.buy, {"a": "9", "b": "11", "c": "10", "d": "11"}, "10", ["b", "d", "c"]),
        (Side.sell, {"a": "9", "b": "11", "c": "10", "d": "9"}, "10", ["a", "d", "c"]),
    ],
)
def test_the_better_price_comes_first_then_the_older_order(
    side: Side, prices: dict[str, str], at: str, found: list[str]
) -> None:
    index = OrderIndex()
    for order_id, price in prices.items():
        index.put(limit(order_id, side, price))
    assert [order.id for order in index.touched("AAPL", Decimal(at))] == found


def test_an_order_ends_once_and_at_its_own_time() -> None:
    index = OrderIndex()
    first = replace(limit("a", Side.buy, "1"), expires_at=START + timedelta(seconds=5))
    second = replace(limit("b", Side.buy, "1"), expires_at=START + timedelta(seconds=9))
    index.put(second)
    index.put(first)
    # Put again with a later end: the earlier one counts no more.
    index.put(replace(first, expires_at=START + timedelta(seconds=7)))
    assert index.ended(START + timedelta(seconds=6)) == []
    # Until they are dropped: whoever is to end them may be refused.
    for _ in range(2):
        assert [o.id for o in index.ended(START + timedelta(seconds=10))] == ["a", "b"]
    index.drop("a")
    assert [o.id for o in index.ended(START + timedelta(seconds=10))] == ["b"]


def test_a_thousand_prices_leave_no_trail_behind_in_the_heap() -> None:
    index = OrderIndex()
    order = replace(
        limit("a", Side.sell, "1"),
        type=OrderType.trailing_stop,
        limit_price=None,
        trail_price=Decimal(5),
        watermark=Decimal(100),
    )
    index.put(order)
    for n in range(1000):
        assert index.touched("AAPL", Decimal(100 + n)) == []
    assert len(index._tickers["AAPL"].trailing[Side.sell]._heap) < 100
    assert index.watermark(order) == Watermark(Decimal(1099), None)
    assert [o.id for o in index.moved()] == ["a"]
    assert [o.id for o in index.touched("AAPL", Decimal(1094))] == ["a"]
