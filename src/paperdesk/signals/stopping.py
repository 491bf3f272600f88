"""What the kill switch cancels: open orders that came through webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.clock import Clock
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Order, Signal, Webhook
from paperdesk.orders import linked
from paperdesk.signals.execution import SOURCE


@dataclass(frozen=True, slots=True)
class CancelSignalOrders:
    """Cancel an account's open orders that came through one webhook, or through any."""

    account_id: str
    clock: Clock
    webhook_id: str | None = None
    key: None = None

    def __call__(self, books: Books) -> list[Order]:
        """Cancel them, and return them. Raises NotFound where there is no such account."""
        orders = [o for o in books.open_orders(self.account_id) if o.source == SOURCE]
        if self.webhook_id is not None and orders:
            query = select(Signal.signal_id).where(
                Signal.signal_id.in_({order.signal_id for order in orders}),
                Signal.webhook_id == self.webhook_id,
            )
            its_own = set(books.session.scalars(query))
            orders = [order for order in orders if order.signal_id in its_own]
        linked.cancel(books, orders, self.clock.now(), "The kill switch canceled it.")
        return orders


async def accounts_with_webhooks(session: AsyncSession) -> Sequence[str]:
    """Return the accounts that have, or had, a webhook: whatever they ordered just now."""
    query = select(Webhook.user_id).distinct().order_by(Webhook.user_id)
    return (await session.scalars(query)).all()
