"""Trailing stops of one ticker and side, found by price without looking at each of them.

Pure. Every new best price moves the watermark of all orders whose watermark it passes: to the same
place. So orders are kept in groups of one watermark, and a stack of groups, the best at the bottom:
a price merges the groups on top that it passes. Within a group the order that trails closest is
touched first, and over the groups a heap tells which one that is. Prices are whole units of 9
places; those of buys are negated, so that the best is always the highest.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from paperdesk.db.types import MONEY_SCALE, PRICE_SCALE, units_of
from paperdesk.models import Side
from paperdesk.orders.resting import Resting

_ROUNDING: Final = 1
"""A stop is rounded to the nearest unit: what may be reached by that is touched."""

_MOST_STALE: Final = 64

_WHOLE: Final = 10**8
"""100 %, in millionths of a percent."""

_Distance = tuple[int, str]
"""How far an order trails, in units or in millionths of a percent, and its id."""


@dataclass(slots=True, eq=False)
class _Group:
    watermark: int
    amounts: list[_Distance] = field(default_factory=list[_Distance])
    parts: list[_Distance] = field(default_factory=list[_Distance])
    version: int = 0
    """Grows with each change: what the heap says of an earlier one counts no more."""

    def first_stop(self) -> int | None:
        """Return the stop that a falling price reaches first; None where there is no order."""
        stops = [self.watermark - away for away, _ in self.amounts[:1]]
        stops += [self._stop(part) for part, _ in self.parts[:1]]
        return max(stops, default=None)

    def _stop(self, part: int) -> int:
        return self.watermark - abs(self.watermark) * part // _WHOLE

    def touched(self, price: int) -> Iterator[str]:
        reach = price - _ROUNDING
        for away, order_id in self.amounts:
            if self.watermark - away < reach:
                break
            yield order_id
        for part, order_id in self.parts:
            if self._stop(part) < reach:
                break
            yield order_id

    def take(self, other: "_Group") -> None:
        """Take the orders of another group over."""
        for mine, others in ((self.amounts, other.amounts), (self.parts, other.parts)):
            mine.extend(others)
            mine.sort()


class Trailing:
    """The trailing stops of a ticker, sells or buys."""

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side is Side.buy else 1
        self._stack: list[_Group] = []
        self._group_of: dict[str, _Group] = {}
        self._orders: dict[str, tuple[Resting, int]] = {}
        self._heap: list[tuple[int, int, int, _Group]] = []
        self._pushed = 0

    def add(self, order: Resting, price: int | None) -> None:
        """Take an order in, at its watermark or at a price seen since where that is better."""
        assert order.watermark is not None  # noqa: S101 - set when it was placed
        own = self._sign * units_of(order.watermark, PRICE_SCALE)
        watermark = own if price is None else max(own, self._sign * price)
        self._orders[order.id] = order, own
        place = len(self._stack)
        while place and self._stack[place - 1].watermark < watermark:
            place -= 1
        if place and self._stack[place - 1].watermark == watermark:
            group = self._stack[place - 1]
        else:
            group = _Group(watermark)
            self._stack.insert(place, group)
        self._group_of[order.id] = group
        distances, distance = self._distance(group, order)
        insort(distances, distance)
        self._push(group)

    def remove(self, order_id: str) -> None:
        """Take an order away."""
        group = self._group_of.pop(order_id)
        order, _ = self._orders.pop(order_id)
        distances, distance = self._distance(group, order)
        del distances[bisect_left(distances, distance)]
        self._push(group)

    def touched(self, price: int) -> list[str]:
        """Move what a price moves, and return the orders whose stop it reaches."""
        price *= self._sign
        self._follow(price)
        found: list[str] = []
        again: list[_Group] = []
        while self._heap and -self._heap[0][0] >= price - _ROUNDING:
            _, version, _, group = heapq.heappop(self._heap)
            if version == group.version:
                found += group.touched(price)
                again.append(group)
        for group in again:
            self._push(group)
        return found

    def watermark(self, order_id: str) -> int | None:
        """Return the best price since an order was placed."""
        group = self._group_of.get(order_id)
        return None if group is None else self._sign * group.watermark

    def moved(self) -> list[str]:
        """Return the orders whose watermark is not the one that they came with."""
        return [
            order_id
            for order_id, (_, own) in self._orders.items()
            if self._group_of[order_id].watermark != own
        ]

    def _follow(self, price: int) -> None:
        passed: list[_Group] = []
        while self._stack and self._stack[-1].watermark < price:
            passed.append(self._stack.pop())
        if not passed:
            return
        if self._stack and self._stack[-1].watermark == price:
            passed.append(self._stack.pop())
        # The largest takes the others in, so that few orders are handled again.
        largest = max(passed, key=lambda group: len(group.amounts) + len(group.parts))
        for group in passed:
            if group is largest:
                continue
            for _, order_id in (*group.amounts, *group.parts):
                self._group_of[order_id] = largest
            largest.take(group)
            group.version += 1
        largest.watermark = price
        self._stack.append(largest)
        self._push(largest)

    def _push(self, group: _Group) -> None:
        """Tell the heap where a group stands now; one without orders leaves the stack."""
        group.version += 1
        stop = group.first_stop()
        if stop is None:
            if group in self._stack:
                self._stack.remove(group)
            return
        self._pushed += 1
        heapq.heappush(self._heap, (-stop, group.version, self._pushed, group))
        if len(self._heap) > _MOST_STALE + 2 * len(self._stack):
            # What no longer counts would stay at the bottom of the heap for ever.
            self._heap = [entry for entry in self._heap if entry[1] == entry[3].version]
            heapq.heapify(self._heap)

    def _distance(self, group: _Group, order: Resting) -> tuple[list[_Distance], _Distance]:
        if order.trail_price is not None:
            return group.amounts, (units_of(order.trail_price, PRICE_SCALE), order.id)
        assert order.trail_percent is not None  # noqa: S101 - one of the two is given
        return group.parts, (units_of(order.trail_percent, MONEY_SCALE), order.id)
