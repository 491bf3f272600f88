"""The command that places an order: filled now as far as it can be, and resting for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from sqlalchemy import select

from paperdesk.audit.trail import Action
from paperdesk.db.prepared import unattached
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidState,
    UnknownTicker,
)
from paperdesk.ids import new_id
from paperdesk.ledger.fills import cash_there, check_lots, shares_there
from paperdesk.ledger.holdings import closes
from paperdesk.ledger.lane.books import Books
from paperdesk.market.quotes import Quote
from paperdesk.models import (
    Order,
    OrderClass,
    OrderLeg,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    Trade,
)
from paperdesk.orders import lifecycle, lines, linked
from paperdesk.orders.filling import Filling, book, shares_of
from paperdesk.orders.prices import fill_price, set_aside_for
from paperdesk.orders.terms import AT_ONCE, AUCTIONS, StopLoss, Terms
from paperdesk.orders.venue import Venue

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, its trades so far and the orders linked to it.

    `replayed` if an earlier request with the key placed it.
    """

    order: Order
    trades: Sequence[Trade] = ()
    legs: Sequence[Order] = ()
    replayed: bool = False

    @property
    def trade(self) -> Trade:
        """Its first trade. Raises InvalidState where it has none."""
        if not self.trades:
            raise InvalidState(f"The order under this key is {self.order.status}; it has no trade.")
        return self.trades[0]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends an order, and what they say of it.

    `client_order_id` makes it repeatable: the same order under the same key has one effect for
    ever, another order under that key is refused.
    """

    account_id: str
    source: str
    client_order_id: str | None = None
    strategy: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place an order at a venue. With `whole`, it is filled now and whole, or refused.

    `unknown` is what its ticker was refused with, where there is none.
    """

    sender: Sender
    terms: Terms
    venue: Venue
    whole: bool = False
    unknown: UnknownTicker | None = None

    @property
    def account_id(self) -> str:
        """The account that trades."""
        return self.sender.account_id

    @property
    def key(self) -> str | None:
        """The key that makes it repeatable."""
        return self.sender.client_order_id

    def __call__(self, books: Books) -> Placed:
        """Place it. Raises IdempotencyMismatch, PriceUnavailable, or what the books refuse."""
        if (earlier := earlier_order(books, self.sender)) is not None:
            return self._replay(books, earlier)
        if self.unknown is not None:
            raise self.unknown
        self.terms.check()
        self.terms.check_entry(self.venue.board.price_of(self.terms.ticker))
        return enter(books, self.sender, self.terms, self.venue, whole=self.whole)

    def _replay(self, books: Books, order: Order) -> Placed:
        legs = books.linked(order)
        if not _says_the_same(self.sender, self.terms, order, legs):
            raise used_for_another_order()
        trades = books.session.scalars(
            select(Trade).where(Trade.order_id == order.id).order_by(Trade.sequence)
        ).all()
        placed = Placed(order, trades, legs, replayed=True)
        if self.whole:
            _ = placed.trade
        return placed


def earlier_order(books: Books, sender: Sender) -> Order | None:
    """Return the order that was placed under the sender's key, if any was.

    Raises IdempotencyMismatch where the key was used for something else than an order.
    """
    if sender.client_order_id is None:
        return None
    earlier = books.order_under(sender.account_id, sender.client_order_id)
    if earlier is None and books.is_entry_key(sender.account_id, sender.client_order_id):
        raise IdempotencyMismatch(
            "This key was used before for something else than an order. Use a new key for an order."
        )
    return earlier


def used_for_another_order() -> IdempotencyMismatch:
    """Return the refusal of an order whose key stands for another one."""
    return IdempotencyMismatch(
        "This key was used before for another order. Use a new key for a new order."
    )


def enter(
    books: Books,
    sender: Sender,
    terms: Terms,
    venue: Venue,
    *,
    whole: bool = False,
    action: Action = Action.order_placed,
) -> Placed:
    """Place an order in the books; everything is checked before anything is changed.

    `action` is what the audit trail calls it. Raises PriceUnavailable, InvalidState, or what the
    books refuse.
    """
    now = venue.clock.now()
    order = order_from(sender, terms, venue, now)
    legs = linked.legs_of(order, terms)
    return enter_order(books, order, legs, venue, whole=whole, action=action)


