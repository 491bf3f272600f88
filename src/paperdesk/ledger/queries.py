"""Queries over the journal."""

from datetime import datetime

from sqlalchemy import Select, select

from paperdesk.models import Side, Trade


def trades_of(
    account_id: str,
    *,
    ticker: str | None = None,
    side: Side | None = None,
    source: str | None = None,
    strategy: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
) -> Select[Trade]:
    """Return an account's trades, the last booked first.

    `since` and `until` bound when they were executed (the latter excluded); `before` is the
    sequence that all of them must precede, for the next page.
    """
    query = select(Trade).where(Trade.user_id == account_id).order_by(Trade.sequence.desc())
    for column, wanted in (
        (Trade.ticker, ticker),
        (Trade.side, side),
        (Trade.source, source),
        (Trade.strategy, strategy),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if since is not None:
        query = query.where(Trade.executed_at >= since)
    if until is not None:
        query = query.where(Trade.executed_at < until)
    if before is not None:
        query = query.where(Trade.sequence < before)
    return query
