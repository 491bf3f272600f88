"""The tickers of a text, as people paste them and TradingView exports them. Pure."""

import re
from typing import Final

_BETWEEN_PARTS: Final = re.compile(r"[,;\n]")
_HEADING: Final = "###"


def tickers_in(text: str) -> list[str]:
    """Return what stands in a text apart by spaces, commas, semicolons or lines, as it stands.

    Headings such as `###Energy`, up to the next comma or line, are left out.
    """
    parts = (part.strip() for part in _BETWEEN_PARTS.split(text))
    return [word for part in parts if not part.startswith(_HEADING) for word in part.split()]
