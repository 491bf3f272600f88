"""Finding alerts that never came, where a strategy says what it held before and holds after.

TradingView loses an alert that times out, and strategies go on as if it had been heard. What an
alert says of the position before it must be what the alert before said of the position after it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Table, select

from paperdesk.models import Base
from paperdesk.signals.reading.model import NotUnderstood, Understood

_SIGNALS: Table = Base.metadata.tables["signals"]


def missed_before(
    connection: Connection, webhook_id: str, said: Understood | NotUnderstood, at: datetime
) -> str | None:
    """Say what must have happened before an alert that no alert told; None: nothing is known."""
    if isinstance(said, NotUnderstood) or said.prev_market_position is None:
        return None
    query = (
        select(_SIGNALS.c.understood)
        .where(
            _SIGNALS.c.webhook_id == webhook_id,
            _SIGNALS.c.ticker == said.ticker,
            # Neither those of the same delivery, nor what somebody replayed.
            _SIGNALS.c.received_at < at,
            _SIGNALS.c.replay_of.is_(None),
        )
        .order_by(_SIGNALS.c.id.desc())
        .limit(1)
    )
    last = connection.execute(query).scalar()
    try:
        return None if last is None else gap_between(Understood.model_validate(last), said)
    except ValidationError:
        # Another version wrote it. That must not keep this alert out.
        return None


def gap_between(last: Understood, said: Understood) -> str | None:
    """Say how the position after one alert differs from that before the next; None: it does not."""
    if last.market_position is None or said.prev_market_position is None:
        return None
    left = _position(last.market_position, last.market_position_size)
    found = _position(said.prev_market_position, said.prev_market_position_size)
    sizes = left[1] is not None and found[1] is not None
    if left[0] == found[0] and (not sizes or left[1] == found[1]):
        return None
    return (
        f"The alert before left the strategy {_text(*left)}, this one found it {_text(*found)}: an "
        "alert in between was missed."
    )


def _position(side: str, size: Decimal | None) -> tuple[str, Decimal | None]:
    return (side, Decimal(0)) if side == "flat" else (side, None if size is None else abs(size))


def _text(side: str, size: Any) -> str:
    return side if side == "flat" or size is None else f"{side} {size.normalize():f}"
