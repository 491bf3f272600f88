"""A source of stock prices that says what a test tells it to, and a scorer that asks it."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.market.quotes import SourceUnavailable
from paperdesk.research.rescoring import Rescored, rescore
from paperdesk.research.scoring import Observation
from paperdesk.research.stock_source import Found

SEEDED = ("AAPL", "AMD", "GOOGL", "GS", "JPM", "MSFT", "NVDA", "RIVN", "TSLA")


class ScriptedStocks:
    """Gives `prices` with `paces`, all at once; unavailable while `down` says why."""

    name = "scripted"

    def __init__(self) -> None:
        self.prices: dict[str, Decimal] = dict.fromkeys(SEEDED, Decimal(100))
        self.volumes: dict[str, Decimal] = {}
        self.histories: dict[str, Sequence[Observation]] = {}
        self.made_by = self.name
        self.down: str | None = None
        self.asked: list[list[str]] = []

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Found]:
        self.asked.append(list(tickers))
        if self.down is not None:
            raise SourceUnavailable(self.down)
        return {
            ticker: Found(
                self.prices[ticker],
                self.volumes.get(ticker),
                self.volumes.get(ticker),
                self.made_by,
                self.histories.get(ticker),
            )
            for ticker in tickers
            if ticker in self.prices
        }


class Ranker:
    """Rescores a database with a source and a clock."""

    def __init__(self, database: Database, source: ScriptedStocks, clock: ManualClock) -> None:
        self.database, self.source, self.clock = database, source, clock

    async def rescore(self) -> Rescored:
        return await rescore(self.database, self.source, self.clock)
