"""Journals and prices of tests in plain words, and the curves and figures that they make."""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from paperdesk.portfolio.performance.attribution import (
    Attribution,
    attribution_of,
    trades_by,
)
from paperdesk.portfolio.performance.curve import (
    Curve,
    account_curve,
    note_known,
    priced,
)
from paperdesk.portfolio.performance.events import (
    Adjustment,
    Days,
    Entries,
    Events,
    Movement,
    Trade,
    instant_of,
    paid,
)
from paperdesk.portfolio.performance.figures import Figures, Span, figures_of
from paperdesk.portfolio.performance.lines import STALE, Closes, Price
from paperdesk.portfolio.performance.parts import part_of, parts_by

ZONE = ZoneInfo("America/New_York")
BEGAN = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
"""A Monday, when New York's market opens; the clocks go forward on the Sunday after."""


def money(amount: Any) -> int:
    return int(Decimal(str(amount)).scaleb(6))


def units(amount: Any) -> int:
    return int(Decimal(str(amount)).scaleb(9))


def at(days: float, hours: float = 0.0) -> int:
    """Return the instant so many days after the beginning."""
    return instant_of(BEGAN + timedelta(days=days, hours=hours))


@dataclass
class Journal:
    """An account's entries, booked in the order in which they are said."""

    trades: list[Trade] = field(default_factory=list[Trade])
    movements: list[Movement] = field(default_factory=list[Movement])
    adjustments: list[Adjustment] = field(default_factory=list[Adjustment])
    closes: dict[str, dict[int, Any]] = field(default_factory=dict[str, dict[int, Any]])
    """The closing price of a ticker by day, counted from the beginning."""
    booked: int = 0

    def next(self) -> int:
        self.booked += 1
        return self.booked

    def cash(self, kind: str, amount: Any, when: int = at(0)) -> "Journal":
        opening = kind == "opening"
        kind = "deposit" if opening else kind
        self.movements.append(Movement(when, self.next(), kind, money(amount), opening))
        return self

    def pay(self, kind: str, ticker: str, amount: Any, when: int) -> "Journal":
        """Pay a dividend of a ticker, or take a fee for borrowing it."""
        self.adjustments.append(paid(when, self.next(), kind, ticker, money(amount)))
        return self

    def held(self, ticker: str, before: int) -> Decimal:
        """Return the shares that trades so far leave before an instant."""
        found = (t.quantity for t in self.trades if t.ticker == ticker and t.at < before)
        return Decimal(sum(found)).scaleb(-9)

    def trade(
        self,
        ticker: str,
        quantity: Any,
        price: Any,
        when: int,
        *,
        fee: Any = 0,
        realized: Any = 0,
        strategy: str | None = None,
        source: str = "api",
    ) -> "Journal":
        shares, each = units(quantity), units(price)
        value = money(round(abs(Decimal(str(quantity))) * Decimal(str(price)), 6))
        self.trades.append(
            Trade(
                when,
                self.next(),
                ticker,
                shares,
                each,
                value,
                money(fee),
                money(realized),
                source,
                strategy,
            )
        )
        return self

    def adjust(self, kind: str, ticker: str, when: int, **more: Any) -> "Journal":
        self.adjustments.append(
            Adjustment(
                when,
                self.next(),
                kind,
                ticker,
                more.get("to"),
                more.get("numerator"),
                more.get("denominator"),
                units(more.get("quantity", 0)),
                money(more.get("cost", 0)),
                money(more.get("amount", 0)),
            )
        )
        return self

    def close(self, ticker: str, prices: Mapping[int, Any]) -> "Journal":
        self.closes.setdefault(ticker, {}).update(prices)
        return self

    @property
    def events(self) -> Events:
        return Events().followed_by(self.entries)

    @property
    def entries(self) -> Entries:
        return Entries(self.booked, self.trades, self.movements, self.adjustments)

    def curve(self, now: int, known: Mapping[int, Mapping[str, Price]] | None = None) -> Curve:
        events = self.events
        assert events.first is not None
        days = Days(ZONE, events.first, now)
        curve = account_curve(events, days, events.first)
        for ticker, line in curve.lines.items():
            line.closes = closes_of(self.closes.get(ticker, {}), days)
        priced(curve)
        if known is not None:
            note_known(curve, {flow.at: known.get(flow.at, {}) for flow in curve.flows})
        return curve


def closes_of(prices: Mapping[int, Any], days: Days) -> Closes:
    """Return closes at 16:00 in New York, on days counted from the beginning."""
    begun = BEGAN.astimezone(ZONE).date().toordinal() - days.first
    places = sorted(place for day in prices if (place := begun + day) < days.complete)
    made = [units(prices[place - begun]) for place in places]
    times = [days.starts[place] + 16 * 3_600_000_000 for place in places]
    filled = [0] * days.complete
    stale: list[tuple[int, int]] = []
    for (place, price), (following, _) in pairwise(
        [*zip(places, made, strict=True), (days.complete, 0)]
    ):
        filled[place:following] = [price] * (following - place)
        if following > place + STALE + 1:
            stale.append((place + STALE + 1, following))
    return Closes(array("q", places), array("q", times), array("q", made), 0, filled, stale)


def figures(
    journal: Journal,
    now: int,
    *,
    start: int | None = None,
    end: int | None = None,
    quotes: Mapping[str, Any] | None = None,
    known: Mapping[int, Mapping[str, Price]] | None = None,
    part: Sequence[str | None] | None = None,
    benchmark: Iterable[Price] | None = None,
) -> Figures:
    """Return the figures of a journal, valued at its last known prices, or at `quotes` now."""
    whole = journal.curve(now, known)
    curve = part_of(whole, journal.events, *part) if part else whole
    span = _span_of(whole, now, start, end, quotes or {})(curve)
    return figures_of(curve, span, None if benchmark is None else list(benchmark))


def attribution(
    journal: Journal,
    now: int,
    label: int,
    *,
    start: int | None = None,
    end: int | None = None,
    quotes: Mapping[str, Any] | None = None,
) -> Attribution:
    """Return what each source or strategy (a column of trades) made, valued as `figures` are."""
    whole, events = journal.curve(now), journal.events
    span_of = _span_of(whole, now, start, end, quotes or {})
    span = span_of(whole)
    trades = trades_by(events, label, span.start, span.until)
    return attribution_of(whole, parts_by(whole, events, label), span_of, trades)


def _span_of(
    whole: Curve, now: int, start: int | None, end: int | None, quotes: Mapping[str, Any]
) -> Callable[[Curve], Span]:
    begin = max(whole.first, start if start is not None else whole.first)
    ends = max(now, whole.end) if end is None else end
    prices = {ticker: Price(ends, units(price)) for ticker, price in quotes.items()}
    current = frozenset(prices) if end is None else None
    at_end = whole.worth_at(ends, prices, current)
    until = max(begin, now if end is None else end)

    def span_of(curve: Curve) -> Span:
        worth = curve.worth_at(ends, prices, current)
        return Span(begin, until, end, curve.worth_at(begin, {}), worth, at_end)

    return span_of
