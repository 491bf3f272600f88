"""Yahoo's prices, with the real yfinance and a Yahoo that is faked at the network's edge."""

import asyncio
import io
import json
import logging
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yfinance
from requests.adapters import BaseAdapter

from paperdesk.errors import SettingsError
from paperdesk.market.quotes import SourceUnavailable
from paperdesk.research.scoring import WINDOW
from paperdesk.research.yahoo import Yahoo
from support.electing import until

# What yfinance calls of pandas that is to go.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance.*")

DAY = 86_400
LAST = 1_783_690_200  # 9:30 in New York, in July
NAN = None
"""How Yahoo writes it."""


class FakeYahoo(BaseAdapter):
    """Answers as query2.finance.yahoo.com does, from `days`: closes and volumes of a ticker."""

    def __init__(self) -> None:
        super().__init__()
        self.days: dict[str, list[tuple[Any, Any]]] = {}
        self.status = 200
        self.text: str | None = None
        self.hangs: threading.Event | None = None
        self.asked: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        path = urlsplit(str(request.url)).path
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        response.status_code, body = 200, "crumb"
        if "/chart/" in path:
            ticker = path.rpartition("/")[2]
            self.asked.append(ticker)
            if self.hangs is not None:
                self.hangs.wait(30)
            response.status_code = self.status
            body = self.text if self.text is not None else json.dumps(self._chart(ticker))
        response.raw = io.BytesIO(body.encode())
        return response

    def close(self) -> None:
        """Nothing to let go of."""

    def _chart(self, ticker: str) -> dict[str, Any]:
        days = self.days.get(ticker)
        if days is None:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return {"chart": {"result": None, "error": error}}
        closes, volumes = [day[0] for day in days], [day[1] for day in days]
        quote = dict.fromkeys(("open", "high", "low", "close"), closes) | {"volume": volumes}
        session = {"timezone": "EST", "start": LAST, "end": LAST + 1, "gmtoffset": -18000}
        meta = {
            "currency": "USD",
            "symbol": ticker,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": "America/New_York",
            "timezone": "EST",
            "gmtoffset": -18000,
            "priceHint": 2,
            "dataGranularity": "1d",
            "validRanges": ["1d", "1mo", "3mo"],
            "regularMarketTime": LAST,
            "currentTradingPeriod": dict.fromkeys(("pre", "regular", "post"), session),
        }
        result = {
            "meta": meta,
            "timestamp": [LAST - n * DAY for n in range(len(days))][::-1],
            "indicators": {"quote": [quote], "adjclose": [{"adjclose": closes}]},
        }
        return {"chart": {"result": [result], "error": None}}


@pytest.fixture
def fake(tmp_path: Path) -> FakeYahoo:
    yfinance.set_tz_cache_location(str(tmp_path))
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    return FakeYahoo()


@pytest.fixture
def yahoo(fake: FakeYahoo) -> Yahoo:
    session = requests.Session()
    session.mount("https://", fake)
    return Yahoo(session)


def steady(count: int, close: float = 10.0, volume: int = 100) -> list[tuple[Any, Any]]:
    return [(close + n, volume + n) for n in range(count)]


async def test_one_call_brings_the_sessions_of_all_stocks(fake: FakeYahoo, yahoo: Yahoo) -> None:
    fake.days = {"AAPL": steady(30), "BRK-B": [(450.125, 7), (451.123456789, 8)]}

    found = await yahoo.fetch(["AAPL", "BRK.B"])

    assert set(fake.asked) == {"AAPL", "BRK-B"}
    assert found.keys() == {"AAPL", "BRK.B"}
    apple, berkshire = found["AAPL"], found["BRK.B"]
    assert (apple.close, apple.volume, apple.source) == (39, 129, "yfinance")
    assert apple.history is not None
    assert len(apple.history) == WINDOW
    assert (apple.history[0].close, apple.history[0].pace) == (19, 109)
    assert berkshire.close == Decimal("451.123457")


async def test_unusable_values_are_left_out(fake: FakeYahoo, yahoo: Yahoo) -> None:
    fake.days = {
        "AAPL": [(10.0, 5), (NAN, NAN), (0.0, 9), (-3.0, 9), (11.0, 0)],
        "MSFT": [(NAN, NAN)] * 5,
        "TSLA": [(0.0, 0)] * 5,
        "GONE": steady(1) + [(NAN, NAN)] * 4,
    }

    found = await yahoo.fetch(["AAPL", "MSFT", "TSLA", "GONE", "NONE"])

    assert found.keys() == {"AAPL"}
    assert found["AAPL"].history is not None
    assert [each.close for each in found["AAPL"].history] == [10, 11]
    assert found["AAPL"].volume is None


@pytest.mark.parametrize(
    ("status", "text"),
    [(429, "Too Many Requests"), (500, "oops"), (200, "<html>"), (200, "{}"), (200, "")],
)
async def test_what_is_no_answer_is_an_outage(
    fake: FakeYahoo, yahoo: Yahoo, status: int, text: str
) -> None:
    fake.status, fake.text = status, text

    with pytest.raises(SourceUnavailable, match="yfinance"):
        await yahoo.fetch(["AAPL"])


@pytest.mark.parametrize(("status", "text"), [(500, "oops"), (200, "<html>"), (404, None)])
async def test_an_outage_is_over_when_yahoo_answers_again(
    fake: FakeYahoo, yahoo: Yahoo, status: int, text: str | None
) -> None:
    fake.status, fake.text = status, text
    with pytest.raises(SourceUnavailable):
        await yahoo.fetch(["AAPL"])
    fake.status, fake.text, fake.days = 200, None, {"AAPL": steady(3)}

    assert (await yahoo.fetch(["AAPL"])).keys() == {"AAPL"}


async def test_stocks_that_yahoo_does_not_have_are_an_outage_if_they_are_all(
    fake: FakeYahoo, yahoo: Yahoo
) -> None:
    with pytest.raises(SourceUnavailable, match="no usable price"):
        await yahoo.fetch(["AAPL", "MSFT"])
    assert set(fake.asked) == {"AAPL", "MSFT"}


async def test_the_desk_goes_on_while_yahoo_hangs_and_asks_it_no_second_time(
    fake: FakeYahoo, yahoo: Yahoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.research.yahoo._PATIENCE", 0.2)
    monkeypatch.setattr("paperdesk.research.yahoo._PATIENCE_A_TICKER", 0.0)
    fake.days, fake.hangs = {"AAPL": steady(3)}, threading.Event()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(SourceUnavailable, match="in time"):
        await yahoo.fetch(["AAPL"])
    with pytest.raises(SourceUnavailable, match="before"):
        await yahoo.fetch(["AAPL"])
    assert ticks > 5
    ticking.cancel()

    monkeypatch.undo()
    fake.hangs.set()
    await until(lambda: not yahoo._is_asking)
    assert (await yahoo.fetch(["AAPL"])).keys() == {"AAPL"}


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)

    with pytest.raises(SettingsError, match=r"pip install 'paperdesk\[yfinance\]'"):
        Yahoo()
