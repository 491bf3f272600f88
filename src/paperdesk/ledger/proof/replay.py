"""The arithmetic of the proof: what each entry makes of an account. Pure, and in whole numbers.

It shares no code with `booking`, which it judges. All amounts are whole numbers of the smallest
unit, as the database has them: money in millionths, quantities and prices in billionths. A quotient
is rounded once, half to even. What cannot have been booked raises `Wrong` with a sentence.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

_MONEY_PER_PRODUCT: Final = 10**12
"""quantity x price has 18 places, money has 6."""
_PRICE_PER_QUOTIENT: Final = 10**12
"""cost / quantity: 6 places less 9 leaves -3, and a price has 9."""


class Wrong(Exception):
    """An entry that cannot be true. The message is a sentence about it for a person."""


class Trade(NamedTuple):
    """What a trade says of itself."""

    ticker: str
    side: str
    quantity: int
    price: int
    value: int
    fee: int
    realized: int


class Adjustment(NamedTuple):
    """What a position adjustment says of itself: a ratio, and changes of shares, cost and cash."""

    kind: str
    ticker: str
    new_ticker: str | None
    numerator: int | None
    denominator: int | None
    quantity: int
    cost: int
    amount: int


class Holding(NamedTuple):
    """Shares and what they cost."""

    quantity: int
    cost: int


NOTHING: Final = Holding(0, 0)


@dataclass(slots=True)
class Account:
    """An account at one point of its journal. A closed holding is not in `holdings`.

    `opened` says of each holding when there was first something of it, in UTC text.
    """

    cash: int = 0
    realized: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict[str, Holding])
    opened: dict[str, str | None] = field(default_factory=dict[str, str | None])

    def copy(self) -> "Account":
        """Return an equal account that changes apart from this one."""
        return Account(self.cash, self.realized, dict(self.holdings), dict(self.opened))

    def trade(self, trade: Trade, at: str) -> None:
        """Book a trade of the instant `at`.

        Raises Wrong where its value, its shares or its result cannot be.
        """
        ticker, side, quantity, price, value, fee, realized = trade
        if quantity <= 0 or price <= 0:
            raise Wrong("The trade has no positive quantity and price.")
        product = quantity * price
        if value != rounded(product, _MONEY_PER_PRODUCT):
            raise Wrong(
                f"Its value is {money(value)}, but {number(quantity)} x {number(price)} is "
                f"{money(rounded(product, _MONEY_PER_PRODUCT))}."
            )
        held = self.holdings.get(ticker, NOTHING)
        if side == "buy":
            made = 0
            after = Holding(held.quantity + quantity, held.cost + value)
            self._pay(-value - fee)
        else:
            if quantity > held.quantity:
                raise Wrong(
                    f"It sells {number(quantity)} {ticker}, but {number(held.quantity)} were held."
                )
            cost = rounded(held.cost * quantity, held.quantity)
            made = value - cost
            after = Holding(held.quantity - quantity, held.cost - cost)
            self._pay(value - fee)
        if realized != made:
            raise Wrong(
                f"It says that {money(realized)} was realised, but replaying gives {money(made)}."
            )
        self.realized += made
        self._hold(ticker, after, at)

    def move(self, amount: int) -> None:
        """Book a cash movement. Raises Wrong where it would leave less than no cash."""
        self._pay(amount)

    def adjust(self, change: Adjustment, at: str) -> None:
        """Book a position adjustment of the instant `at`: the ratio, the changes, the new ticker.

        A spin-off's shares and cost go to the new ticker, and the cost leaves the old one; a symbol
        change moves the whole holding. Raises Wrong where that cannot be.
        """
        held = self.holdings.get(change.ticker, NOTHING)
        if change.numerator and change.denominator:
            quantity = rounded(held.quantity * change.numerator, change.denominator)
            held = Holding(quantity, held.cost)
        target = change.new_ticker
        if change.kind == "spin_off" and target:
            new = self.holdings.get(target, NOTHING)
            self._hold(target, Holding(new.quantity + change.quantity, new.cost + change.cost), at)
            held = Holding(held.quantity, held.cost - change.cost)
        else:
            held = Holding(held.quantity + change.quantity, held.cost + change.cost)
        if change.kind == "symbol_change" and target:
            self._hold(change.ticker, NOTHING, at)
            new = self.holdings.get(target, NOTHING)
            self._hold(target, Holding(new.quantity + held.quantity, new.cost + held.cost), at)
        else:
            self._hold(change.ticker, held, at)
        self._pay(change.amount)

    def _pay(self, amount: int) -> None:
        self.cash += amount
        if self.cash < 0:
            raise Wrong(f"It leaves {money(self.cash)} in cash.")

    def _hold(self, ticker: str, holding: Holding, at: str) -> None:
        if holding.quantity > 0:
            if ticker not in self.holdings:
                self.opened[ticker] = at
            self.holdings[ticker] = holding
        elif holding == NOTHING:
            self.holdings.pop(ticker, None)
            self.opened.pop(ticker, None)
        else:
            raise Wrong(
                f"It leaves {number(holding.quantity)} {ticker} at a cost of {money(holding.cost)}."
            )


class Point(NamedTuple):
    """An account at an entry of its journal: the entry's number and hash, and the books there."""

    sequence: int
    hash: str
    account: Account


def average_cost(holding: Holding) -> int:
    """Return the cost of one share as a price."""
    return rounded(holding.cost * _PRICE_PER_QUOTIENT, holding.quantity)


def average_price(products: int, quantity: int) -> int:
    """Return the mean price of fills: the sum of quantity x price, over the quantity."""
    return rounded(products, quantity)


def rounded(numerator: int, denominator: int) -> int:
    """Return a quotient as a whole number, half to even. The denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient & 1))


def money(units: int) -> str:
    """Return millionths of a dollar as people write them: $12.50, -$0.000001."""
    whole, places = divmod(abs(units), 10**6)
    cents = f"{places:06d}"
    return f"{'-' if units < 0 else ''}${whole:,}.{cents[:2]}{cents[2:].rstrip('0')}"


def number(units: int) -> str:
    """Return billionths, of shares or of a price, without trailing zeros."""
    whole, places = divmod(abs(units), 10**9)
    text = f"{whole}.{places:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if units < 0 else text
