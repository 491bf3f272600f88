"""Forms of one alert a body: parts between pipes, and the subject of a Gunbot e-mail."""

import re
from collections.abc import Mapping
from typing import Any, Final

_PARTS: Final = 4
_GUNBOT: Final = re.compile(
    r"(?P<action>BUY|SELL|CLOSE)_(?P<exchange>[A-Z0-9]{1,32})_(?P<symbol>[A-Z0-9.-]{1,32})"
    r"(?:_(?P<quantity>[0-9.]{1,32}))?",
    re.IGNORECASE,
)

Alerts = list[Mapping[str, Any] | str]


def pipes(text: str) -> Alerts | None:
    """Return the alert of `key|strategy name|buy|BTCUSDT`, or None."""
    if text.count("|") < _PARTS - 2 or "\n" in text.strip():
        return None
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != _PARTS:
        return [f"Send {_PARTS} parts between pipes: key|strategy name|action|symbol."]
    _, strategy, action, symbol = parts
    return [{"strategy": strategy, "action": action, "symbol": symbol}]


def gunbot(text: str) -> Alerts | None:
    """Return the alert of `BUY_EXCHANGE_USDT-BTC_0.1`, or None."""
    match = _GUNBOT.fullmatch(text.strip())
    return None if match is None else [match.groupdict()]
