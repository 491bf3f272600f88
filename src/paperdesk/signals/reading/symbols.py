"""The names of instruments in alerts, and the tickers of the desk."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from paperdesk.market.tickers import TICKER
from paperdesk.signals.reading.amounts import Unreadable
from paperdesk.signals.reading.texts import clean

_LONGEST: Final = 64


class Instrument(NamedTuple):
    """A ticker, and the exchange that stood before it."""

    ticker: str
    exchange: str | None


def read_symbol(value: Any, symbols: Mapping[str, str]) -> Instrument:
    """Return the ticker that a symbol names: by the webhook's own map, or as it stands.

    Raises Unreadable where it is neither in the map nor a ticker.
    """
    text = clean(value, _LONGEST + 1) if isinstance(value, str) else None
    if text is None:
        raise Unreadable("must be text such as AAPL or NASDAQ:AAPL")
    if "{{" in text:
        raise Unreadable("has a placeholder that was not filled in")
    if len(text) > _LONGEST:
        raise Unreadable("is too long for a symbol")
    said = text.upper()
    before, colon, after = said.rpartition(":")
    mapped = {name.upper(): ticker for name, ticker in symbols.items()}
    ticker = mapped.get(said) or mapped.get(after) or after
    ticker = ticker.strip().upper()
    if not TICKER.fullmatch(ticker):
        raise Unreadable(
            f"{text} is not a ticker of the desk, such as AAPL or BRK.B. Name the ticker that it "
            "stands for in the symbols of the webhook"
        )
    return Instrument(ticker, (before or None) if colon else None)
