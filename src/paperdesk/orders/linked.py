"""Linked orders: an entry with its exits, and exits of which one cancels the other.

The orders of a group share `group_id`, and `leg` says what each is. Exits are `held` until their
entry has ended with shares; from then on they are one or the other: they close the same shares,
which the first of them sets aside for both.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from paperdesk.audit.trail import Action
from paperdesk.db.prepared import unattached
from paperdesk.ids import new_id
from paperdesk.ledger.booking import part_of
from paperdesk.ledger.fills import SetAside
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderClass, OrderLeg, OrderStatus, OrderType, Side
from paperdesk.orders import lifecycle, lines
from paperdesk.orders.terms import Terms

_NOTHING: Final = Decimal(0)


def legs_of(order: Order, terms: Terms) -> list[Order]:
    """Return the other orders that a linked order brings with it, to be placed after it.

    Gives the order itself its group and its place in it.
    """
    if terms.order_class is OrderClass.simple:
        return []
    order.group_id = order.id
    is_exit = terms.order_class is OrderClass.oco
    order.leg = OrderLeg.take_profit if is_exit else OrderLeg.entry
    legs: list[Order] = []
    if terms.take_profit is not None and not is_exit:
        legs.append(_exit(order, OrderLeg.take_profit, limit=terms.take_profit))
    if (loss := terms.stop_loss) is not None:
        legs.append(_exit(order, OrderLeg.stop_loss, limit=loss.limit_price, stop=loss.stop_price))
    return legs


def set_aside(books: Books, order: Order) -> SetAside:
    """Return what is reserved for an order: what it set aside, or an exit of its group for it."""
    cash, shares = order.reserved_cash, order.reserved_quantity
    if is_exit(order):
        others = _open(books, order)
        cash += sum((other.reserved_cash for other in others), _NOTHING)
        shares += sum((other.reserved_quantity for other in others), _NOTHING)
    return SetAside(cash, shares)


def is_exit(order: Order) -> bool:
    """Say whether an order ends what an entry began."""
    return order.leg in {OrderLeg.take_profit, OrderLeg.stop_loss}


def after_fill(books: Books, order: Order, shares: Decimal, now: datetime) -> None:
    """Do what the fill of an order means for its group."""
    if order.leg == OrderLeg.entry:
        if order.closed_at is not None:
            _release(books, order, now)
    elif is_exit(order):
        for other in _open(books, order):
            if order.closed_at is not None:
                _cancel(books, other, now, "The other exit was filled.")
            else:
                _shrink(books, other, shares, now)


def end(books: Books, order: Order, status: OrderStatus, now: datetime, reason: str) -> None:
    """End an open order that was not filled whole, and with it what is linked to it.

    Raises InvalidState for one that has ended. An entry that was filled in part leaves its exits to
    what was; else they end with it. With an exit ends all of the group: nothing shall go on without
    it.
    """
    _end(books, order, status, now, reason)
    if order.leg == OrderLeg.entry:
        _release(books, order, now)
        return
    for other in _open(books, order):
        _cancel(books, other, now, f"The order that it is linked to is {status}.")


def cancel(books: Books, orders: Iterable[Order], now: datetime, reason: str) -> None:
    """Cancel those of some orders that are open, and with each what is linked to it."""
    for order in orders:
        # One may have ended with another that it is linked to.
        if order.closed_at is None:
            end(books, order, OrderStatus.canceled, now, reason)


def make_room(
    books: Books, orders: Iterable[Order], shares: Decimal, now: datetime, reason: str
) -> None:
    """Free shares that exits are to close: the rest of them goes on, the last placed give first."""
    groups: dict[str, list[Order]] = {}
    for order in orders:
        if is_exit(order) and order.group_id is not None and order.status is not OrderStatus.held:
            groups.setdefault(order.group_id, []).append(order)
    for exits in reversed(groups.values()):
        size = min(still_to_fill(order) for order in exits)
        if shares >= size:
            cancel(books, exits, now, reason)
        else:
            for order in exits:
                _shrink(books, order, shares, now)
        shares -= min(shares, size)
        if not shares:
            return


def _cancel(books: Books, order: Order, now: datetime, reason: str) -> None:
    _end(books, order, OrderStatus.canceled, now, reason)


def _end(books: Books, order: Order, status: OrderStatus, now: datetime, reason: str) -> None:
    before = order.status
    books.change(order, **lifecycle.ended(order, status, now, reason))
    lines.ended(books, order, before)


def _open(books: Books, order: Order) -> list[Order]:
    """Return the other open orders of a group, without the one that this one takes the place of."""
    return [o for o in books.linked(order) if o.closed_at is None and o.id != order.replaces]


def still_to_fill(order: Order) -> Decimal:
    """Return how many shares an order has still to fill."""
    assert order.quantity is not None  # noqa: S101 - what is replaced or linked has one
    return order.quantity - order.filled_quantity


def resize(books: Books, entry: Order, shares: Decimal) -> None:
    """Have the exits of an entry wait for so many shares more, or less."""
    if entry.leg != OrderLeg.entry or not shares:
        return
    for leg in _open(books, entry):
        assert leg.quantity is not None  # noqa: S101 - linked orders have one
        before = lines.terms(leg)
        books.change(leg, quantity=leg.quantity + shares)
        lines.changed(books, leg, before)


def _release(books: Books, entry: Order, now: datetime) -> None:
    """Let the exits of an entry that ended begin, for what it was filled of their quantity.

    By that, since splits adjust it, and an entry that was replaced was filled before too. They
    close, and never open: no more than is there to be closed.
    """
    left = still_to_fill(entry)
    exits = _open(books, entry)
    account = books.account(entry.user_id)
    closable = account.closable(exits[0].ticker, exits[0].side) if exits else _NOTHING
    for n, leg in enumerate(exits):
        assert leg.quantity is not None  # noqa: S101 - linked orders have one
        filled = leg.quantity - left
        quantity = min(filled, closable)
        if filled <= 0:
            _cancel(books, leg, now, f"The order that it is linked to is {entry.status}.")
        elif not quantity:
            _cancel(books, leg, now, "Nothing is there that it could close.")
        else:
            lifecycle.check(leg, OrderStatus.new)
            before = lines.terms(leg)
            books.change(
                leg,
                status=OrderStatus.new,
                quantity=quantity,
                # The first of them sets the shares aside for both.
                reserved_quantity=_NOTHING if n else quantity,
                updated_at=now,
            )
            lines.changed(books, leg, before, Action.order_begun)


def _shrink(books: Books, order: Order, shares: Decimal, now: datetime) -> None:
    """Take from an exit the shares that the other one traded, and what it set aside for them."""
    assert order.quantity is not None  # noqa: S101 - linked orders have one
    left = order.quantity - shares
    account = books.account(order.user_id)
    cash = part_of(order.reserved_cash, left, order.quantity)
    there = max(_NOTHING, account.available_cash + order.reserved_cash)
    before = lines.terms(order)
    books.change(
        order,
        quantity=left,
        reserved_cash=min(cash, there),
        reserved_quantity=max(_NOTHING, order.reserved_quantity - shares),
        updated_at=now,
    )
    lines.changed(books, order, before)


def _exit(
    order: Order, leg: OrderLeg, *, limit: Decimal | None, stop: Decimal | None = None
) -> Order:
    """Return an exit: the opposite of its entry, or of an oco's first order the same side."""
    leg_id = new_id()
    is_oco = order.order_class is OrderClass.oco
    opposite = Side.sell if order.side is Side.buy else Side.buy
    kind = OrderType.limit if stop is None else OrderType.stop
    if stop is not None and limit is not None:
        kind = OrderType.stop_limit
    said = {name: value for name, value in vars(order).items() if not name.startswith("_")}
    return unattached(
        Order,
        **said
        | {
            "id": leg_id,
            "client_order_id": leg_id,
            "side": order.side if is_oco else opposite,
            "type": kind,
            "limit_price": limit,
            "stop_price": stop,
            "trail_price": None,
            "trail_percent": None,
            "watermark": None,
            "status": order.status if is_oco else OrderStatus.held,
            "leg": leg,
        },
    )
