"""The orders' part of the proof: a trade fits its order, and an order says what its trades did."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, exists, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from paperdesk.ledger.proof.amounts import Wrong, average_price, money, number
from paperdesk.ledger.proof.entries import table_of
from paperdesk.models import Order, OrderStatus, Position, Trade, UserProfile

_MAY_END_PARTLY_FILLED: Final = frozenset(
    {
        OrderStatus.partially_filled,
        OrderStatus.canceled,
        OrderStatus.expired,
        OrderStatus.replaced,
    }
)


class _Order(NamedTuple):
    """What is read of an order beside its trade: `entries.ORDER_FIELDS`."""

    id: str | None
    account: str
    ticker: str
    side: str
    status: str
    quantity: int | None
    filled: int
    average: int | None
    filled_at: str | None
    key: str


class _Fills(NamedTuple):
    """The trades of an order so far."""

    quantity: int = 0
    products: int = 0


class OrderBook:
    """The orders of an account whose trades were not all seen yet.

    `whole` says that the replay began with the first entry; else the fills of an order that lie
    before are looked up.
    """

    def __init__(self, session: Session, account_id: str, *, whole: bool) -> None:
        self._session = session
        self._account = account_id
        self._whole = whole
        self._open: dict[str, tuple[int, _Fills, int]] = {}

    def check(self, trade: Sequence[Any], fields: Sequence[Any]) -> None:
        """Compare a trade (its hashed fields) with its order. Raises Wrong."""
        order_id, ticker, side, quantity, price = trade[2:7]
        executed_at, sequence = trade[12:14]
        if order_id is None:
            return
        order = _Order(*fields)
        if order.id is None:
            raise Wrong("The trade's order does not exist.")
        if (order.account, order.ticker, order.side) != (self._account, ticker, side):
            raise Wrong(
                f"The trade ({side} {ticker}) is not of its order's account, ticker and side "
                f"({order.side} {order.ticker})."
            )
        if order.filled == quantity and order_id not in self._open:
            fills = _Fills(quantity, quantity * price)
        else:
            before = self._before(order_id, sequence)
            fills = _Fills(before.quantity + quantity, before.products + quantity * price)
            if fills.quantity < order.filled:
                self._open[order_id] = (order.filled, fills, sequence)
                return
            self._open.pop(order_id, None)
        _check_filled(order, fills, executed_at)

    def unfinished(self) -> tuple[int, str] | None:
        """Return the last entry of an order that says more was filled than was, and a sentence."""
        for filled, fills, sequence in self._open.values():
            return sequence, (
                f"The order says that {number(filled)} were filled, but its trades are "
                f"{number(fills.quantity)}."
            )
        return None

    def _before(self, order_id: str, sequence: int) -> _Fills:
        if order_id in self._open:
            return self._open[order_id][1]
        if self._whole:
            return _Fills()
        trades = table_of(Trade).c
        earlier = self._session.execute(
            select(
                type_coerce(trades.quantity, BigInteger), type_coerce(trades.price, BigInteger)
            ).where(trades.order_id == order_id, trades.sequence < sequence)
        ).all()
        return _Fills(sum(q for q, _ in earlier), sum(q * p for q, p in earlier))


def _check_filled(order: _Order, fills: _Fills, last_at: str) -> None:
    """Check an order whose trades were all seen."""
    if fills.quantity != order.filled:
        raise Wrong(
            f"The order says that {number(order.filled)} were filled, but its trades are "
            f"{number(fills.quantity)}."
        )
    average = average_price(fills.products, fills.quantity)
    if order.average != average:
        said = "none" if order.average is None else number(order.average)
        raise Wrong(
            f"The order's average price is {said}, but that of its trades is {number(average)}."
        )
    asked = order.quantity
    if order.status == OrderStatus.filled:
        fits = (asked is None or order.filled == asked) and order.filled_at == last_at
    else:
        fits = (
            order.status in _MAY_END_PARTLY_FILLED
            and (asked is None or order.filled < asked)
            and order.filled_at is None
        )
    if not fits:
        raise Wrong(
            f"The order says that it is {order.status} since {order.filled_at or 'never'}; that "
            f"does not fit its trades, of {number(order.filled)}, the last at {last_at}."
        )


def filled_without_trades(session: Session, account_id: str) -> str | None:
    """Return a sentence about an order of an account that claims a fill which no trade shows."""
    orders, trades = table_of(Order).c, table_of(Trade).c
    key = session.scalar(
        select(orders.client_order_id)
        .where(
            orders.user_id == account_id,
            or_(
                orders.filled_quantity != 0,
                orders.filled_avg_price.is_not(None),
                orders.filled_at.is_not(None),
                orders.status.in_([OrderStatus.filled, OrderStatus.partially_filled]),
            ),
            ~exists().where(trades.order_id == orders.id),
        )
        .order_by(func.length(orders.client_order_id), orders.client_order_id)
        .limit(1)
    )
    return None if key is None else f"The order {key} says that it was filled; it has no trade."


def wrongly_set_aside(session: Session, account_id: str) -> str | None:
    """Return a sentence about what open orders of an account set aside that cannot be, if any.

    An order that has ended sets nothing aside, one that is open is not filled, and all together
    set no more aside than there is.
    """
    orders, positions = table_of(Order).c, table_of(Position).c
    is_open = orders.closed_at.is_(None)
    mine = orders.user_id == account_id
    key = session.scalar(
        select(orders.client_order_id)
        .where(mine, ~is_open, (orders.reserved_cash != 0) | (orders.reserved_quantity != 0))
        .order_by(orders.id)
        .limit(1)
    )
    if key is not None:
        return f"The order {key} has ended, and still sets something aside."
    key = session.scalar(
        select(orders.client_order_id)
        .where(mine, is_open, orders.filled_quantity >= orders.quantity)
        .order_by(orders.id)
        .limit(1)
    )
    if key is not None:
        return f"The order {key} is open, but all of it was filled."
    cash = select(type_coerce(table_of(UserProfile).c.cash_balance, BigInteger)).where(
        table_of(UserProfile).c.id == account_id
    )
    aside = select(func.coalesce(func.sum(type_coerce(orders.reserved_cash, BigInteger)), 0))
    there: Any = session.scalar(cash)
    wanted: Any = session.scalar(aside.where(mine, is_open))
    if isinstance(there, int) and int(wanted) > there:
        return f"Open orders set {money(int(wanted))} aside, but cash is {money(there)}."
    shares = (
        select(orders.ticker, func.sum(type_coerce(orders.reserved_quantity, BigInteger)))
        .where(mine, is_open, orders.reserved_quantity != 0)
        .group_by(orders.ticker)
        .order_by(orders.ticker)
    )
    for ticker, reserved in session.execute(shares).all():
        held: Any = session.scalar(
            select(type_coerce(positions.quantity, BigInteger)).where(
                positions.user_id == account_id, positions.ticker == ticker
            )
        )
        if int(reserved) > abs(held or 0):
            return (
                f"Open orders set {number(int(reserved))} {ticker} aside, but "
                f"{number(held or 0)} are held."
            )
    return None