def enter_order(
    books: Books,
    order: Order,
    legs: Sequence[Order],
    venue: Venue,
    *,
    whole: bool = False,
    instead_of: Order | None = None,
    action: Action = Action.order_placed,
) -> Placed:
    """Place an order that was made.

    `instead_of` is the open order whose place it takes: what that one sets aside, which the new
    order names as its own, is there for it.
    """
    now = order.submitted_at
    check_lots(books.account(order.user_id), order.lots)
    quote = _quote_now(order, venue, now)
    extent = _extent(books, order, quote)
    if whole and extent is not _Extent.whole:
        raise _not_whole(order, venue, quote)
    at_once = order.time_in_force in AT_ONCE
    if order.time_in_force is TimeInForce.fok and extent is _Extent.part:
        extent = _Extent.nothing
    there = linked.set_aside(books, order)
    if extent is not _Extent.whole and not (at_once and extent is _Extent.nothing):
        _set_aside(books, order, legs, venue)
    filling: Filling | None = None
    if quote is not None and extent is not _Extent.nothing:
        is_whole = extent is _Extent.whole
        filling = book(books, order, quote, now, there, whole=is_whole)
        assert filling is not None  # noqa: S101 - `_extent` said so
        vars(order).update(filling.state)
    if at_once and order.closed_at is None:
        reason = (
            "What could not be filled at once was canceled."
            if filling
            else "It could not be filled at once."
        )
        vars(order).update(lifecycle.ended(order, OrderStatus.canceled, now, reason))
    replaced = None if instead_of is None else {"id": instead_of.id, **lines.terms(instead_of)}
    _place(books, order, legs, instead_of)
    lines.placed(books, order, legs, filling.trades if filling else (), action, replaced)
    if filling is None:
        return Placed(order, (), legs)
    linked.after_fill(books, order, filling.shares, now)
    return Placed(order, filling.trades, legs)


def order_from(sender: Sender, terms: Terms, venue: Venue, now: datetime) -> Order:
    """Return a new order that sets nothing aside yet.

    Raises PriceUnavailable for a trailing stop where there never was a price.
    """
    order_id = new_id()
    trails = terms.type is OrderType.trailing_stop
    opened = venue.trades(now, terms.time_in_force, extended=terms.extended_hours)
    return unattached(
        Order,
        id=order_id,
        user_id=sender.account_id,
        client_order_id=sender.client_order_id or order_id,
        ticker=terms.ticker,
        side=terms.side,
        type=terms.type,
        time_in_force=terms.time_in_force,
        order_class=terms.order_class,
        status=OrderStatus.new if opened else OrderStatus.accepted,
        quantity=terms.quantity,
        notional=terms.notional,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        trail_price=terms.trail_price,
        trail_percent=terms.trail_percent,
        watermark=venue.last_known(terms.ticker).price if trails else None,
        extended_hours=terms.extended_hours,
        filled_quantity=_ZERO,
        filled_avg_price=None,
        reserved_cash=_ZERO,
        reserved_quantity=_ZERO,
        source=sender.source,
        strategy=sender.strategy,
        note=sender.note,
        signal_id=None,
        leg=None,
        group_id=None,
        replaces=None,
        replaced_by=None,
        reason=None,
        lots=None if terms.lots is None else list(terms.lots),
        submitted_at=now,
        triggered_at=None,
        filled_at=None,
        canceled_at=None,
        expired_at=None,
        expires_at=venue.expiry(now, terms.time_in_force, extended=terms.extended_hours),
        closed_at=None,
        updated_at=now,
        adjusted_by=None,
    )


class _Extent(Enum):
    """How much of an order can be filled now."""

    nothing = 0
    part = 1
    whole = 2


def _extent(books: Books, order: Order, quote: Quote | None) -> _Extent:
    """Say how much of an order its price and its account's rules let be filled now."""
    rules = books.account(order.user_id).rules
    at = None if quote is None else fill_price(order, quote.price, rules)
    if quote is None or at is None:
        return _Extent.nothing
    most = rules.share_of(quote.volume)
    if most is None:
        return _Extent.whole
    wanted = shares_of(order, at)
    if not most:
        return _Extent.nothing
    return _Extent.whole if wanted <= most else _Extent.part


def _quote_now(order: Order, venue: Venue, now: datetime) -> Quote | None:
    """Return the price at which an order may be filled now; None where it has to wait.

    Raises PriceUnavailable for a market order that lacks nothing but a price.
    """
    if order.status is OrderStatus.held or not venue.trades(
        now, order.time_in_force, extended=order.extended_hours
    ):
        return None
    if order.type is OrderType.market and order.time_in_force not in AUCTIONS:
        return venue.fresh(order.ticker)
    return venue.board.fresh(order.ticker)


