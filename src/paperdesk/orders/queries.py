"""Queries over orders: an account's, the last placed first."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Select, select

from paperdesk.ledger.queries import EVER, Span
from paperdesk.models import Order, OrderType, Side


class Standing(StrEnum):
    """Whether orders are open."""

    open = "open"
    closed = "closed"
    all = "all"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders; the span is that of their placing."""

    span: Span = EVER
    standing: Standing = Standing.all
    ticker: str | None = None
    side: Side | None = None
    type: OrderType | None = None
    source: str | None = None
    strategy: str | None = None
    client_order_id: str | None = None


def orders_of(account_id: str, wanted: Wanted, before: str | None = None) -> Select[Order]:
    """Return an account's orders; `before` is the id that all must precede, for the next page."""
    query = select(Order).where(Order.user_id == account_id).order_by(Order.id.desc())
    if wanted.standing is Standing.open:
        query = query.where(Order.closed_at.is_(None))
    elif wanted.standing is Standing.closed:
        query = query.where(Order.closed_at.is_not(None))
    for column, value in (
        (Order.ticker, wanted.ticker),
        (Order.side, wanted.side),
        (Order.type, wanted.type),
        (Order.source, wanted.source),
        (Order.strategy, wanted.strategy),
        (Order.client_order_id, wanted.client_order_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.span.since is not None:
        query = query.where(Order.submitted_at >= wanted.span.since)
    if wanted.span.until is not None:
        query = query.where(Order.submitted_at < wanted.span.until)
    return query if before is None else query.where(Order.id < before)


def order_of(account_id: str, order_id: str) -> Select[Order]:
    """Return the one order of an account with an id."""
    return select(Order).where(Order.user_id == account_id, Order.id == order_id)


def linked_with(order: Order) -> Select[Order]:
    """Return the other orders of an order's group, the first placed first."""
    return (
        select(Order)
        .where(Order.group_id == order.group_id, Order.id != order.id)
        .order_by(Order.id)
    )
