"""The book of one account while a batch is booked: what it holds, and what is entered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from paperdesk.ids import new_id
from paperdesk.ledger import booking, journal
from paperdesk.ledger.rules import Rules
from paperdesk.ledger.views import AccountView, Head, HeldPosition
from paperdesk.models import Side, Trade

_ZERO = Decimal(0)


class BooksDisagree(Exception):
    """The entries of a batch do not explain its balances: it must not be committed."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a batch made of an account, and which of its positions are to be written, and when."""

    before: AccountView
    view: AccountView
    opened: list[tuple[HeldPosition, datetime]]
    updated: list[tuple[HeldPosition, datetime]]
    closed: list[HeldPosition]


@dataclass(frozen=True, slots=True)
class _Change:
    holding: booking.Holding
    opened_at: datetime
    updated_at: datetime


class AccountBook:
    """An account's cash and holdings, changed by entries of its journal and by nothing else.

    Beside them what its open orders set aside. US dollars with 6 places, shares with 9. Nothing is
    written before the batch is settled: one UPDATE a position then, however often it was traded.
    `entries` takes what is to be inserted.
    """

    def __init__(
        self, before: AccountView, entries: list[journal.Entry | journal.PlainTrade]
    ) -> None:
        self.before = before
        self.cash = before.cash_balance
        self._entries = entries
        self.realized_pnl = before.realized_pnl
        self._sequence = before.sequence
        self._hash = before.head.hash
        self._from_outside = _ZERO
        self._held = {position.ticker: position for position in before.positions}
        self._changes: dict[str, _Change] = {}
        self.rules = before.rules
        """How its orders are filled."""
        self._reserved_cash = before.reserved_cash
        self._reserved: dict[str, Decimal] = {}
        self._has_other_orders = False

    @property
    def id(self) -> str:
        """The account's id."""
        return self.before.id

    def govern(self, rules: Rules) -> None:
        """Have its orders filled by other rules from now on."""
        self.rules = rules
        self._has_other_orders = True

    @property
    def is_changed(self) -> bool:
        """Say whether anything was entered, or became of its open orders."""
        return self._has_other_orders or self._sequence != self.before.sequence

    @property
    def available_cash(self) -> Decimal:
        """The cash that no open order is about to spend."""
        return self.cash - self._reserved_cash

    def available_shares(self, ticker: str) -> Decimal:
        """Return the shares of a ticker that no open order is about to sell."""
        return self.holding(ticker).quantity - self._reserved_shares(ticker)

    def reserve(self, ticker: str, cash: Decimal, shares: Decimal) -> None:
        """Set cash or shares of a ticker aside for an open order, or with less than 0 free them."""
        self._has_other_orders = True
        self._reserved_cash += cash
        if shares:
            self._reserved[ticker] = self._reserved_shares(ticker) + shares

    def _reserved_shares(self, ticker: str) -> Decimal:
        reserved = self._reserved.get(ticker)
        if reserved is not None:
            return reserved
        before = self._held.get(ticker)
        return before.reserved if before else _ZERO

    def holding(self, ticker: str) -> booking.Holding:
        """Return what is held of a ticker."""
        held = self._changes.get(ticker)
        if held is not None:
            return held.holding
        before = self._held.get(ticker)
        return booking.Holding(before.quantity, before.cost_basis) if before else booking.NOTHING

    def enter(
        self,
        entry: journal.Entry,
        at: datetime,
        holdings: Mapping[str, booking.Holding] | None = None,
    ) -> None:
        """Put an entry into the journal, and change cash and realised P&L by what it says.

        `holdings` is what is held afterwards of each ticker that it concerns.
        """
        entry.user_id = self.id
        entry.sequence = self._sequence = self._sequence + 1
        entry.hash = self._hash = journal.chained_hash(self._hash, entry)
        self._entries.append(entry)
        if isinstance(entry, Trade):
            proceeds = entry.value if entry.side is Side.sell else -entry.value
            self.cash += proceeds - entry.fee
            self.realized_pnl += entry.realized_pnl
            self._from_outside -= entry.fee
        else:
            self.cash += entry.amount
            self._from_outside += entry.amount
        for ticker, holding in (holdings or {}).items():
            self._hold(ticker, holding, at)

    def enter_plain(
        self,
        fields: tuple[Any, ...],
        at: datetime,
        *,
        cash: Decimal,
        fee: Decimal,
        realized_pnl: Decimal,
        holding: booking.Holding,
    ) -> None:
        """Enter a trade that is given as the database has it: the same as `enter`, for bulk.

        `fields` are the hashed ones up to the sequence, in whole units and text. `cash` is what it
        brings after its fee, `holding` what is held of its ticker afterwards.
        """
        self._sequence += 1
        trade = journal.plain_trade(self._hash, (*fields, self._sequence))
        self._hash = trade.hash
        self._entries.append(trade)
        self.cash += cash
        self.realized_pnl += realized_pnl
        self._from_outside -= fee
        self._hold(trade.ticker, holding, at)

    def settle(self) -> Settlement:
        """Return what the entries made of the account. Raises BooksDisagree if they do not add up.

        Cash and cost together change by what came from outside and by what was realised.
        """
        held = dict(self._held)
        opened: list[tuple[HeldPosition, datetime]] = []
        updated: list[tuple[HeldPosition, datetime]] = []
        closed: list[HeldPosition] = []
        cost = _ZERO
        for ticker, change in self._changes.items():
            before, holding = self._held.get(ticker), change.holding
            cost += holding.cost_basis - (before.cost_basis if before else _ZERO)
            if holding.quantity:
                held[ticker] = HeldPosition(
                    id=before.id if before else new_id(),
                    ticker=ticker,
                    quantity=holding.quantity,
                    cost_basis=holding.cost_basis,
                    avg_cost=booking.average_cost(holding),
                    opened_at=change.opened_at,
                    reserved=self._reserved_shares(ticker),
                )
                (updated if before else opened).append((held[ticker], change.updated_at))
            elif before:
                closed.append(held.pop(ticker))
        cash = self.cash - self.before.cash_balance
        realized = self.realized_pnl - self.before.realized_pnl
        if cash + cost != self._from_outside + realized:
            raise BooksDisagree(f"account {self.id}, up to entry {self._sequence}")
        for ticker, reserved in self._reserved.items():
            if ticker in held and held[ticker].reserved != reserved:
                held[ticker] = replace(held[ticker], reserved=reserved)
        version = self.before.head.version + self._has_other_orders
        head = Head(self.id, self._sequence, self._hash, self.cash, self.realized_pnl, version)
        positions = tuple(held[ticker] for ticker in sorted(held))
        view = AccountView(head, positions, self._reserved_cash, self.rules)
        return Settlement(self.before, view, opened, updated, closed)

    def _hold(self, ticker: str, holding: booking.Holding, at: datetime) -> None:
        """Note what is held of a ticker, from `at` on, and since when it has been."""
        opened_at = at
        if change := self._changes.get(ticker):
            if change.holding.quantity:
                opened_at = change.opened_at
        elif held := self._held.get(ticker):
            opened_at = held.opened_at
        self._changes[ticker] = _Change(holding, opened_at, at)
