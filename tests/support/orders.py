"""What must hold of an account's open orders at all times."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from paperdesk.ledger.views import read_view
from paperdesk.models import Order
from support.trading import TradingDesk, assert_books_hold


async def assert_orders_hold(desk: TradingDesk, account_id: str = "default") -> None:
    """Hold what is published, what is stored and what open orders say against each other."""
    published = await desk.ledger.account(account_id)
    async with desk.database.reader.connect() as connection:
        stored = await connection.run_sync(read_view, account_id)
        orders = (
            await connection.execute(
                select(
                    Order.ticker,
                    func.sum(Order.reserved_cash),
                    func.sum(Order.reserved_quantity),
                )
                .where(Order.user_id == account_id)
                .group_by(Order.ticker)
            )
        ).all()
    assert published == stored
    assert published.reserved_cash == sum((cash for _, cash, _ in orders), Decimal(0))
    assert 0 <= published.reserved_cash <= published.cash_balance
    shares = {ticker: reserved for ticker, _, reserved in orders if reserved}
    assert {p.ticker: p.reserved for p in published.positions if p.reserved} == shares
    assert all(0 <= p.reserved <= abs(p.quantity) for p in published.positions)
    await assert_books_hold(desk.database, account_id)


async def order_row(desk: TradingDesk, order_id: str) -> Order:
    """Return an order as it is stored."""
    async with desk.database.read() as session:
        return (await session.scalars(select(Order).where(Order.id == order_id))).one()


async def states(desk: TradingDesk, *orders: Any) -> list[str]:
    """Return the status of orders, as stored."""
    return [(await order_row(desk, order.id)).status.value for order in orders]
