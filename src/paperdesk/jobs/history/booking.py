"""Booking what happened elsewhere: at its own time, and for the cash that the broker says it moved.

What the net amount of a trade differs from quantity times price is booked as its fee, which is less
than 0 where the broker gave more. So the cash of the account is the broker's, to the last digit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from paperdesk.corporate.booking import Notice
from paperdesk.corporate.commands import LARGEST_RATIO, Split
from paperdesk.errors import InsufficientCash, InsufficientShares, InvalidRequest
from paperdesk.imports.model import Activity, ActivityKind
from paperdesk.jobs.history.names import trade_id
from paperdesk.jobs.kinds import NothingToDo
from paperdesk.ledger import booking
from paperdesk.ledger.booking import EXACT, PRICE_PLACES, money, part_of, value_of
from paperdesk.ledger.entries import cash_movement, position_adjustment
from paperdesk.ledger.fills import cash_there, fill_of, parts_of, shares_there
from paperdesk.ledger.holdings import Holding, Lot, lots_of
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.past_fills import enter_past_fill, units_of
from paperdesk.models import CashMovementKind, CostBasis, PositionAdjustmentKind, Side

SOURCE: Final = "import"
FUNDING: Final = ":funding"
REST: Final = ":rest"
CASH: Final = ":cash"
_ZERO: Final = Decimal(0)

_CASH: Final = {
    ActivityKind.dividend: CashMovementKind.dividend,
    ActivityKind.interest: CashMovementKind.interest,
    ActivityKind.fee: CashMovementKind.fee,
    ActivityKind.tax: CashMovementKind.fee,
    ActivityKind.deposit: CashMovementKind.deposit,
    ActivityKind.withdrawal: CashMovementKind.withdrawal,
    ActivityKind.cash_in_lieu: CashMovementKind.dividend,
}


@dataclass(slots=True)
class Booking:
    """A row on its way into the books; `effect` says what it entered, in plain values.

    `now` is when it is booked; what happened has a time of its own.
    """

    books: Books
    account: AccountBook
    activity: Activity
    name: str
    now: datetime
    fund: bool
    effect: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: list[str] = field(default_factory=list[str])
    funded: Decimal = _ZERO

    def book(self) -> Decimal:
        """Book it, and return the cash that left the account. Raises Refused: nothing is changed.

        What `fund` deposited for it does not count.
        """
        before = self.account.cash
        with self.account.whole():
            _BOOKED[self.activity.kind](self)
        return before - self.account.cash + self.funded

    def trade(self) -> None:
        """Book a purchase or a sale; one through zero as two trades."""
        activity, account = self.activity, self.account
        side = Side.buy if activity.kind is ActivityKind.buy else Side.sell
        assert activity.quantity is not None  # noqa: S101 - every trade has these
        assert activity.price is not None  # noqa: S101
        assert activity.net_amount is not None  # noqa: S101
        self._trade(side, activity.quantity, activity.price, activity.net_amount)
        if difference := activity.difference:
            self.warnings.append(
                f"The net amount is ${_plain(abs(difference))} "
                f"{'more' if difference > 0 else 'less'} than quantity and price come to; that is "
                "booked with the fee."
            )
        if account.cash < 0:
            # A rebate or a fee beyond what it brought.
            raise InsufficientCash(f"That would leave ${account.cash:,.2f} in cash.")

    def cash(self) -> None:
        """Book what moved cash alone."""
        activity = self.activity
        kind, amount = _CASH[activity.kind], money(activity.net_amount or _ZERO)
        self._move(kind, amount, self.name, activity.note or _remark(activity))

    def in_lieu(self) -> None:
        """Book cash for the fraction of a share that a split left: a sale, where that is held."""
        activity, account = self.activity, self.account
        fraction = account.holding(activity.ticker or "").quantity % 1
        net = money(activity.net_amount or _ZERO)
        if not activity.ticker or fraction <= 0 or net <= 0:
            self.cash()
            return
        price = EXACT.divide(net, fraction).quantize(PRICE_PLACES, context=EXACT)
        if price > booking.LARGEST_AMOUNT:
            # The dust that an earlier rounding left is not what was paid for.
            self.cash()
            return
        self._trade(Side.sell, fraction, price, net)

    def split(self) -> None:
        """Book a split, by its ratio or by how many shares it brought."""
        ticker, account = self.activity.ticker or "", self.account
        held = account.holding(ticker).quantity
        if not held:
            raise NothingToDo(f"No {ticker} was held: the split changed nothing.")
        new, old = self.activity.ratio or self._ratio(held)
        note = self.activity.note
        notice = Notice(account.id, self.name, self.now, self.activity.at, note, own=True)
        Split(notice, ticker, new, old)(self.books)
        self.effect["split"] = {
            "ticker": ticker,
            "ratio": [new, old],
            "before": str(held),
            "after": str(account.holding(ticker).quantity),
        }

    def transfer_in(self) -> None:
        """Book shares that came: at their price, without one at no cost."""
        activity, account = self.activity, self.account
        ticker, quantity = activity.ticker or "", activity.quantity or _ZERO
        cost = value_of(quantity, activity.price) if activity.price else _ZERO
        if activity.price is None:
            self.warnings.append("The row has no price: these shares cost nothing in the books.")
        held = account.holding(ticker)
        if held.quantity < 0:
            raise InsufficientShares(
                f"{ticker} is sold short; shares cannot be brought in then. Buy them back first."
            )
        _check_size(held.quantity + quantity, held.cost_basis + cost)
        at, since = activity.at, account.opened_at(ticker)
        in_lots = account.rules.cost_basis_method is not CostBasis.average
        lots = None
        if in_lots or held.lots is not None:
            lot = Lot(account.next_sequence, at, quantity, cost)
            lots = (*lots_of(held, since or at), lot)
        after = Holding(held.quantity + quantity, held.cost_basis + cost, lots)
        self._adjust(ticker, quantity, cost, after, at if lots else None)
        self._beside()

    def transfer_out(self) -> None:
        """Book shares that left, with their part of the cost."""
        activity, account = self.activity, self.account
        ticker, quantity = activity.ticker or "", activity.quantity or _ZERO
        held = account.holding(ticker)
        there = account.available_shares(ticker) if held.quantity > 0 else _ZERO
        if quantity > there:
            raise InsufficientShares(
                f"Transferring {quantity.normalize():f} {ticker} needs that many shares, and "
                f"{shares_there(account, ticker)}."
            )
        all_of_it = quantity == held.quantity
        if held.lots is not None and not all_of_it:
            raise InvalidRequest(
                f"quantity: {ticker} is held in lots, of which all can be transferred and none "
                "alone. Transfer all of them, or sell some at their cost."
            )
        cost = held.cost_basis if all_of_it else part_of(held.cost_basis, quantity, held.quantity)
        after = Holding(held.quantity - quantity, held.cost_basis - cost)
        self._adjust(ticker, -quantity, -cost, after, None)
        self._beside()

    def _trade(self, side: Side, quantity: Decimal, price: Decimal, net: Decimal) -> None:
        account, at = self.account, self.activity.at
        ticker = self.activity.ticker or ""
        parts = parts_of(account, ticker, side, quantity)
        value = sum((value_of(part, price) for part in parts), _ZERO)
        came = money(net)
        fee = -came - value if side is Side.buy else value - came
        if self.fund and came < 0:
            self._fund(-came)
        trades = list[str]()
        for part in parts:
            fill = fill_of(account, ticker, side, part, price, fee, at)
            trades.append(trade_id(account.id, self.name + REST * len(trades)))
            enter_past_fill(
                account,
                fill,
                ticker,
                side,
                units_of(part, price, fee),
                fee,
                at,
                trade_id=trades[-1],
                source=SOURCE,
            )
            fee = _ZERO
        self.effect["trades"] = trades

    def _move(self, kind: CashMovementKind, amount: Decimal, key: str, note: str | None) -> None:
        account, activity = self.account, self.activity
        if self.fund and amount < 0 and activity.kind is not ActivityKind.withdrawal:
            self._fund(-amount)
        if amount < 0 and account.available_cash + amount < 0:
            raise InsufficientCash(
                f"A {activity.kind.replace('_', ' ')} of ${-amount:,.2f} needs that much cash, and "
                f"{cash_there(account)}. Deposit first, or import with fund."
            )
        if account.cash + amount > booking.LARGEST_AMOUNT:
            raise InvalidRequest("net: an account may hold at most $1,000,000,000 in cash.")
        self._enter_cash(kind, amount, key, note, activity.ticker)

    def _beside(self) -> None:
        """Book cash that moved along with shares."""
        amount = money(self.activity.net_amount or _ZERO)
        if amount:
            kind = CashMovementKind.deposit if amount > 0 else CashMovementKind.withdrawal
            self._move(kind, amount, self.name + CASH, self.activity.note)

    def _fund(self, needed: Decimal) -> None:
        """Deposit what is missing of some cash."""
        missing = needed - min(self.account.available_cash, self.account.cash)
        if missing <= 0:
            return
        kind, note = CashMovementKind.deposit, "Deposited for a row of an import."
        self._enter_cash(kind, missing, self.name + FUNDING, note, None)
        self.funded = missing
        self.warnings.append(f"${missing:,.2f} was deposited for it.")

    def _enter_cash(
        self,
        kind: CashMovementKind,
        amount: Decimal,
        key: str,
        note: str | None,
        ticker: str | None,
    ) -> None:
        at = self.activity.at
        movement = cash_movement(
            kind, amount, self.now, key=key, note=note, effective_at=at, ticker=ticker
        )
        self.account.enter(movement, at)
        self.books.note_key(self.account.id, key)
        self.effect.setdefault("cash", []).append(key)

    def _adjust(
        self, ticker: str, quantity: Decimal, cost: Decimal, after: Holding, since: datetime | None
    ) -> None:
        """Enter shares that came or left, and what is held after it."""
        activity = self.activity
        entry = position_adjustment(
            PositionAdjustmentKind.transfer,
            ticker,
            self.now,
            quantity=quantity,
            cost=cost,
            key=self.name,
            note=activity.note,
            effective_at=activity.at,
            opened_at=since,
            price=activity.price,
        )
        self.account.enter(entry, activity.at, {ticker: after}, since)
        self.books.note_key(self.account.id, self.name)
        self.effect["shares"] = {"ticker": ticker, "quantity": str(quantity), "cost": str(cost)}

    def _ratio(self, held: Decimal) -> tuple[int, int]:
        """Return the ratio of a split that is told by the shares that it brought, or took."""
        change = self.activity.quantity or _ZERO
        ratio = Fraction(held + change) / Fraction(held) if held + change > 0 else Fraction(0)
        if not ratio or max(ratio.as_integer_ratio()) > LARGEST_RATIO:
            raise InvalidRequest(
                f"quantity: a split that brings {change.normalize():f} to the {held.normalize():f} "
                f"{self.activity.ticker} that are held has no plain ratio. Say ratio, as 4:1."
            )
        return ratio.as_integer_ratio()


_BOOKED: Final[dict[ActivityKind, Callable[[Booking], None]]] = {
    ActivityKind.buy: Booking.trade,
    ActivityKind.sell: Booking.trade,
    ActivityKind.stock_split: Booking.split,
    ActivityKind.transfer_in: Booking.transfer_in,
    ActivityKind.transfer_out: Booking.transfer_out,
    **dict.fromkeys(_CASH, Booking.cash),
    ActivityKind.cash_in_lieu: Booking.in_lieu,
}


def _plain(amount: Decimal) -> str:
    """Return dollars with two places, or as many as say it."""
    shown = amount.normalize()
    return f"{shown:f}" if shown.as_tuple().exponent in range(-99, -2) else f"{shown:.2f}"


def _check_size(quantity: Decimal, cost: Decimal) -> None:
    if quantity > booking.LARGEST_AMOUNT:
        raise InvalidRequest("quantity: a position may have at most 1,000,000,000 shares.")
    if cost > booking.LARGEST_SUM:
        raise InvalidRequest("price: a position may cost at most $1,000,000,000,000.")


def _remark(activity: Activity) -> str | None:
    if activity.kind is ActivityKind.tax:
        return "Tax."
    if activity.kind is ActivityKind.cash_in_lieu:
        return "Cash in lieu of a fraction of a share."
    return None
