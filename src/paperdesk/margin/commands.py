"""The commands of margin: charging for borrowed shares, and buying back after a margin call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from paperdesk.audit.trail import Action, Line
from paperdesk.errors import InsufficientCash, Refused
from paperdesk.ledger.booking import EXACT, money, shares_for, value_of
from paperdesk.ledger.cash import OWN_PREFIX
from paperdesk.ledger.entries import cash_movement
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.lines import note_cash, plain
from paperdesk.margin.requirement import requirement_of, shares_worth
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    OrderType,
    Side,
    TimeInForce,
    Trade,
)
from paperdesk.orders import linked
from paperdesk.orders.commands.place_order import Placed, Sender, enter
from paperdesk.orders.terms import Terms
from paperdesk.orders.venue import Venue

SOURCE: Final = "margin_call"
_REASON: Final = "The account got a margin call."
_NO_CASH: Final = "Its cash went for borrowed shares."
_A_YEAR: Final = Decimal(360 * 100)
"""Days that a rate in percent a year is for: brokers count 360."""
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class ChargeBorrowing:
    """Take the fee of one day for the shares that are sold short as it ends, once a day and ticker.

    It is the rate of a day, `borrow_percent` / 360, of their value at the last known price, or of
    what they brought where there never was one, and never more than there is in cash. Open orders
    for whose cash it leaves too little are canceled.
    """

    account_id: str
    day: date
    ends_at: datetime
    venue: Venue
    key: None = None

    def __call__(self, books: Books) -> list[CashMovement]:
        """Charge, and return what was charged. Refuses nothing but an account that is not there."""
        account = books.account(self.account_id)
        charged: list[CashMovement] = []
        for ticker in account.tickers():
            key = f"{OWN_PREFIX}borrow:{self.day}:{ticker}"
            fee = self._fee(account, ticker)
            if not fee or books.is_entry_key(self.account_id, key):
                continue
            _free_cash(books, account, fee, self.venue.clock.now())
            movement = cash_movement(
                CashMovementKind.fee,
                -fee,
                self.venue.clock.now(),
                key=key,
                note=f"Borrowed {abs(account.holding(ticker).quantity).normalize():f} {ticker}.",
                effective_at=self.ends_at,
                ticker=ticker,
            )
            books.note_key(self.account_id, key)
            before = account.cash
            account.enter(movement, self.ends_at)
            note_cash(books, Action.borrowing_charged, movement, before)
            charged.append(movement)
        return charged

    def _fee(self, account: AccountBook, ticker: str) -> Decimal:
        held, since = account.holding(ticker), account.opened_at(ticker)
        if held.quantity >= 0 or since is None or since >= self.ends_at:
            return _ZERO
        price = self.venue.board.price_of(ticker)
        value = -held.cost_basis if price is None else value_of(-held.quantity, price)
        fee = money(EXACT.divide(EXACT.multiply(value, account.rules.borrow_percent), _A_YEAR))
        return min(fee, account.cash)


@dataclass(frozen=True, slots=True)
class CallMargin:
    """Buy back what an account sold short, where it is worth less than it must be.

    Its open orders are canceled. Then shares are bought back at the market, those of the largest
    value first, until a new short sale of the rest would be allowed, as far as its cash pays.
    """

    account_id: str
    venue: Venue
    key: None = None

    def __call__(self, books: Books) -> list[Trade]:
        """Do it, and return the trades. Refuses nothing but an account that is not there."""
        account = books.account(self.account_id)
        now = self.venue.clock.now()
        held = [(ticker, account.holding(ticker)) for ticker in account.tickers()]
        requirement = requirement_of(account.cash, held, account.rules, self.venue.board)
        if requirement is None or not requirement.is_missed:
            return []
        to_buy = self._to_buy(account, now)
        if not to_buy:
            return []
        books.note(
            Line(
                Action.margin_called,
                "What was sold short is bought back, as it is worth less than is required.",
                self.account_id,
                self.account_id,
                {"equity": plain(requirement.equity), "required": plain(requirement.required)},
            )
        )
        linked.cancel(books, books.open_orders(self.account_id), now, _REASON)
        to_cover = requirement.to_cover(account.rules)
        note = (
            f"Margin call: worth ${requirement.equity:,.2f}, of ${requirement.required:,.2f} that "
            "are required."
        )
        trades: list[Trade] = []
        for value, ticker, price in to_buy:
            if to_cover <= 0:
                break
            shares = -account.holding(ticker).quantity
            if to_cover < value:
                shares = min(shares, shares_worth(to_cover, price))
            trades += self._buy_back(books, ticker, shares, price, note)
            to_cover -= value
        return trades

    def _to_buy(self, account: AccountBook, now: datetime) -> list[tuple[Decimal, str, Decimal]]:
        """Return value, ticker and price of what can be bought back now, the largest first."""
        if not self.venue.trades(now, TimeInForce.day, extended=False):
            return []
        found: list[tuple[Decimal, str, Decimal]] = []
        for ticker in account.tickers():
            short, quote = -account.holding(ticker).quantity, self.venue.board.fresh(ticker)
            # Of nothing that was traded nothing can be bought.
            if short > 0 and quote is not None and account.rules.share_of(quote.volume) != 0:
                found.append((value_of(short, quote.price), ticker, quote.price))
        return sorted(found, reverse=True)

    def _buy_back(
        self, books: Books, ticker: str, shares: Decimal, price: Decimal, note: str
    ) -> Sequence[Trade]:
        """Buy shares back, or as many as there is cash for."""
        account = books.account(self.account_id)
        at = account.rules.market_price("buy", price)
        try:
            return self._place(books, ticker, shares, note).trades
        except InsufficientCash:
            commission = account.rules.commission(shares, value_of(shares, at))
            affordable = shares_for(max(_ZERO, account.cash - commission), at)
        except Refused:
            return ()
        if not affordable:
            return ()
        try:
            return self._place(books, ticker, min(shares, affordable), note).trades
        except Refused:
            return ()

    def _place(self, books: Books, ticker: str, shares: Decimal, note: str) -> Placed:
        sender = Sender(self.account_id, SOURCE, note=note)
        terms = Terms(ticker, Side.buy, OrderType.market, TimeInForce.ioc, quantity=shares)
        return enter(books, sender, terms, self.venue)


def _free_cash(books: Books, account: AccountBook, amount: Decimal, now: datetime) -> None:
    """Cancel open orders, the last placed first, until what they set aside leaves an amount."""
    if account.cash - account.reserved_cash >= amount:
        return
    for order in reversed(books.open_orders(account.id)):
        if account.cash - account.reserved_cash >= amount:
            return
        if order.reserved_cash:
            linked.cancel(books, [order], now, _NO_CASH)
