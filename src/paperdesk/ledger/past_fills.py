"""Fills of the past: entered as plain values, for many of them at once."""

from datetime import datetime
from decimal import Decimal

from paperdesk.db.types import EXACT, MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, format_utc
from paperdesk.ledger.fills import Fill
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.models import Side


def units_of(quantity: Decimal, price: Decimal, fee: Decimal) -> tuple[int, int, int]:
    """Return shares, price and fee in their smallest units."""
    return (
        int(EXACT.scaleb(quantity, QUANTITY_SCALE)),
        int(EXACT.scaleb(price, PRICE_SCALE)),
        int(EXACT.scaleb(fee, MONEY_SCALE)),
    )


def enter_past_fill(
    account: AccountBook,
    fill: Fill,
    ticker: str,
    side: Side,
    units: tuple[int, int, int],
    fee: Decimal,
    executed_at: datetime,
    *,
    trade_id: str,
    source: str,
    strategy: str | None = None,
    moment: str | None = None,
) -> None:
    """Enter a fill at its own time, under an id that follows from where it came from.

    `units` are its quantity, price and fee, `moment` its time as text, where that is known.
    """
    quantity, price, fee_units = units
    account.enter_plain(
        (
            trade_id,
            account.id,
            None,
            ticker,
            side,
            quantity,
            price,
            int(EXACT.scaleb(fill.value, MONEY_SCALE)),
            fee_units,
            int(EXACT.scaleb(fill.realized_pnl, MONEY_SCALE)),
            source,
            strategy,
            moment or format_utc(executed_at),
        ),
        executed_at,
        cash=(fill.value if side is Side.sell else -fill.value) - fee,
        fee=fee,
        realized_pnl=fill.realized_pnl,
        holding=fill.after,
        lots=(fill.method, fill.opened_at and format_utc(fill.opened_at), fill.closed),
    )
