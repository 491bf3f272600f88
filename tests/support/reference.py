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
CAP_OF_SUMS = 1_000_000_000_000
"""On the cost of a position, and on what an account realised either way."""
LEAST_PRICE = Fraction(1, 10**9)
PATIENCE = timedelta(seconds=10)
"""How old a quote may be, for a source that is asked more often than every three seconds."""
OPENING = "opening"
"""The key of an account's first entry."""

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
    def content(self) -> tuple[object, ...]:
        """What must be the same when a key is used again."""
        return (self.ticker, self.side, Fraction(self.quantity), self.strategy, self.note)


@dataclass(frozen=True)
class Move:
    """A deposit or a withdrawal as somebody sends it."""

    account: str
    kind: str
    amount: Decimal
    key: str | None = None
    note: str | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What must be the same when a key is used again."""
        return (self.kind, Fraction(self.amount), self.note)


Command = Ask | Move


@dataclass(frozen=True)
class Entry:
    """A line of the journal: a trade, or a movement of cash, whose amount is its value."""

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
    replayed: bool = False


@dataclass(frozen=True)
class Refusal:
    """What the desk must answer: one of these codes, and nothing may have changed."""

    codes: frozenset[str]


Outcome = Booking | Refusal


def refused(*codes: str) -> Refusal:
    """Refuse with any of these codes."""
    return Refusal(frozenset(codes))


@dataclass(frozen=True)
class Statement:
    """An account at one point of its journal; positions are (ticker, quantity, cost, average)."""

    sequence: int
    cash: Fraction
    realized: Fraction
    positions: tuple[tuple[str, Fraction, Fraction, Fraction], ...]


Lot = tuple[int, Fraction, Fraction]
"""The number of the entry that opened it, its shares, and what they cost; of a short both < 0."""


def pooled(lots: list[Lot]) -> Lot:
    """Return lots as the one that average cost knows."""
    return (0, sum((q for _, q, _ in lots), ZERO), sum((c for _, _, c in lots), ZERO))


@dataclass
class Account:
    cash: Fraction = ZERO
    realized: Fraction = ZERO
    moved: Fraction = ZERO
    """The sum of the cash movements."""
    method: str = "average"
    held: dict[str, list[Lot]] = field(default_factory=dict[str, list[Lot]])
    """By ticker, the oldest first; at average cost there is one, of number 0."""
    journal: list[Entry] = field(default_factory=list[Entry])
    statements: list[Statement] = field(default_factory=list[Statement])
    """After each entry: the one after entry n is at n - 1."""
    keys: dict[str, tuple[Command, Entry]] = field(default_factory=dict[str, tuple[Command, Entry]])
    """What was booked under them, an order or a movement."""

    @property
    def statement(self) -> Statement:
        return self.statements[-1]

    @property
    def next(self) -> int:
        return len(self.journal) + 1

    def shares(self, ticker: str) -> Fraction:
        """Return the shares that are held; less than nothing of what was sold short."""
        return sum((shares for _, shares, _ in self.held.get(ticker, [])), ZERO)

    def cost(self, ticker: str) -> Fraction:
        return sum((cost for _, _, cost in self.held.get(ticker, [])), ZERO)

    def removed_cost(self, ticker: str, quantity: Fraction) -> Fraction:
        """Return the cost that closing so many shares takes away."""
        return self.closing(ticker, quantity)[0]

    def closing(self, ticker: str, quantity: Fraction) -> tuple[Fraction, list[Lot]]:
        """Return the cost that closing so many shares takes away, and the lots that it leaves.

        Of a lot in proportion to its shares; all of it with the last of them.
        """
        lots = list(self.held[ticker])
        match self.method:
            case "average":
                lots = [pooled(lots)]
                order = list(lots)
            case "lifo":
                order = lots[::-1]
            case "hifo":
                # What gains least: of shares sold short that is what brought least.
                order = sorted(lots, key=lambda lot: -lot[2] / abs(lot[1]))
            case _:
                order = list(lots)
        gone = ZERO
        for lot in order:
            number, shares, cost = lot
            part = min(quantity, abs(shares))
            taken = cost if part == abs(shares) else rounded(cost * part / abs(shares), 6)
            left = shares + part if shares < 0 else shares - part
            place = lots.index(lot)
            lots[place : place + 1] = [(number, left, cost - taken)] if left else []
            gone, quantity = gone + taken, quantity - part
            if not quantity:
                break
        return gone, lots

    def after_split(self, entry: Entry) -> list[Lot]:
        """Return lots of which `quantity` shares took the place of `price`, rounded at their ends.

        The cost of one that is left without shares goes to the next, or to the last that has some.
        """
        lots: list[Lot] = []
        so_far = reached = carried = ZERO
        for number, shares, cost in self.held[entry.ticker or ""]:
            so_far += shares
            end = rounded(so_far * entry.quantity / entry.price, 9)
            if end != reached:
                lots.append((number, end - reached, cost + carried))
                carried = ZERO
            else:
                carried += cost
            reached = end
        if carried and lots:
            number, shares, cost = lots[-1]
            lots[-1] = (number, shares, cost + carried)
        return lots

    def enter(self, entry: Entry) -> None:
        """Add a line to the journal, and do what it says."""
        if entry.kind == "split":
            assert entry.ticker is not None
            if entry.ticker in self.held:
                self.held[entry.ticker] = self.after_split(entry)
        elif entry.kind == "reset":
            assert entry.ticker is not None
            self.moved -= self.cost(entry.ticker)
            del self.held[entry.ticker]
        elif entry.ticker is None:
            self.cash += entry.value
            self.moved += entry.value
            if entry.kind == "adjustment":
                # A new chapter: what was made is what it begins with.
                self.moved += self.realized
                self.realized = ZERO
        else:
            way = 1 if entry.kind == "buy" else -1
            self.cash -= way * entry.value
            self.realized += entry.realized
            if way * self.shares(entry.ticker) < 0:
                _, left = self.closing(entry.ticker, entry.quantity)
            else:
                lot = (entry.sequence, way * entry.quantity, way * entry.value)
                left = [*self.held.get(entry.ticker, []), lot]
                if self.method == "average":
                    left = [pooled(left)]
            self.held.pop(entry.ticker, None)
            if left:
                self.held[entry.ticker] = left
        self.journal.append(entry)
        positions = tuple(
            (
                ticker,
                self.shares(ticker),
                self.cost(ticker),
                rounded(self.cost(ticker) / self.shares(ticker), 9),
            )
            for ticker in sorted(self.held)
        )
        self.statements.append(Statement(entry.sequence, self.cash, self.realized, positions))
        invested = sum((self.cost(ticker) for ticker in self.held), ZERO)
        assert self.cash + invested == self.moved + self.realized


class ReferenceDesk:
    """Accounts, prices and a clock."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.accounts: dict[str, Account] = {}
        self.quotes: dict[str, tuple[Fraction, datetime]] = {}

    def open(self, account: str, balance: Decimal) -> None:
        """Open an account: the opening balance is its journal's first entry, a deposit."""
        opened = self.accounts[account] = Account()
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

    def execute(self, command: Command) -> Outcome:
        """Do what is asked, or say why it must be refused."""
        outcome = self.decide(command)
        if isinstance(outcome, Booking) and not outcome.replayed:
            account = self.accounts[command.account]
            account.enter(outcome.entry)
            if command.key is not None:
                account.keys[command.key] = (command, outcome.entry)
        return outcome

    def decide(self, command: Command) -> Outcome:
        """Say what must come of a command, and change nothing."""
        outcome = self._decide(command)
        if isinstance(outcome, Refusal) and isinstance(command, Ask) and command.quantity > CAP:
            # Whatever else is wrong with it, at some doors this alone is looked at.
            return Refusal(outcome.codes | {"INVALID_REQUEST"})
        return outcome

    def _decide(self, command: Command) -> Outcome:
        account = self.accounts.get(command.account)
        if account and command.key and command.key in account.keys:
            first, entry = account.keys[command.key]
            if type(first) is type(command) and first.content == command.content:
                return Booking(entry, replayed=True)
            # One that could never be booked may be refused for that.
            return refused("IDEMPOTENCY_MISMATCH", *self._faults(command))
        faults = self._faults(command)
        if account is None:
            faults.add("NOT_FOUND")
        if isinstance(command, Ask) and self.current_price(command.ticker) is None:
            faults.add("PRICE_UNAVAILABLE")
        if account is None or faults:
            return refused(*faults)
        if isinstance(command, Move):
            return self._move(account, command)
        return self._trade(account, command)

    def _faults(self, command: Command) -> set[str]:
        if isinstance(command, Ask):
            return set()
        amount = Fraction(command.amount)
        usable = 0 < amount <= CAP and amount == rounded(amount, 6) and command.key != OPENING
        return set() if usable else {"INVALID_REQUEST"}

    def _move(self, account: Account, move: Move) -> Outcome:
        value = Fraction(move.amount) * (1 if move.kind == "deposit" else -1)
        if account.cash + value < 0:
            return refused("INSUFFICIENT_CASH")
        if account.cash + value > CAP:
            return refused("INVALID_REQUEST")
        return Booking(Entry(account.next, move.kind, value, self.now))

    def _trade(self, account: Account, ask: Ask) -> Outcome:
        price = self.current_price(ask.ticker)
        assert price is not None
        quantity = Fraction(ask.quantity)
        value = rounded(quantity * price, 6)
        codes: set[str] = set()
        if ask.side == "buy":
            left, cash, realized = account.shares(ask.ticker) + quantity, account.cash - value, ZERO
            if cash < 0:
                codes.add("INSUFFICIENT_CASH")
        else:
            left, cash = account.shares(ask.ticker) - quantity, account.cash + value
            if left < 0:
                return refused("INSUFFICIENT_SHARES")
            realized = value - account.removed_cost(ask.ticker, quantity)
        built_up = account.cost(ask.ticker) + value if ask.side == "buy" else ZERO
        # What is worth nothing may not be traded, except to close a position.
        if (
            max(value, cash, left) > CAP
            or max(built_up, abs(account.realized + realized)) > CAP_OF_SUMS
            or (not value and left)
        ):
            codes.add("INVALID_REQUEST")
        if codes:
            return Refusal(frozenset(codes))
        return Booking(
            Entry(
                sequence=account.next,
                kind=ask.side,
                value=value,
                at=self.now,
                ticker=ask.ticker,
                quantity=quantity,
                price=price,
                realized=realized,
            )
        )
