"""The command that makes an order of a signal: both are booked in one transaction, or neither.

It runs in the ledger's writer, under the account's lock. Whatever it finds out, it writes into the
signal's row, so that `status` says what happened in the very transaction in which it did.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Table, func, select

from paperdesk.errors import NotFound, PaperdeskError, PriceUnavailable, Refused, UnknownTicker
from paperdesk.ledger.booking import shares_for, value_of
from paperdesk.ledger.lane.books import Books
from paperdesk.models import (
    Base,
    Order,
    OrderLeg,
    OrderStatus,
    Side,
    SignalStatus,
    WebhookMode,
)
from paperdesk.orders import linked
from paperdesk.orders.commands.place_order import (
    Placed,
    Sender,
    earlier_order,
    enter_order,
    order_from,
    used_for_another_order,
)
from paperdesk.orders.filling import shares_of
from paperdesk.orders.terms import Terms
from paperdesk.orders.venue import Venue
from paperdesk.signals import killswitch
from paperdesk.signals.arriving import Stored
from paperdesk.signals.deciding import Decision, Situation, closes, decide
from paperdesk.signals.limits import Effect, why_not, why_not_so, worst_price
from paperdesk.signals.queue import Waiting, waiting, write_result
from paperdesk.signals.reading.model import Intent, Quantity, Understood
from paperdesk.signals.telling import event_of, line_of
from paperdesk.signals.terms import Limits, Taking

SOURCE: Final = "webhook"
MOST_ATTEMPTS: Final = 8
"""After so many a signal that found no price, or that broke off, is given up."""

_SIGNALS: Final[Table] = Base.metadata.tables["signals"]
_LONGEST_PAUSE: Final = 60
_BROKE_OFF: Final = "The desk went down each time."


@dataclass(frozen=True, slots=True)
class ExecuteSignal:
    """Execute a signal that this process has on lease.

    `unknown` is what its ticker was refused with where there is none.
    """

    account_id: str
    signal_id: str
    lease: str
    venue: Venue
    zone: ZoneInfo
    unknown: UnknownTicker | None = None

    @property
    def key(self) -> str:
        """The key of its order, which is placed once whatever happens."""
        return self.signal_id

    def __call__(self, books: Books) -> None:
        """Execute it. Refuses nothing: what stands against it is written into its row."""
        row = waiting(books.connection, self.signal_id, self.lease)
        if row is None:
            # It is not this process's to execute any more.
            return
        if row.is_behind:
            write_result(books.connection, self.signal_id, {"attempts": row.attempts - 1})
            return
        now = self.venue.clock.now()
        before = books.traces()
        try:
            earlier = earlier_order(books, Sender(self.account_id, SOURCE, self.signal_id))
            if earlier is None:
                self._execute(books, row, now)
            elif earlier.signal_id == self.signal_id:
                self._ended(books, row, SignalStatus.executed, now, earlier)
            else:
                raise used_for_another_order()
        except Refused as refusal:
            if books.traces() != before:
                # The writer takes back what it left, and says so.
                raise
            if isinstance(refusal, PriceUnavailable):
                self._later(books, row, now, refusal)
            else:
                self._ended(books, row, SignalStatus.rejected, now, error=str(refusal))

    def _execute(self, books: Books, row: Waiting, now: datetime) -> None:
        if row.attempts > MOST_ATTEMPTS:
            return self._ended(
                books,
                row,
                SignalStatus.failed,
                now,
                error=f"It was given up after {MOST_ATTEMPTS} tries: {row.error or _BROKE_OFF}",
            )
        said = Understood.model_validate(row.understood)
        limits = Limits.model_validate(row.limits or {})
        refusal = killswitch.why_stopped(killswitch.read(books.connection), row) or why_not(
            said,
            limits,
            now,
            at_any_age=row.replay_of is not None or row.mode is WebhookMode.propose,
        )
        if refusal is not None:
            return self._ended(books, row, SignalStatus.rejected, now, error=refusal)
        if self.unknown is not None:
            raise self.unknown
        if row.mode is WebhookMode.record:
            error = "The webhook only records what comes."
            return self._ended(books, row, SignalStatus.rejected, now, error=error)
        replaced = self._replaced(books, row, said)
        try:
            decision = decide(said, self._situation(books, row, said))
        except NotFound:
            if not replaced:
                raise
            # Nothing is held yet, but it was about to be.
            decision = Decision()
        if decision.terms is not None:
            return self._place(books, row, said, decision, replaced, limits, now)
        canceled = replaced
        if decision.cancels:
            canceled = books.open_orders(self.account_id, said.ticker)
        linked.cancel(books, canceled, now, "A signal canceled it.")
        told = f"Canceled {len(canceled)} open order(s) of {said.ticker}."
        notes = (told, *decision.notes) if canceled or decision.cancels else decision.notes
        return self._ended(books, row, SignalStatus.executed, now, outcome=" ".join(notes))

    def _replaced(self, books: Books, row: Waiting, said: Understood) -> list[Order]:
        """Return the open orders of the webhook that an alert takes the place of.

        Of one that says where the position is to be: what was to lead there before must not too.
        """
        if said.intent in {Intent.buy, Intent.sell, Intent.cancel}:
            return []
        orders = [
            order
            for order in self._open(books, said.ticker)
            if order.signal_id is not None and not linked.is_exit(order)
        ]
        if not orders:
            return []
        query = select(_SIGNALS.c.signal_id).where(
            _SIGNALS.c.signal_id.in_({order.signal_id for order in orders}),
            _SIGNALS.c.webhook_id == row.webhook_id,
        )
        own = set(books.connection.execute(query).scalars())
        return [order for order in orders if order.signal_id in own]

    def _open(self, books: Books, ticker: str) -> list[Order]:
        """Return the open orders of a ticker; where nothing is set aside there are none."""
        account = books.account(self.account_id)
        held = account.holding(ticker).quantity
        aside = account.reserved_cash or account.available_shares(ticker) != abs(held)
        if not aside and not account.rules.short_selling:
            return []
        return books.open_orders(self.account_id, ticker)

    def _place(
        self,
        books: Books,
        row: Waiting,
        said: Understood,
        decision: Decision,
        replaced: list[Order],
        limits: Limits,
        now: datetime,
    ) -> None:
        terms = decision.terms
        assert terms is not None  # noqa: S101 - the caller looked
        terms.check()
        terms.check_entry(self.venue.board.price_of(terms.ticker))
        order = self._order(row, said, terms, now)
        effect = self._effect(books, order, replaced)
        today = self._opened_today(books, row, limits, now)
        refusal = why_not_so(effect, limits, now, self.zone, today)
        if refusal is not None:
            return self._ended(books, row, SignalStatus.rejected, now, error=refusal)
        before = books.traces()
        self._make_way(books, terms, effect, replaced, now)
        try:
            placed = enter_order(books, order, linked.legs_of(order, terms), self.venue)
        except Refused as refusal:
            if books.traces() == before:
                raise
            error = f"{refusal} What it was to replace was canceled."
            return self._ended(books, row, SignalStatus.rejected, now, error=error)
        return self._ended(
            books,
            row,
            SignalStatus.executed,
            now,
            placed.order,
            outcome=" ".join([_told(placed), *decision.notes]),
            notional=effect.notional,
        )

    def _order(self, row: Waiting, said: Understood, terms: Terms, now: datetime) -> Order:
        sender = Sender(
            self.account_id,
            SOURCE,
            self.signal_id,
            row.strategy or said.strategy or row.name,
            said.note or said.order_name,
        )
        order = order_from(sender, terms, self.venue, now)
        order.signal_id = self.signal_id
        order.leg = OrderLeg.single
        return order

    def _situation(self, books: Books, row: Waiting, said: Understood) -> Situation:
        account = books.account(self.account_id)
        board = self.venue.board
        price = self.venue.last_known(said.ticker).price
        equity = account.cash
        for ticker in account.tickers():
            held = account.holding(ticker)
            latest = board.latest(ticker)
            equity += held.cost_basis if latest is None else value_of(held.quantity, latest.price)
        default = Taking.model_validate(row.settings or {}).default_quantity
        return Situation(
            account.holding(said.ticker).quantity,
            price,
            equity,
            Quantity(amount=default.amount, kind=default.kind) if default else None,
            may_short=account.rules.short_selling,
        )

    def _effect(self, books: Books, order: Order, replaced: list[Order]) -> Effect:
        market = self.venue.last_known(order.ticker).price
        price = worst_price(order.side, order.limit_price, order.stop_price, market)
        held = books.account(self.account_id).holding(order.ticker).quantity
        shares = shares_of(order, price)
        waiting = Decimal(0)
        # Where all of a position is closed, what would close it too makes way.
        if not (closes(held, order.side) and shares >= abs(held)):
            for other in self._open(books, order.ticker):
                counts = other.side is order.side and not linked.is_exit(other)
                if counts and other not in replaced:
                    waiting += _still_to_trade(other, market)
        return Effect(order.side, held, shares, waiting, price)

    def _opened_today(self, books: Books, row: Waiting, limits: Limits, now: datetime) -> Decimal:
        """Return what the webhook's signals opened since midnight; 0 where nobody asks."""
        if limits.max_notional_per_day is None:
            return Decimal(0)
        midnight = now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        query = select(func.coalesce(func.sum(_SIGNALS.c.notional), Decimal(0))).where(
            _SIGNALS.c.webhook_id == row.webhook_id, _SIGNALS.c.processed_at >= midnight
        )
        return books.connection.execute(query).scalar_one()

    def _make_way(
        self, books: Books, terms: Terms, effect: Effect, replaced: list[Order], now: datetime
    ) -> None:
        """Cancel what the order replaces, and free the shares that it is to close."""
        closing = min(effect.shares, abs(effect.held)) if closes(effect.held, terms.side) else 0
        if not (replaced or closing):
            return
        if self.venue.trades(now, terms.time_in_force, extended=terms.extended_hours):
            # Asked for before anything is changed.
            self.venue.fresh(terms.ticker)
        linked.cancel(books, replaced, now, "A signal took its place.")
        account = books.account(self.account_id)
        short_of = closing - account.available_shares(terms.ticker)
        if closing and (closing == abs(effect.held) or short_of > 0):
            closers = [
                order
                for order in books.open_orders(self.account_id, terms.ticker)
                if order.side is terms.side and order.status is not OrderStatus.held
            ]
            if closing == abs(effect.held):
                linked.cancel(books, closers, now, "A signal closed its position.")
            else:
                reason = "A signal closed that part of its position."
                linked.make_room(books, closers, short_of, now, reason)

    def _later(self, books: Books, row: Waiting, now: datetime, refusal: PaperdeskError) -> None:
        if row.attempts >= MOST_ATTEMPTS:
            text = f"It was given up after {row.attempts} tries: {refusal}"
            self._ended(books, row, SignalStatus.failed, now, error=text)
            return
        pause = timedelta(seconds=min(2 ** (row.attempts - 1), _LONGEST_PAUSE))
        change: dict[str, Any] = {
            "attempts": row.attempts,
            "next_attempt_at": now + pause,
            "error": str(refusal),
        }
        write_result(books.connection, self.signal_id, change)

    def _ended(
        self,
        books: Books,
        row: Waiting,
        status: SignalStatus,
        now: datetime,
        order: Order | None = None,
        *,
        outcome: str | None = None,
        error: str | None = None,
        notional: Decimal | None = None,
    ) -> None:
        order_id = order.id if order else None
        change = {
            "status": status,
            "processed": True,
            "processed_at": now,
            "attempts": min(row.attempts, MOST_ATTEMPTS),
            "order_id": order_id,
            "outcome": outcome,
            "error": error,
            "notional": notional,
        }
        write_result(books.connection, self.signal_id, change)
        stored = Stored(
            self.signal_id,
            self.account_id,
            row.webhook_id,
            row.ticker,
            status,
            order_id,
            outcome,
            error,
            duplicates=0,
        )
        books.note(line_of(stored))
        books.tell(event_of(stored))


def _still_to_trade(order: Order, price: Decimal) -> Decimal:
    """Return the shares of an open order that are not traded; of one for an amount, at a price."""
    if order.quantity is None:
        assert order.notional is not None  # noqa: S101 - an order has one of them
        return max(Decimal(0), shares_for(order.notional, price) - order.filled_quantity)
    return linked.still_to_fill(order)


def _told(placed: Placed) -> str:
    """Return in a sentence what became of an order."""
    order = placed.order
    size = (
        f"{order.quantity.normalize():f} {order.ticker}"
        if order.quantity is not None
        else f"${order.notional:,.2f} of {order.ticker}"
    )
    verb = "Bought" if order.side is Side.buy else "Sold"
    if order.status is OrderStatus.filled and order.filled_avg_price is not None:
        shares, price = order.filled_quantity.normalize(), order.filled_avg_price.normalize()
        return f"{verb} {shares:f} {order.ticker} at {price:f}."
    return f"Placed an order to {order.side} {size}; it is {order.status}."
