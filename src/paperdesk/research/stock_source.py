"""What gives the prices and volumes of the followed stocks."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from paperdesk.research.scoring import Observation


class Found(NamedTuple):
    """What a source has of a stock now.

    `close` in US dollars, `volume` in shares, `pace` as in `Observation`. `history` has the
    observations of a source that knows the past, this one included, oldest first; None: those of
    the fetches before are the past. `source` is who made the price.
    """

    close: Decimal
    volume: Decimal | None
    pace: Decimal | None
    source: str
    history: Sequence[Observation] | None = None


class StockSource(Protocol):
    """Gives prices and volumes of many stocks in one call."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Found]:
        """Return what there is; leave out stocks without a price.

        Raises `SourceUnavailable` when nothing could be had this time.
        """
        ...
