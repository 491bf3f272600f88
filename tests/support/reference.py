"""The books as the design describes them, in exact fractions: what the real desk is held to.

Written from the design alone. It imports nothing of the product, keeps everything in memory, does
one thing at a time, and rounds only where the design rounds: half to even, each product or quotient
once, money to 6 places, prices and quantities to 9.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

CAP = 1_000_000_000
"""On cash, the value of one order, a price, and a quantity."""
LEAST_PRICE = Fraction(1, 10**9)
PATIENCE = timedelta(seconds=10)
"""How old a quote may be, for a source that is asked more often than every three seconds."""

ZERO = Fraction(0)


def rounded(amount: Fraction, places: int) -> Fraction:
    """Round half to even, as Python rounds a Fraction."""
    return Fraction(round(amount * 10**places), 10**places)


@dataclass(frozen=True)
class Ask:
    """A market order as somebody sends it."""

    account: str
    ticker: str
    side: str
    quantity: Decimal
    key: str | None = None
    strategy: str | None = None
    note: str | None = None

    @property
    def command(self) -> tuple[object, ...]:
        """What must be the same when a key is used again."""
        return (self.ticker, self.side, Fraction(self.quantity), self.strategy, self.note)


@dataclass(frozen=True)
class Entry:
    """A line of the journal: a trade, or a movement of cash (its amount is in `value`)."""

    sequence: int
    kind: str
    value: Fraction
    at: datetime
    ticker: str | None = None
    quantity: Fraction = ZERO
    price: Fraction = ZERO
    realized: Fraction = ZERO


@dataclass(frozen=True)
class Booking:
    """What the desk must answer: this entry."""

    entry: Entry
    replayed: bool


@dataclass(frozen=True)
class Refusal:
    """What the desk must answer: one of these codes, and nothing may have changed."""

    codes: frozenset[str]


Outcome = Booking | Refusal


@dataclass(frozen=True)
class Statement:
    """An account at one point of its journal; positions are (ticker, quantity, cost, average)."""

    sequence: int
    cash: Fraction
    realized: Fraction
    positions: tuple[tuple[str, Fraction, Fraction, Fraction], ...]


@dataclass
class Account:
    cash: Fraction = ZERO
    realized: Fraction = ZERO
    moved: Fraction = ZERO
    """The sum of the cash movements."""
    held: dict[str, tuple[Fraction, Fraction]] = field(
        default_factory=dict[str, tuple[Fraction, Fraction]]
    )
    """By ticker: shares, and what they cost."""
    journal: list[Entry] = field(default_factory=list[Entry])
    keys: dict[str, tuple[Ask, Entry]] = field(default_factory=dict[str, tuple[Ask, Entry]])
    statements: list[Statement] = field(default_factory=list[Statement])
    """After each entry: the one after entry n is at n - 1."""

    def enter(self, entry: Entry) -> None:
        self.journal.append(entry)
        positions = tuple(
            (ticker, quantity, cost, rounded(cost / quantity, 9))
            for ticker, (quantity, cost) in sorted(self.held.items())
        )
        self.statements.append(Statement(entry.sequence, self.cash, self.realized, positions))
        self.moved += entry.value if entry.ticker is None else ZERO
        invested = sum((cost for _, cost in self.held.values()), ZERO)
        assert self.cash + invested == self.moved + self.realized

    @property
    def statement(self) -> Statement:
        return self.statements[-1]


class ReferenceDesk:
    """Accounts, prices and a clock."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.accounts: dict[str, Account] = {}
        self.quotes: dict[str, tuple[Fraction, datetime]] = {}

    def open(self, account: str, balance: Decimal) -> None:
        """Open an account: the opening balance is its journal's first entry, a deposit."""
        opened = self.accounts[account] = Account(cash=Fraction(balance))
        opened.enter(Entry(1, "deposit", Fraction(balance), self.now))

    def price(self, ticker: str, price: Decimal) -> None:
        """Take a price, unless it is one that may never be used."""
        if price.is_finite() and LEAST_PRICE <= Fraction(price) <= CAP:
            self.quotes[ticker] = (rounded(Fraction(price), 9), self.now)

    def current_price(self, ticker: str) -> Fraction | None:
        """Return the price, unless it is stale by a clock that may go either way."""
        price, received = self.quotes.get(ticker, (None, self.now))
        return price if abs(self.now - received) <= PATIENCE else None

    def restart(self) -> None:
        """Forget what is not in the database."""
        self.quotes.clear()

    def execute(self, ask: Ask) -> Outcome:
        """Do what is asked, or say why it must be refused."""
        account = self.accounts.get(ask.account)
        if account and ask.key in account.keys:
            first, entry = account.keys[ask.key]
            if first.command != ask.command:
                return Refusal(frozenset({"IDEMPOTENCY_MISMATCH"}))
            return Booking(entry, replayed=True)
        price = self.current_price(ask.ticker)
        codes: set[str] = set()
        if account is None:
            codes.add("NOT_FOUND")
        if price is None:
            codes.add("PRICE_UNAVAILABLE")
        if account is None or price is None:
            return Refusal(frozenset(codes))
        return self._trade(account, ask, price)

    def _trade(self, account: Account, ask: Ask, price: Fraction) -> Outcome:
        quantity = Fraction(ask.quantity)
        value = rounded(quantity * price, 6)
        held, cost = account.held.get(ask.ticker, (ZERO, ZERO))
        codes: set[str] = set()
        if ask.side == "buy":
            left, paid, realized = held + quantity, value, ZERO
            if value > account.cash:
                codes.add("INSUFFICIENT_CASH")
        else:
            left = held - quantity
            if left < 0:
                return Refusal(frozenset({"INSUFFICIENT_SHARES"}))
            # In proportion; the last shares take with them all of the cost that is left.
            removed = rounded(cost * quantity / held, 6) if left else cost
            paid, realized = -removed, value - removed
        cash = account.cash - value if ask.side == "buy" else account.cash + value
        if max(value, cash, left, quantity) > CAP or (not value and left):
            codes.add("INVALID_REQUEST")
        if codes:
            return Refusal(frozenset(codes))
        account.cash = cash
        account.realized += realized
        account.held[ask.ticker] = (left, cost + paid)
        if not left:
            assert account.held.pop(ask.ticker) == (0, 0)
        entry = Entry(
            sequence=len(account.journal) + 1,
            kind=ask.side,
            value=value,
            at=self.now,
            ticker=ask.ticker,
            quantity=quantity,
            price=price,
            realized=realized,
        )
        account.enter(entry)
        if ask.key is not None:
            account.keys[ask.key] = (ask, entry)
        return Booking(entry, replayed=False)
