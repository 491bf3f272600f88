"""The arithmetic of the proof: what each entry makes of an account. Pure, and in whole numbers.

It shares no code with `booking` and `holdings`, which it judges. All amounts are whole numbers of
the smallest unit, as the database has them: money in millionths, quantities and prices in
billionths. A quotient is rounded once, half to even. What cannot have been booked raises `Wrong`
with a sentence.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from paperdesk.ledger.proof import lots
from paperdesk.ledger.proof.amounts import MONEY_PER_PRODUCT, Wrong, money, number, rounded
from paperdesk.ledger.proof.lots import NOTHING, Holding, Lot


class Trade(NamedTuple):
    """What a trade says of itself."""

    ticker: str
    side: str
    quantity: int
    price: int
    value: int
    fee: int
    realized: int
    method: str | None = None
    opened_at: str | None = None
    closed: str | None = None


class Adjustment(NamedTuple):
    """What a position adjustment says of itself: a ratio, and changes of shares, cost and cash.

    `opened_at` is since when the shares of a transfer have been held, in UTC text; `price` what
    one was worth then, which changes nothing here.
    """

    kind: str
    ticker: str
    new_ticker: str | None
    numerator: int | None
    denominator: int | None
    quantity: int
    cost: int
    amount: int
    opened_at: str | None = None
    price: int | None = None


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

    def trade(self, trade: Trade, at: str, sequence: int) -> None:
        """Book a trade of the instant `at`, the entry `sequence`.

        Raises Wrong where its value, its shares or its result cannot be.
        """
        ticker, side, quantity, price, value, fee, realized, *_ = trade
        if quantity <= 0 or price <= 0:
            raise Wrong("The trade has no positive quantity and price.")
        product = quantity * price
        if value != rounded(product, MONEY_PER_PRODUCT):
            raise Wrong(
                f"Its value is {money(value)}, but {number(quantity)} x {number(price)} is "
                f"{money(rounded(product, MONEY_PER_PRODUCT))}."
            )
        held = self.holdings.get(ticker, NOTHING)
        way = 1 if side == "buy" else -1
        if held.quantity * way >= 0:
            made, since, closed = 0, None, None
            lot = Lot(sequence, at, way * quantity, way * value)
            in_lots = trade.method is not None
            after = lots.opened(held, self.opened.get(ticker), lot, in_lots=in_lots)
        else:
            if quantity > abs(held.quantity):
                there = number(held.quantity)
                raise Wrong(f"It {side}s {number(quantity)} {ticker}, but {there} were held.")
            since = self.opened[ticker] or ""
            closing = lots.closed(held, since, quantity, trade.method, trade.closed)
            made, since, closed = -way * value - closing.cost, closing.opened_at, closing.closed
            after = closing.left
        self._pay(-way * value - fee)
        if realized != made:
            raise Wrong(
                f"It says that {money(realized)} was realised, but replaying gives {money(made)}."
            )
        if trade.closed != closed:
            raise Wrong(f"It says that it closed the lots {trade.closed}, but it closes {closed}.")
        if trade.opened_at != since and (trade.opened_at or trade.method):
            # Trades at average cost did not say it at first.
            raise Wrong(f"It says that what it closed was held since {trade.opened_at}: {since}.")
        self.realized += made
        self._hold(ticker, after, at)

    def move(self, kind: str, amount: int) -> None:
        """Book a cash movement. Raises Wrong where it would leave less than no cash.

        An adjustment takes all that a reset account has left, and starts what was realised from 0.
        """
        self._pay(amount)
        if kind == "adjustment":
            if self.cash or self.holdings:
                raise Wrong(f"It resets the account, but leaves {money(self.cash)} and positions.")
            self.realized = 0

    def adjust(self, change: Adjustment, at: str, sequence: int) -> None:
        """Book a position adjustment of the instant `at`, the entry `sequence`.

        First the ratio, then the changes, then the new ticker: a spin-off's shares and cost go to
        it, and the cost leaves the old one; a symbol change moves the whole holding. A transfer
        brings a lot of its own. Raises Wrong where that cannot be.
        """
        held = self.holdings.get(change.ticker, NOTHING)
        since = self.opened.get(change.ticker)
        target = change.new_ticker
        given = NOTHING
        if change.numerator and change.denominator:
            held = lots.split(held, change.numerator, change.denominator)
        if change.kind == "spin_off" and target:
            held, given = lots.spun_off(held, change.quantity, change.cost)
        elif change.opened_at:
            lot = Lot(sequence, change.opened_at, change.quantity, change.cost)
            held = lots.opened(held, since, lot, in_lots=True)
        elif change.quantity or change.cost:
            quantity, cost = held.quantity + change.quantity, held.cost + change.cost
            held = Holding(quantity, cost, held.lots if quantity else None)
        if change.kind == "symbol_change" and target:
            held, given = NOTHING, held
        self._hold(change.ticker, held, at)
        if change.opened_at and held.quantity:
            self.opened[change.ticker] = min(since or at, change.opened_at)
        if target and given != NOTHING:
            there = self.holdings.get(target, NOTHING)
            became = lots.merged(there, self.opened.get(target), given, since)
            was = self.opened.get(target)
            self._hold(target, became, at)
            # Shares are held as long as those that they came from.
            self.opened[target] = min((each for each in (was, since) if each), default=at)
        self._pay(change.amount)

    def _pay(self, amount: int) -> None:
        self.cash += amount
        if self.cash < 0:
            raise Wrong(f"It leaves {money(self.cash)} in cash.")

    def _hold(self, ticker: str, holding: Holding, at: str) -> None:
        if holding.quantity:
            if ticker not in self.holdings:
                self.opened[ticker] = at
            self.holdings[ticker] = holding
        elif not holding.cost:
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
