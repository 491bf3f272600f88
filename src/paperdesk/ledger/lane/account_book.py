"""The book of one account while a batch is booked: what it holds, and what is entered."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from paperdesk.ids import new_id
from paperdesk.ledger import journal
from paperdesk.ledger.holdings import NOTHING, Holding, Lot, average_cost, closes
from paperdesk.ledger.rules import Rules
from paperdesk.ledger.views import AccountView, Head, HeldPosition
from paperdesk.models import CashMovement, CashMovementKind, PositionAdjustment, Side, Trade

_ZERO = Decimal(0)
_ENTERED: Final = (
    "cash",
    "realized_pnl",
    "_sequence",
    "_hash",
    "_from_outside",
    "_sold_short",
)
"""What an entry changes, beside the holdings."""


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
    lots: list[tuple[str, dict[int, Lot], dict[int, Lot]]]
    """By ticker, where it changed: its lots before and after, by number."""


class _Change(NamedTuple):
    holding: Holding
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
        self.reserved_cash = before.reserved_cash
        """What open orders set aside, in US dollars."""
        self._sold_short = before.sold_short
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
        """The cash that neither an open order nor a short position needs."""
        if not self._sold_short:
            return self.cash - self.reserved_cash
        return self.cash - self.reserved_cash - self.short_collateral

    @property
    def short_collateral(self) -> Decimal:
        """The cash that short positions hold: what their sale brought, and a margin of it."""
        return self._sold_short + self.rules.margin(self._sold_short)

    @property
    def next_sequence(self) -> int:
        """The number that the next entry will have."""
        return self._sequence + 1

    def available_shares(self, ticker: str) -> Decimal:
        """Return the shares of a ticker, held or sold short, that no open order is to close."""
        return abs(self.holding(ticker).quantity) - self._reserved_shares(ticker)

    def closable(self, ticker: str, side: Side, own: Decimal = _ZERO) -> Decimal:
        """Return how many shares an order of a side may close, which sets `own` of them aside."""
        if not closes(self.holding(ticker).quantity, side):
            return _ZERO
        # While one exit of a group is filled, the other still has what the first one took.
        return max(_ZERO, self.available_shares(ticker) + own)

    @contextmanager
    def whole(self) -> Generator[None]:
        """Take back what is entered within, where that raises: all of it is booked, or nothing."""
        before = {name: getattr(self, name) for name in _ENTERED}
        changes, count = dict(self._changes), len(self._entries)
        try:
            yield
        except BaseException:
            for name, value in before.items():
                setattr(self, name, value)
            self._changes = changes
            del self._entries[count:]
            raise

    def reserve(self, ticker: str, cash: Decimal, shares: Decimal) -> None:
        """Set cash or shares of a ticker aside for an open order, or with less than 0 free them."""
        self._has_other_orders = True
        self.reserved_cash += cash
        if shares:
            self._reserved[ticker] = self._reserved_shares(ticker) + shares

    def _reserved_shares(self, ticker: str) -> Decimal:
        reserved = self._reserved.get(ticker)
        if reserved is not None:
            return reserved
        before = self._held.get(ticker)
        return before.reserved if before else _ZERO

    def tickers(self) -> list[str]:
        """Return what is held or sold short, in the order of the alphabet."""
        known = self._held.keys() | self._changes.keys()
        return sorted(ticker for ticker in known if self.holding(ticker).quantity)

    def holding(self, ticker: str) -> Holding:
        """Return what is held of a ticker."""
        held = self._changes.get(ticker)
        if held is not None:
            return held.holding
        before = self._held.get(ticker)
        return before.holding if before else NOTHING

    def opened_at(self, ticker: str) -> datetime | None:
        """Return since when a ticker is held; None where it is not."""
        if change := self._changes.get(ticker):
            return change.opened_at if change.holding.quantity else None
        before = self._held.get(ticker)
        return before.opened_at if before else None

    def enter(
        self,
        entry: journal.Entry,
        at: datetime,
        holdings: Mapping[str, Holding] | None = None,
        since: datetime | None = None,
    ) -> None:
        """Put an entry into the journal, and change cash and realised P&L by what it says.

        `holdings` is what is held afterwards of each ticker that it concerns; `since` when it was
        opened, where that was before `at`.
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
            if isinstance(entry, PositionAdjustment) and entry.new_ticker is None:
                # With a new ticker cost moves within the account.
                self._from_outside += entry.cost_basis
            if isinstance(entry, CashMovement) and entry.kind is CashMovementKind.adjustment:
                # A new chapter: what was realised before it is part of what it began with.
                self._from_outside += self.realized_pnl
                self.realized_pnl = _ZERO
        for ticker, holding in (holdings or {}).items():
            self._hold(ticker, holding, at, since)

    def enter_plain(
        self,
        fields: tuple[Any, ...],
        at: datetime,
        *,
        cash: Decimal,
        fee: Decimal,
        realized_pnl: Decimal,
        holding: Holding,
        lots: tuple[Any, ...],
    ) -> None:
        """Enter a trade that is given as the database has it: the same as `enter`, for bulk.

        `fields` are the hashed ones up to the sequence, in whole units and text, `lots` those that
        say what it closed. `cash` is what it brings after its fee, `holding` what is held of its
        ticker afterwards.
        """
        self._sequence += 1
        trade = journal.plain_trade(self._hash, (*fields, self._sequence, *lots))
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
        lots: list[tuple[str, dict[int, Lot], dict[int, Lot]]] = []
        cost = _ZERO
        for ticker, change in self._changes.items():
            before, holding = self._held.get(ticker), change.holding
            if (was := before and before.lots) or holding.lots:
                lots.append((ticker, _by_number(was), _by_number(holding.lots)))
            cost += holding.cost_basis - (before.cost_basis if before else _ZERO)
            if holding.quantity:
                held[ticker] = HeldPosition(
                    id=before.id if before else new_id(),
                    ticker=ticker,
                    quantity=holding.quantity,
                    cost_basis=holding.cost_basis,
                    avg_cost=average_cost(holding),
                    opened_at=change.opened_at,
                    reserved=self._reserved_shares(ticker),
                    lots=holding.lots,
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
        view = AccountView(head, positions, self.reserved_cash, self.rules)
        return Settlement(self.before, view, opened, updated, closed, lots)

    def _hold(
        self, ticker: str, holding: Holding, at: datetime, since: datetime | None = None
    ) -> None:
        """Note what is held of a ticker, from `at` on, and since when it has been."""
        opened_at = self.opened_at(ticker) or since or at
        if since is not None:
            opened_at = min(opened_at, since)
        if self._sold_short or holding.quantity < 0:
            before = self.holding(ticker)
            self._sold_short += max(_ZERO, -holding.cost_basis) - max(_ZERO, -before.cost_basis)
        self._changes[ticker] = _Change(holding, opened_at, at)


def _by_number(lots: tuple[Lot, ...] | None) -> dict[int, Lot]:
    return {lot.number: lot for lot in lots or ()}
