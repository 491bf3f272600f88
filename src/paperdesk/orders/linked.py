"""Linked orders: an entry with its exits, and exits of which one cancels the other.

The orders of a group share `group_id`, and `leg` says what each is. Exits are `held` until their
entry has ended with shares; from then on they are one or the other: they close the same shares,
which the first of them sets aside for both.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from paperdesk.db.prepared import unattached
from paperdesk.ids import new_id
from paperdesk.ledger.fills import SetAside
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderClass, OrderLeg, OrderStatus, OrderType, Side
from paperdesk.orders import lifecycle
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
    shares = order.reserved_quantity
    if is_exit(order):
        shares += sum((o.reserved_quantity for o in _open(books, order)), _NOTHING)
    return SetAside(order.reserved_cash, shares)


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
    books.change(order, **lifecycle.ended(order, status, now, reason))
    if order.leg == OrderLeg.entry and order.filled_quantity:
        _release(books, order, now)
        return
    for other in _open(books, order):
        _cancel(books, other, now, f"The order that it is linked to is {status}.")


def _cancel(books: Books, order: Order, now: datetime, reason: str) -> None:
    books.change(order, **lifecycle.ended(order, OrderStatus.canceled, now, reason))


def _open(books: Books, order: Order) -> list[Order]:
    """Return the other open orders of a group, without the one that this one takes the place of."""
    return [o for o in books.linked(order) if o.closed_at is None and o.id != order.replaces]


def _release(books: Books, entry: Order, now: datetime) -> None:
    """Let the exits of an entry begin, for as many shares as it was filled."""
    quantity = entry.filled_quantity
    account = books.account(entry.user_id)
    for n, leg in enumerate(o for o in _open(books, entry) if is_exit(o)):
        lifecycle.check(leg, OrderStatus.new)
        # The first of them sets the shares aside for both.
        aside = _NOTHING if n else min(quantity, account.closable(leg.ticker, leg.side))
        books.change(
            leg,
            status=OrderStatus.new,
            quantity=quantity,
            reserved_quantity=aside,
            updated_at=now,
        )


def _shrink(books: Books, order: Order, shares: Decimal, now: datetime) -> None:
    """Take from an exit the shares that the other one sold."""
    assert order.quantity is not None  # noqa: S101 - linked orders have one
    books.change(
        order,
        quantity=order.quantity - shares,
        reserved_quantity=max(_NOTHING, order.reserved_quantity - shares),
        updated_at=now,
    )


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
