"""The index over resting orders: which of them a price may fill, without looking at the others.

Pure. A price touches an order when it has reached its limit or its stop; whether it is filled then
is decided by the ledger's writer, at the price of that moment. Prices are whole units of 9 places.
"""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from paperdesk.db.types import PRICE_SCALE, units_of
from paperdesk.ledger.booking import EXACT, PRICE_PLACES
from paperdesk.models import OrderStatus, OrderType, Side
from paperdesk.orders.matching.trailing import Trailing
from paperdesk.orders.resting import Resting, Watermark

_LAST: Final = "~"
"""Sorts behind every id."""


class Ladder:
    """Orders by the price that touches them, the first to be touched first, then by their age.

    `rising` ones are touched by a price at theirs or above it, the others at theirs or below.
    """

    __slots__ = ("_rungs", "_sign")

    def __init__(self, *, rising: bool) -> None:
        self._sign = 1 if rising else -1
        self._rungs: list[tuple[int, str]] = []

    def add(self, price: int, order_id: str) -> None:
        """Put an order at its price."""
        insort(self._rungs, (self._sign * price, order_id))

    def remove(self, price: int, order_id: str) -> None:
        """Take an order away."""
        rung = (self._sign * price, order_id)
        place = bisect_left(self._rungs, rung)
        if self._rungs[place : place + 1] == [rung]:
            del self._rungs[place]

    def touched(self, price: int) -> list[str]:
        """Return the ids of the orders that a price touches."""
        rungs = self._rungs
        reach = self._sign * price
        if not rungs or rungs[0][0] > reach:
            return []
        return [order_id for _, order_id in rungs[: bisect_right(rungs, (reach, _LAST))]]


class _Ticker:
    """The resting orders of one ticker."""

    __slots__ = ("always", "falling", "rising", "trailing")

    def __init__(self) -> None:
        self.always: dict[str, None] = {}
        """Orders that any price fills, once they may be filled at all."""
        self.falling = Ladder(rising=False)
        self.rising = Ladder(rising=True)
        self.trailing = {side: Trailing(side) for side in Side}

    def touched(self, price: int) -> Iterator[str]:
        yield from sorted(self.always)
        yield from self.falling.touched(price)
        yield from self.rising.touched(price)
        for trailing in self.trailing.values():
            yield from trailing.touched(price)


class OrderIndex:
    """Every resting order, by ticker and by price."""

    def __init__(self) -> None:
        self._orders: dict[str, Resting] = {}
        self._tickers: dict[str, _Ticker] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._over: set[str] = set()

    def __len__(self) -> int:
        """Return how many orders rest."""
        return len(self._orders)

    def accounts(self) -> set[str]:
        """Return the accounts that have an order."""
        return {order.user_id for order in self._orders.values()}

    def put(self, order: Resting, price: Decimal | None = None) -> None:
        """Take an order in, or as it is now; `price` is the latest one, from which it may trail.

        One that is held waits for another order, not for a price. One that trails keeps the best
        price that was seen here: what is stored of it is some seconds old.
        """
        seen = self._seen(order)
        self.drop(order.id)
        self._orders[order.id] = order
        if order.expires_at is not None:
            heapq.heappush(self._ends, (order.expires_at, order.id))
        if order.status is OrderStatus.held:
            return
        of_ticker = self._tickers.setdefault(order.ticker, _Ticker())
        if _trails(order):
            # What was seen of it has followed the latest price, which may be one before a split.
            best = price if seen is None else seen
            latest = None if best is None else units_of(best, PRICE_SCALE)
            of_ticker.trailing[order.side].add(order, latest)
        elif (rung := _rung(order)) is None:
            of_ticker.always[order.id] = None
        else:
            rising, at = rung
            (of_ticker.rising if rising else of_ticker.falling).add(at, order.id)

    def drop(self, order_id: str) -> None:
        """Forget an order, if it is known."""
        order = self._orders.pop(order_id, None)
        self._over.discard(order_id)
        if order is None or order.status is OrderStatus.held:
            return
        of_ticker = self._tickers[order.ticker]
        if _trails(order):
            of_ticker.trailing[order.side].remove(order.id)
        elif (rung := _rung(order)) is None:
            of_ticker.always.pop(order.id, None)
        else:
            rising, at = rung
            (of_ticker.rising if rising else of_ticker.falling).remove(at, order.id)

    def touched(self, ticker: str, price: Decimal) -> list[Resting]:
        """Return the orders that a price of a ticker touches; what trails it moves.

        Market orders come first, then the others by their price, and by their age where it is the
        same.
        """
        of_ticker = self._tickers.get(ticker)
        if of_ticker is None:
            return []
        found = of_ticker.touched(units_of(price, PRICE_SCALE))
        return [self._orders[order_id] for order_id in found]

    def watermark(self, order: Resting) -> Watermark | None:
        """Return the best price since a trailing order was placed; None for another order."""
        known = self._orders.get(order.id)
        if known is None or known.status is OrderStatus.held or not _trails(known):
            return None
        of_ticker = self._tickers[known.ticker]
        units = of_ticker.trailing[known.side].watermark(order.id)
        if units is None:
            return None
        return Watermark(Decimal(units).scaleb(-PRICE_SCALE), known.adjusted_by)

    def _seen(self, order: Resting) -> Decimal | None:
        """Return the best price seen for a trailing order, or for the one that it replaces.

        As a split since then counts prices.
        """
        known = self._orders.get(order.id) or self._orders.get(order.replaces or "")
        watermark = None if known is None else self.watermark(known)
        if known is None or watermark is None or order.watermark is None:
            return None
        stored = known.watermark
        assert stored is not None  # noqa: S101 - it trails
        if watermark.adjusted_by == order.adjusted_by:
            return watermark.price
        adjusted = EXACT.divide(EXACT.multiply(watermark.price, order.watermark), stored)
        return adjusted.quantize(PRICE_PLACES, ROUND_HALF_EVEN, EXACT)

    def moved(self) -> list[Resting]:
        """Return the trailing orders whose watermark is no longer the one that they came with."""
        return [
            self._orders[order_id]
            for of_ticker in self._tickers.values()
            for trailing in of_ticker.trailing.values()
            for order_id in trailing.moved()
        ]

    def ended(self, now: datetime) -> list[Resting]:
        """Return the orders whose time is over, the oldest first: each until it is dropped."""
        while self._ends and self._ends[0][0] <= now:
            expires_at, order_id = heapq.heappop(self._ends)
            order = self._orders.get(order_id)
            if order is not None and order.expires_at == expires_at:
                self._over.add(order_id)
        return [self._orders[order_id] for order_id in sorted(self._over)]


def _trails(order: Resting) -> bool:
    return order.type is OrderType.trailing_stop and order.triggered_at is None


def _rung(order: Resting) -> tuple[bool, int] | None:
    """Return whether a price must rise to an order, and where it is; None where any will do."""
    waits_for_stop = order.stop_price is not None and order.triggered_at is None
    at = order.stop_price if waits_for_stop else order.limit_price
    if at is None:
        return None
    return (order.side is Side.buy) == waits_for_stop, units_of(at, PRICE_SCALE)
