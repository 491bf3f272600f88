"""The commands that book corporate actions on an account, each one under its key."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final

from paperdesk.corporate import open_orders
from paperdesk.corporate.booking import (
    SOURCE,
    ZERO,
    Acted,
    Notice,
    adjustment,
    check_held,
    check_order,
    earlier_adjustment,
    earlier_dividend,
    enter,
    noted,
    what_is_held,
)
from paperdesk.errors import InsufficientCash, InvalidRequest
from paperdesk.ledger import adjusting, booking
from paperdesk.ledger.booking import EXACT, PRICE_PLACES
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.fills import SetAside, book_without_order, cash_there
from paperdesk.ledger.holdings import NOTHING, Holding
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.models import (
    CashMovementKind,
    PositionAdjustmentKind,
    Side,
    Trade,
)

LARGEST_RATIO: Final = 1_000_000
_PERCENT: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class _Action:
    """What is said of every action: to whom it is told, and of which ticker it is."""

    notice: Notice
    ticker: str

    @property
    def account_id(self) -> str:
        """The account that it is booked on."""
        return self.notice.account_id

    @property
    def key(self) -> str:
        """The key that makes it repeatable."""
        return self.notice.key


@dataclass(frozen=True, slots=True)
class Split(_Action):
    """`numerator` shares take the place of `denominator`; cost stays, and orders are adjusted.

    With `cash_in_lieu`, US dollars a share after the split, the fraction of a share that it leaves
    is sold at that: a trade of its own, which realises what it makes.
    """

    numerator: int
    denominator: int
    cash_in_lieu: Decimal | None = None

    def __call__(self, books: Books) -> Acted:
        """Book it. Raises IdempotencyMismatch, InvalidRequest, or what the sale is refused with."""
        self.notice.check()
        _check_ratio(self.numerator, self.denominator)
        if self.numerator == self.denominator:
            raise InvalidRequest("numerator, denominator: a split is not one for one.")
        ratio = (self.numerator, self.denominator)
        entry = adjustment(
            self.notice, PositionAdjustmentKind.stock_split, self.ticker, ratio=ratio
        )
        if (earlier := earlier_adjustment(books, self.notice, entry)) is not None:
            return Acted(earlier, replayed=True)
        account = books.account(self.account_id)
        held = account.holding(self.ticker)
        check_order(books, self.notice, self.ticker)
        if not held.quantity and not books.open_orders(self.account_id, self.ticker):
            return Acted(None)
        after = adjusting.split(held, *ratio) if held.quantity else NOTHING
        before = what_is_held(account, self.ticker)
        with account.whole():
            enter(books, self.notice, entry, {self.ticker: after} if held.quantity else {})
            # Orders, which are cut to whole shares then, are to close none of the fraction.
            fraction = after.quantity % 1
            sold = _in_lieu(account, self.notice, self.ticker, fraction, self.cash_in_lieu)
        whole = self.cash_in_lieu is not None
        changed, canceled = open_orders.split_orders(
            books, self.notice, self.ticker, ratio, entry.id, whole=whole
        )
        return noted(books, self.notice, Acted(entry, sold, changed, canceled), before)


@dataclass(frozen=True, slots=True)
class SymbolChange(_Action):
    """A ticker has a new name: the position and its orders go on under that."""

    new_ticker: str

    def __call__(self, books: Books) -> Acted:
        """Book it. Raises IdempotencyMismatch, InvalidRequest or InvalidState."""
        self.notice.check()
        _check_other(self.ticker, self.new_ticker)
        kind = PositionAdjustmentKind.symbol_change
        entry = adjustment(self.notice, kind, self.ticker, new_ticker=self.new_ticker)
        if (earlier := earlier_adjustment(books, self.notice, entry)) is not None:
            return Acted(earlier, replayed=True)
        account = books.account(self.account_id)
        held, since = account.holding(self.ticker), account.opened_at(self.ticker)
        for ticker in (self.ticker, self.new_ticker):
            check_order(books, self.notice, ticker)
        if not held.quantity and not books.open_orders(self.account_id, self.ticker):
            return Acted(None)
        there = account.holding(self.new_ticker)
        became = adjusting.merged(there, account.opened_at(self.new_ticker), held, since)
        _check_size(became)
        before = what_is_held(account, self.ticker, self.new_ticker)
        # The orders first: what they set aside goes with the shares.
        changed, canceled = open_orders.rename_orders(
            books, self.notice, self.ticker, self.new_ticker, entry.id
        )
        holdings = {self.ticker: NOTHING, self.new_ticker: became} if held.quantity else {}
        enter(books, self.notice, entry, holdings, since)
        return noted(books, self.notice, Acted(entry, (), changed, canceled), before)


@dataclass(frozen=True, slots=True)
class SpinOff(_Action):
    """For each `denominator` shares of a ticker `numerator` of a new one are given out.

    `cost_percent` of the cost goes with them; they are held as long as those that they came from.
    `cash_in_lieu` is as for a split.
    """

    new_ticker: str
    numerator: int
    denominator: int
    cost_percent: Decimal
    cash_in_lieu: Decimal | None = None

    def __call__(self, books: Books) -> Acted:
        """Book it. Raises IdempotencyMismatch, InvalidRequest or InvalidState."""
        self.notice.check()
        _check_other(self.ticker, self.new_ticker)
        _check_ratio(self.numerator, self.denominator)
        if not 0 <= self.cost_percent <= _PERCENT:
            raise InvalidRequest("cost_percent: must be at least 0 and at most 100.")
        account = books.account(self.account_id)
        held, since = account.holding(self.ticker), account.opened_at(self.ticker)
        shares = EXACT.divide(EXACT.multiply(held.quantity, self.numerator), self.denominator)
        quantity = shares.quantize(PRICE_PLACES, ROUND_DOWN, EXACT)
        cost = booking.part_of(held.cost_basis, self.cost_percent, _PERCENT)
        entry = adjustment(
            self.notice,
            PositionAdjustmentKind.spin_off,
            self.ticker,
            new_ticker=self.new_ticker,
            quantity=quantity,
            cost=cost,
        )
        if (earlier := earlier_adjustment(books, self.notice, entry)) is not None:
            return Acted(earlier, replayed=True)
        for ticker in (self.ticker, self.new_ticker):
            check_order(books, self.notice, ticker)
        if not quantity:
            return Acted(None)
        left, given = adjusting.spun_off(held, quantity, cost)
        there = account.holding(self.new_ticker)
        became = adjusting.merged(there, account.opened_at(self.new_ticker), given, since)
        _check_size(became)
        before = what_is_held(account, self.ticker, self.new_ticker)
        with account.whole():
            enter(books, self.notice, entry, {self.ticker: left, self.new_ticker: became}, since)
            fraction = quantity % 1
            sold = _in_lieu(account, self.notice, self.new_ticker, fraction, self.cash_in_lieu)
        return noted(books, self.notice, Acted(entry, sold), before)


@dataclass(frozen=True, slots=True)
class Dividend(_Action):
    """A dividend of so many US dollars a share, in cash or, with `reinvest_at`, in shares.

    It is for the shares that are held when it is booked, or `quantity`; who has sold them short
    owes it. Reinvested, all of it buys shares at the price `reinvest_at`, to 9 places.
    """

    per_share: Decimal
    quantity: Decimal | None = None
    reinvest_at: Decimal | None = None

    def __call__(self, books: Books) -> Acted:
        """Book it. Raises IdempotencyMismatch, InvalidRequest or InsufficientCash."""
        self.notice.check()
        if (earlier := earlier_dividend(books, self.notice, self.ticker)) is not None:
            return Acted(earlier, replayed=True)
        account = books.account(self.account_id)
        held = account.holding(self.ticker).quantity
        check_held(account, self.notice, self.ticker)
        shares = held if self.quantity is None else self.quantity
        amount = booking.value_of(shares, self.per_share)
        if not amount:
            return Acted(None)
        if account.cash - account.reserved_cash + amount < 0:
            raise InsufficientCash(
                f"{-shares.normalize():f} {self.ticker} are sold short and owe a dividend of "
                f"${-amount:,.2f}, and {cash_there(account)}. Deposit first."
            )
        if account.cash + amount > booking.LARGEST_AMOUNT:
            raise InvalidRequest("An account may hold at most $1,000,000,000 in cash.")
        notice = self.notice
        movement = cash_movement(
            CashMovementKind.dividend,
            amount,
            notice.now,
            key=notice.key,
            note=notice.note,
            effective_at=notice.effective_at,
            ticker=self.ticker,
        )
        before = what_is_held(account, self.ticker)
        with account.whole():
            account.enter(movement, notice.effective_at)
            bought = self._reinvested(account, amount)
        books.note_key(self.account_id, notice.key)
        return noted(books, self.notice, Acted(movement, bought), before)

    def _reinvested(self, account: AccountBook, amount: Decimal) -> list[Trade]:
        if self.reinvest_at is None or amount < 0:
            return []
        shares = booking.shares_for(amount, self.reinvest_at)
        # It brought the cash itself, whatever short positions need beside it.
        brought = SetAside(max(ZERO, amount - account.available_cash), ZERO)
        return _trade(account, self.notice, self.ticker, shares, self.reinvest_at, brought)


def _in_lieu(
    account: AccountBook, notice: Notice, ticker: str, fraction: Decimal, price: Decimal | None
) -> list[Trade]:
    """Sell the fraction of a share that an action left, or buy back that which is sold short.

    What orders set aside does not matter: they are cut so that they close none of it.
    """
    if price is None:
        return []
    reserved = abs(account.holding(ticker).quantity) - account.available_shares(ticker)
    return _trade(account, notice, ticker, -fraction, price, SetAside(ZERO, reserved))


def _trade(
    account: AccountBook,
    notice: Notice,
    ticker: str,
    shares: Decimal,
    price: Decimal,
    set_aside: SetAside,
) -> list[Trade]:
    """Buy shares, or with less than 0 sell them, as a part of an action; none are no trade.

    `set_aside` is what is there for it.
    """
    if not shares:
        return []
    trade = book_without_order(
        account,
        ticker,
        Side.buy if shares > 0 else Side.sell,
        quantity=abs(shares),
        price=price,
        now=notice.effective_at,
        source=SOURCE,
        set_aside=set_aside,
    )
    return [trade]


def _check_size(holding: Holding) -> None:
    if abs(holding.quantity) > booking.LARGEST_AMOUNT:
        raise InvalidRequest("A position may have at most 1,000,000,000 shares.")


def _check_ratio(numerator: int, denominator: int) -> None:
    for name, number in (("numerator", numerator), ("denominator", denominator)):
        if not 0 < number <= LARGEST_RATIO:
            raise InvalidRequest(f"{name}: must be a whole number from 1 to {LARGEST_RATIO:,}.")


def _check_other(ticker: str, new_ticker: str) -> None:
    if ticker == new_ticker:
        raise InvalidRequest("new_ticker: must be another one.")
