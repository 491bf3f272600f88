"""A database with its seed, and a source of stock prices to score it by."""

import pytest

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from support.stocks import Ranker, ScriptedStocks


@pytest.fixture
def stocks() -> ScriptedStocks:
    return ScriptedStocks()


@pytest.fixture
def ranker(database: Database, stocks: ScriptedStocks, clock: ManualClock) -> Ranker:
    return Ranker(database, stocks, clock)