def _not_whole(order: Order, venue: Venue, quote: Quote | None) -> InvalidState:
    if quote is None:
        opens = venue.hours.next_open(order.submitted_at)
        return InvalidState(
            f"The market is closed until {opens:%Y-%m-%d %H:%M} UTC. Nothing was booked; an order "
            "by POST /api/orders waits for it."
        )
    return InvalidState(
        "The account's rules let less than that be traded at once. Nothing was booked; an order by "
        "POST /api/orders is filled bit by bit."
    )


def _set_aside(books: Books, order: Order, legs: Sequence[Order], venue: Venue) -> None:
    """Have an order set aside what it needs. Raises what it lacks, and changes nothing then.

    Of two exits the one that is placed first does it for both: what the dearer one needs.

    What it sets aside already, because the order that it replaces did, is there for it. An exit is
    left as it is: its entry, or the other exit, has the shares.
    """
    if order.status is OrderStatus.held or (order.replaces and linked.is_exit(order)):
        return
    account = books.account(order.user_id)
    needs_price = order.limit_price is None and order.stop_price is None
    price = venue.last_known(order.ticker).price if needs_price else _ZERO
    closable = account.closable(order.ticker, order.side, order.reserved_quantity)
    exits = [order, *legs] if linked.is_exit(order) else [order]
    wanted = max(
        set_aside_for(each, order.quantity, price, account.rules, closable) for each in exits
    )
    if wanted.cash > account.available_cash + order.reserved_cash:
        raise InsufficientCash(
            f"This order sets ${wanted.cash:,.2f} aside until it is filled, and "
            f"{cash_there(account)}. Buy less, or cancel another order first."
        )
    held = account.holding(order.ticker).quantity
    # One through zero takes all that is held: what other orders are to close, it cannot.
    beyond = wanted.cash and closes(held, order.side) and closable < abs(held)
    if wanted.shares > closable or beyond:
        quantity = wanted.shares if order.quantity is None else order.quantity
        raise InsufficientShares(
            f"{'Selling' if order.side is Side.sell else 'Buying'} {quantity.normalize():f} "
            f"{order.ticker} needs that many shares, and {shares_there(account, order.ticker)}. "
            "Trade at most those, or cancel those orders."
        )
    order.reserved_cash, order.reserved_quantity = wanted


def _place(books: Books, order: Order, legs: Sequence[Order], instead_of: Order | None) -> None:
    if instead_of is not None:
        # First: what it sets aside must not be set aside twice while the new one is filled.
        ended = lifecycle.ended(instead_of, OrderStatus.replaced, order.submitted_at)
        books.change(instead_of, **ended, replaced_by=order.id)
    books.place(order)
    for leg in legs:
        books.place(leg)
    if instead_of is not None:
        assert order.quantity is not None  # noqa: S101 - what is replaced has one
        # Not what it has still to fill: it may have filled some of it just now.
        linked.resize(books, order, order.quantity - linked.still_to_fill(instead_of))


def _says_the_same(sender: Sender, terms: Terms, order: Order, legs: Sequence[Order]) -> bool:
    """Say whether an order is the one that is asked for again.

    Of one that a corporate action changed the size, prices and ticker are no longer as asked.
    """
    said = (sender.strategy, sender.note)
    if order.adjusted_by is not None:
        kind = (terms.side, terms.type, terms.time_in_force, terms.order_class)
        has = (order.side, order.type, order.time_in_force, order.order_class)
        return (kind, *said) == (has, order.strategy, order.note)
    quantity = order.quantity
    if quantity is not None and order.order_class is OrderClass.oco:
        # What the other exit sold was taken off its own quantity.
        quantity += sum((leg.filled_quantity for leg in legs if leg.replaces is None), _ZERO)
    exits = {leg.leg: leg for leg in legs if leg.replaces is None}
    gain, loss = exits.get(OrderLeg.take_profit), exits.get(OrderLeg.stop_loss)
    stop = None if loss is None or loss.stop_price is None else loss
    is_oco = terms.order_class is OrderClass.oco
    asked = replace(terms, take_profit=None) if is_oco else terms
    placed = Terms(
        ticker=order.ticker,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        quantity=quantity,
        notional=order.notional,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        extended_hours=order.extended_hours,
        order_class=order.order_class,
        take_profit=gain.limit_price if gain else None,
        stop_loss=StopLoss(stop.stop_price or _ZERO, stop.limit_price) if stop else None,
        lots=None if order.lots is None else tuple(order.lots),
    )
    return (asked, *said) == (placed, order.strategy, order.note)
