"""Parts of an account: what trades of a ticker, a source or a strategy made of it. Pure.

Each has positions of its own, at the prices of the whole account: what one part sells to another
is worth the same to both.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from paperdesk.portfolio.performance.adjusting import (
    Effect,
    Position,
    adjust_part,
    end_part,
    line_of,
)
from paperdesk.portfolio.performance.curve import Curve, flowing, priced
from paperdesk.portfolio.performance.events import Events, Movement, Trade
from paperdesk.portfolio.performance.lines import Line

SOURCE: Final = Trade._fields.index("source")
STRATEGY: Final = Trade._fields.index("strategy")
_ALL: Final = -2
_TICKER: Final = Trade._fields.index("ticker")


class _Part:
    """The lines and the positions of a part."""

    __slots__ = ("lines", "positions")

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.positions: defaultdict[str, Position] = defaultdict(Position)


def part_of(whole: Curve, events: Events, ticker: str | None, *labels: str | None) -> Curve:
    """Return the part of a priced account that trades of a ticker, source or strategy made.

    `labels` are the source and the strategy; None leaves open which. Where one is given, each
    ticker is a position of the part's own, of its trades alone, at their own average cost.
    """
    if any(labels):
        lines = _asked_for(whole, events, (ticker, *labels))
    else:
        lines = {ticker: whole.lines[ticker]} if ticker in whole.lines else {}
    return priced(_curve(whole, lines))


def parts_by(whole: Curve, events: Events, label: int) -> dict[str | None, Curve]:
    """Return all parts by their source or strategy (a column of trades), without their days.

    None is that of the trades without one.
    """
    return {
        events.text(code): flowing(_curve(whole, part.lines))
        for code, part in _parts(whole, events, (), label).items()
    }


def _curve(whole: Curve, lines: dict[str, Line]) -> Curve:
    first = min((line.times[0] for line in lines.values()), default=whole.first)
    return Curve(whole.days, lines, first=first, whole=whole)


def _asked_for(whole: Curve, events: Events, asked: tuple[str | None, ...]) -> dict[str, Line]:
    codes = [events.code(text) for text in asked]
    if any(text is not None and code < 0 for text, code in zip(asked, codes, strict=True)):
        return {}
    part = _parts(whole, events, codes).get(_ALL)
    return part.lines if part else {}


def _parts(
    whole: Curve, events: Events, chosen: "tuple[int, ...] | list[int]", label: int | None = None
) -> dict[int, _Part]:
    """Return the parts that chosen trades make, by the code of a label; else one of them all."""
    parts: defaultdict[int, _Part] = defaultdict(_Part)
    owners: defaultdict[str, dict[int, _Part]] = defaultdict(dict)
    done = 0
    for change in (*_changes(whole), None):
        end = events.trades_before(change.adjustment if isinstance(change, Effect) else change)
        for row in events.trades(done, end, chosen) if chosen else events.trades(done, end):
            code, ticker = _ALL if label is None else row[label], events.texts[row[_TICKER]]
            part = owners[ticker][code] = parts[code]
            realized = part.positions[ticker].realized(row[3], row[5])
            line_of(part.lines, ticker).trade(row, realized)
        done = end
        if isinstance(change, Effect):
            _adjust(owners, change)
        elif change is not None:
            _end(whole, owners, change)
    for part in parts.values():
        for ticker, line in part.lines.items():
            line.closes = whole.lines[ticker].closes
    return parts


def _changes(whole: Curve) -> Iterator[Effect | Movement]:
    """Give what changes positions without a trade, in its order: adjustments and resets."""
    found: list[tuple[int, int, Effect | Movement]] = [
        (each.adjustment.at, each.adjustment.sequence, each) for each in whole.effects
    ]
    found += [(each.at, each.sequence, each) for each in whole.resets]
    found.sort(key=lambda change: change[:2])
    return (change for *_, change in found)


def _adjust(owners: defaultdict[str, dict[int, _Part]], effect: Effect) -> None:
    # A copy: a spin-off or a new symbol adds owners.
    for code, part in list(owners[effect.line.ticker].items()):
        adjust_part(part.lines, part.positions, effect)
        if effect.target is not None and effect.target.ticker in part.lines:
            owners[effect.target.ticker][code] = part


def _end(whole: Curve, owners: defaultdict[str, dict[int, _Part]], reset: Movement) -> None:
    """End the positions of parts where a reset left the account without any.

    What one part bought and another sold is in no entry of a reset.
    """
    for ticker, of_ticker in owners.items():
        market = whole.lines[ticker]
        if market.held_at(reset.at + 1):
            continue
        known = market.known_at(reset.at)
        for part in of_ticker.values():
            line = part.lines[ticker]
            if line.quantity:
                a_share = known.price if known else 0
                end_part(line, part.positions[ticker], reset.at, reset.sequence, a_share)
