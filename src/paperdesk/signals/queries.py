"""Queries over the inbox."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.errors import NotFound
from paperdesk.models import Signal, SignalStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which signals are asked for; None asks for all."""

    since: datetime | None = None
    until: datetime | None = None
    status: SignalStatus | None = None
    webhook_id: str | None = None
    ticker: str | None = None
    processed: bool | None = None


def signals_of(account_id: str, wanted: Wanted) -> Select[Any]:
    """Return the query for an account's signals, without an order."""
    query = select(Signal).where(Signal.user_id == account_id)
    for column, value in (
        (Signal.status, wanted.status),
        (Signal.webhook_id, wanted.webhook_id),
        (Signal.ticker, wanted.ticker),
        (Signal.processed, wanted.processed),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(Signal.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Signal.received_at < wanted.until)
    return query


async def signal_of(
    session: AsyncSession, account_id: str, signal_id: str, *, to_show: bool = True
) -> Signal:
    """Return a signal of an account, locked unless it is only shown. Raises NotFound."""
    query = signals_of(account_id, Wanted()).where(Signal.signal_id == signal_id)
    if not to_show:
        query = query.with_for_update()
    found: Signal | None = await session.scalar(query)
    if found is None:
        raise NotFound("There is no such signal.")
    return found
