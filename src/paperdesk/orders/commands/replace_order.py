"""The command that replaces an order: a new one takes its place, with other terms."""

from dataclasses import dataclass
from decimal import Decimal

from paperdesk.audit.trail import Action
from paperdesk.errors import InvalidRequest, InvalidState
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, OrderClass, OrderStatus, OrderType, TimeInForce
from paperdesk.orders import lifecycle, linked
from paperdesk.orders.commands.place_order import (
    Placed,
    Sender,
    earlier_order,
    enter_order,
    order_from,
    used_for_another_order,
)
from paperdesk.orders.terms import RESTING, Terms
from paperdesk.orders.venue import Venue


@dataclass(frozen=True, slots=True)
class Changes:
    """What shall be different; None leaves it as it is.

    `quantity` is that of the whole, with what was filled already. `trail` is the `trail_price` or
    the `trail_percent`, whichever the order has.
    """

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """Put a new order in the place of an open one. It is refused, or both happen.

    The new order has its own place in time. `client_order_id` is the new order's key; the same
    replacement under it has one effect.
    """

    account_id: str
    order_id: str
    changes: Changes
    venue: Venue
    client_order_id: str | None = None

    @property
    def key(self) -> str | None:
        """The key that makes it repeatable."""
        return self.client_order_id

    def __call__(self, books: Books) -> Placed:
        """Replace it. Raises NotFound, InvalidState, InvalidRequest, or what the books refuse."""
        old = books.order(self.account_id, self.order_id)
        sender = Sender(self.account_id, old.source, self.client_order_id, old.strategy, old.note)
        if (earlier := earlier_order(books, sender)) is not None:
            if earlier.replaces != self.order_id or not self._fits(books, earlier):
                raise used_for_another_order()
            return Placed(earlier, replayed=True)
        lifecycle.check(old, OrderStatus.replaced)
        terms = self._terms(old)
        terms.check()
        new = self._new(sender, terms, old)
        action = Action.order_replaced
        return enter_order(books, new, (), self.venue, instead_of=old, action=action)

    def _new(self, sender: Sender, terms: Terms, old: Order) -> Order:
        """Return the new order in the place of the old one, with what that one set aside."""
        new = order_from(sender, terms, self.venue, self.venue.clock.now())
        vars(new).update(
            replaces=old.id,
            order_class=old.order_class,
            group_id=old.group_id,
            leg=old.leg,
            signal_id=None,
            reserved_cash=old.reserved_cash,
            reserved_quantity=old.reserved_quantity,
            watermark=old.watermark,
            triggered_at=old.triggered_at if terms.stop_price == old.stop_price else None,
        )
        if old.status is OrderStatus.held:
            new.status = OrderStatus.held
        return new

    def _terms(self, old: Order) -> Terms:
        changes = self.changes
        if old.notional is not None:
            raise InvalidState("An order by notional cannot be replaced. Cancel it, and place one.")
        assert old.quantity is not None  # noqa: S101 - it has no notional
        is_linked = old.order_class is not OrderClass.simple
        if is_linked and changes.time_in_force not in {None, *RESTING}:
            raise InvalidRequest("time_in_force: linked orders are day or gtc.")
        quantity = old.quantity if changes.quantity is None else changes.quantity
        if quantity != old.quantity and linked.is_exit(old):
            raise InvalidState(
                "An exit is for as many shares as the orders that it is linked to. Cancel them, "
                "and place new ones."
            )
        if quantity <= old.filled_quantity:
            raise InvalidRequest(
                f"quantity: {old.filled_quantity.normalize():f} were filled already. Give more "
                "than that, or cancel the order."
            )
        trail_price, trail_percent = old.trail_price, old.trail_percent
        if changes.trail is not None:
            if old.type is not OrderType.trailing_stop:
                raise InvalidRequest("trail: a trailing_stop order has it alone.")
            trail_price = None if trail_price is None else changes.trail
            trail_percent = None if trail_percent is None else changes.trail
        return Terms(
            ticker=old.ticker,
            side=old.side,
            type=old.type,
            time_in_force=changes.time_in_force or old.time_in_force,
            quantity=quantity - old.filled_quantity,
            limit_price=old.limit_price if changes.limit_price is None else changes.limit_price,
            stop_price=old.stop_price if changes.stop_price is None else changes.stop_price,
            trail_price=trail_price,
            trail_percent=trail_percent,
            extended_hours=old.extended_hours,
            lots=None if old.lots is None else tuple(old.lots),
        )

    def _fits(self, books: Books, order: Order) -> bool:
        """Say whether an earlier replacement is the one that is asked for again.

        Of one that a corporate action changed the size and prices are no longer as asked.
        """
        changes = self.changes
        if order.adjusted_by is not None:
            return changes.time_in_force in {None, order.time_in_force}
        if changes.quantity is not None and not linked.is_exit(order):
            # What the other exit trades is taken off an exit's quantity, which nobody can choose.
            filled = books.order(self.account_id, self.order_id).filled_quantity
            if order.quantity != changes.quantity - filled:
                return False
        return all(
            asked is None or asked == has
            for asked, has in (
                (changes.limit_price, order.limit_price),
                (changes.stop_price, order.stop_price),
                (changes.trail, order.trail_price or order.trail_percent),
                (changes.time_in_force, order.time_in_force),
            )
        )
