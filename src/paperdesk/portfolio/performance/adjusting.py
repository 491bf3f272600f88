"""What position adjustments do to the lines of an account, and to those of a part of it. Pure.

A split scales quantity and price. A symbol change moves a holding at its price, a spin-off gives
the new line the cost that the entry names. A transfer or a reset moves value between the account
and the outside, at the price that is known then: a flow, and no gain. A dividend and a fee for
borrowing are cash that a line brings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from paperdesk.portfolio.performance.events import PER_MONEY, Adjustment
from paperdesk.portfolio.performance.lines import Line, rounded

EXTERNAL: Final = frozenset({"transfer", "reset"})
PAYING: Final = frozenset({"dividend", "fee"})
"""Kinds of cash movements that name a ticker: they change no position."""
_MOVING: Final = frozenset({"spin_off", "symbol_change"})


@dataclass(slots=True)
class Effect:
    """What an adjustment did to the account: quantities before and after, and the prices then.

    `moved` is the value that came from outside with it, in money.
    """

    adjustment: Adjustment
    line: Line
    place: int
    before: int
    after: int
    target: Line | None = None
    target_place: int = 0
    price: int = 0
    target_price: int = 0
    moved: int = 0


class Position:
    """A position of a part's own, at average cost: its quantity and what it cost, in money."""

    __slots__ = ("cost", "quantity")

    def __init__(self) -> None:
        self.quantity = 0
        self.cost = 0

    def realized(self, quantity: int, value: int) -> int:
        """Take a trade; return what it made. One that passes through zero closes, then opens."""
        held, paid = self.quantity, value if quantity > 0 else -value
        self.quantity = held + quantity
        if held * quantity >= 0:
            self.cost += paid
            return 0
        closed = min(abs(quantity), abs(held))
        cost = rounded(self.cost * closed, abs(held))
        share = rounded(paid * closed, abs(quantity))
        self.cost = paid - share if closed == abs(held) else self.cost - cost
        return -share - cost


def line_of(lines: dict[str, Line], ticker: str) -> Line:
    """Return the line of a ticker, a new one the first time."""
    line = lines.get(ticker)
    if line is None:
        line = lines[ticker] = Line(ticker)
    return line


def adjust(lines: dict[str, Line], change: Adjustment) -> Effect:
    """Change quantities as the books do (`ledger.proof.replay`); prices come with `price`."""
    line = line_of(lines, change.ticker)
    before = after = line.quantity
    if change.numerator and change.denominator:
        after = rounded(before * change.numerator, change.denominator)
    target = change.new_ticker if change.kind in _MOVING else None
    if change.kind != "spin_off" or not target:
        after += change.quantity
    left = 0 if change.kind == "symbol_change" and target else after
    place = line.change(change.at, change.sequence, left)
    effect = Effect(change, line, place, before, after)
    if target:
        other = line_of(lines, target)
        came = change.quantity if change.kind == "spin_off" else after
        effect.target = other
        effect.target_place = other.change(change.at, change.sequence, other.quantity + came)
    return effect


def price(effect: Effect) -> None:
    """Give an adjustment its prices, once the closing prices are known, and value what it moved."""
    change, line, place = effect.adjustment, effect.line, effect.place
    if change.kind in PAYING:
        line.pay(place, change.kind, change.amount)
        return
    known = line.known_before(place)
    # Shares that nobody ever priced are worth what they are said to have cost.
    a_share = change.price or (known.price if known else _a_share(change.cost, change.quantity))
    if change.numerator and change.denominator:
        a_share = rounded(a_share * change.denominator, change.numerator)
    effect.price = line.prices[place] = a_share
    gain = change.amount
    if change.kind in EXTERNAL:
        effect.moved = rounded((effect.after - effect.before) * a_share, PER_MONEY) + change.amount
        gain -= effect.moved
    elif effect.target is not None:
        given = _price_target(effect, effect.target)
        gain += given
    line.gains[place], line.put_in[place] = gain, -gain


def _price_target(effect: Effect, target: Line) -> int:
    change, place = effect.adjustment, effect.target_place
    if change.kind == "spin_off":
        given, a_share = change.cost, _a_share(change.cost, change.quantity)
    else:
        given, a_share = rounded(effect.after * effect.price, PER_MONEY), effect.price
    known = target.known_before(place)
    effect.target_price = target.prices[place] = known.price if known else a_share
    target.gains[place], target.put_in[place] = -given, given
    return given


def adjust_part(lines: dict[str, Line], positions: Mapping[str, Position], effect: Effect) -> None:
    """Give a part its share of an adjustment: as large as its share of the position.

    What comes in from outside belongs to no source and to no strategy.
    """
    change = effect.adjustment
    line, position = lines[change.ticker], positions[change.ticker]
    held = after = line.quantity
    if not held:
        return
    if change.kind in PAYING:
        share = _share(change.amount, held, effect.before)
        line.pay(line.change(change.at, change.sequence, held), change.kind, share)
        return
    gain = 0
    if change.numerator and change.denominator:
        after = rounded(held * change.numerator, change.denominator)
    if change.kind in EXTERNAL:
        if effect.before and abs(effect.after) < abs(effect.before):
            after = rounded(held * effect.after, effect.before)
        gain = -rounded((after - held) * effect.price, PER_MONEY)
        position.cost = rounded(position.cost * after, held)
    else:
        gain = _share(change.amount, held, effect.before)
    position.quantity = after
    if effect.target is not None:
        spun_off = change.kind == "spin_off"
        came = _share(change.quantity, held, effect.before) if spun_off else after
        cost = _share(change.cost, held, effect.before) if spun_off else position.cost
        given = cost if spun_off else rounded(after * effect.price, PER_MONEY)
        gain += given
        _move_part(lines, positions, effect, came, cost, given)
        if not spun_off:
            after = position.quantity = 0
    place = line.change(change.at, change.sequence, after)
    line.prices[place] = effect.price
    line.gains[place], line.put_in[place] = gain, -gain


def end_part(line: Line, position: Position, at: int, sequence: int, a_share: int) -> None:
    """Have what a part holds of a ticker leave it at a price."""
    value = rounded(line.quantity * a_share, PER_MONEY)
    place = line.change(at, sequence, 0)
    line.gains[place], line.put_in[place] = value, -value
    position.quantity = position.cost = 0


def _move_part(
    lines: dict[str, Line],
    positions: Mapping[str, Position],
    effect: Effect,
    quantity: int,
    cost: int,
    value: int,
) -> None:
    """Move shares, what they cost and what they are worth from a part's line to the new one."""
    change, name = effect.adjustment, effect.target.ticker if effect.target else ""
    positions[change.ticker].cost -= cost
    positions[name].quantity += quantity
    positions[name].cost += cost
    target = line_of(lines, name)
    place = target.change(change.at, change.sequence, target.quantity + quantity)
    target.prices[place] = effect.target_price
    target.gains[place], target.put_in[place] = -value, value


def _a_share(cost: int, quantity: int) -> int:
    """Return the price of a share from a cost in money; 0 where there is none."""
    return rounded(abs(cost) * PER_MONEY, abs(quantity)) if quantity else 0


def _share(amount: int, held: int, of: int) -> int:
    return rounded(amount * held, of) if of else 0
