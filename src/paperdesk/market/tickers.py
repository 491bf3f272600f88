"""What a ticker looks like. Pure."""

import re
from typing import Final

from paperdesk.errors import InvalidRequest

TICKER: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}([.-][A-Z0-9]{1,6})?")


def parse_ticker(text: str) -> str:
    """Return a ticker upper-cased. Raises InvalidRequest if it is not of the documented form."""
    ticker = text.upper() if text.isascii() else ""
    if not TICKER.fullmatch(ticker):
        raise InvalidRequest(
            "A ticker is 1 to 10 letters and digits that begin with a letter, and may end in a dot "
            "or dash with 1 to 6 more, such as AAPL, BRK.B or BTC-USD."
        )
    return ticker
