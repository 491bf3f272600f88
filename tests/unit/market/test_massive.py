"""Massive against recorded answers: what is asked, what is understood, what is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from paperdesk.clock import ManualClock
from paperdesk.errors import SettingsError
from paperdesk.market.bars import Bar
from paperdesk.market.massive import Massive
from paperdesk.market.quotes import AskLater, SourceUnavailable
from paperdesk.market.simulator import Simulator
from paperdesk.market.sources import source_for
from paperdesk.settings import Settings

RECORDED = Path(__file__).parents[2] / "data" / "massive"
KEY = "canary-Zk3xQ9"
AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

Handler = Callable[[httpx2.Request], httpx2.Response]


def recorded(name: str, status: int = 200, **headers: str) -> Handler:
    content = (RECORDED / f"{name}.json").read_bytes()
    return lambda _request: httpx2.Response(status, content=content, headers=headers)


def massive(handler: Handler, clock: ManualClock | None = None) -> Massive:
    return Massive(
        SecretStr(KEY), clock or ManualClock(AT), transport=httpx2.MockTransport(handler)
    )


async def test_it_asks_once_for_all_tickers_with_the_key_in_the_header() -> None:
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return recorded("snapshot")(request)

    await massive(answer).fetch(["BRK.B", "AAPL"])
    assert [r.headers["Authorization"] for r in requests] == [f"Bearer {KEY}"]
    assert requests[0].url.path == "/v2/snapshot/locale/us/markets/stocks/tickers"
    assert dict(requests[0].url.params) == {"tickers": "AAPL,BRK.B"}
    assert KEY not in str(requests[0].url)


async def test_prices_are_exact_and_have_the_time_of_the_trade() -> None:
    ticks = await massive(recorded("snapshot")).fetch(["AAPL", "BRK.B", "PFE"])
    assert {ticker: str(tick.price) for ticker, tick in ticks.items()} == {
        "AAPL": "232.8499",
        "BRK.B": "489.25",
        "PFE": "24.81",
    }
    assert ticks["AAPL"].timestamp == datetime(2026, 11, 20, 14, 59, 58, 123456, tzinfo=UTC)
    assert ticks["BRK.B"].timestamp == datetime(2026, 11, 20, 14, 55, tzinfo=UTC)
    assert ticks["PFE"].timestamp == AT


async def test_prices_that_may_not_be_used_are_left_out_and_no_trade_is_in_the_future() -> None:
    asked = ["ZERO", "MINUS", "NONE", "TEXT", "HUGE", "LATE", "SOON", "MISSING"]
    ticks = await massive(recorded("unusable")).fetch(asked)
    assert {t: (tick.price, tick.timestamp) for t, tick in ticks.items()} == {
        "LATE": (Decimal("7.25"), AT),
        "SOON": (Decimal("7.5"), AT),
    }


async def test_many_tickers_are_asked_for_by_the_hundred() -> None:
    sizes: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        tickers = request.url.params["tickers"].split(",")
        sizes.append(len(tickers))
        rows = [{"ticker": t, "lastTrade": {"p": 1.5, "t": 1}} for t in tickers]
        return httpx2.Response(200, json={"tickers": rows})

    asked = [f"T{n}" for n in range(250)]
    assert (await massive(answer).fetch(asked)).keys() == set(asked)
    assert sizes == [100, 100, 50]


async def test_what_was_had_before_a_failure_is_given() -> None:
    answers = iter([200, 503])

    def answer(request: httpx2.Request) -> httpx2.Response:
        tickers = request.url.params["tickers"].split(",")
        rows = [{"ticker": t, "lastTrade": {"p": 1.5, "t": 1}} for t in tickers]
        return httpx2.Response(next(answers), json={"tickers": rows})

    assert len(await massive(answer).fetch([f"T{n}" for n in range(150)])) == 100


async def test_it_says_which_tickers_there_are() -> None:
    assert await massive(recorded("one")).knows("AAPL")
    assert not await massive(recorded("not_found", 404)).knows("NOPE")


@pytest.mark.parametrize(
    ("name", "status"), [("unauthorized", 401), ("not_authorized", 403), ("unauthorized", 500)]
)
async def test_a_refusal_names_the_setting_and_never_the_key(name: str, status: int) -> None:
    source = massive(recorded(name, status))
    for ask in (source.fetch(["AAPL"]), source.knows("AAPL")):
        with pytest.raises(SourceUnavailable) as caught:
            await ask
        assert ("MASSIVE_API_KEY" in str(caught.value)) == (status != 500)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b'{"tickers": [{"ticker": "AAPL", "lastTrade": {"p": NaN}}]}',
        b'{"tickers": null}',
        b'{"status": "OK"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"tickers": [' + b"1" * 5000 + b"]}",
        b'{"tickers": [1e9999999999999999999]}',
        json.dumps({"tickers": {"AAPL": 1}}).encode(),
    ],
)
async def test_an_answer_that_is_not_of_the_form_is_no_answer(content: bytes) -> None:
    source = massive(lambda _request: httpx2.Response(200, content=content))
    with pytest.raises(SourceUnavailable):
        await source.fetch(["AAPL"])


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadTimeout(f"timed out, Bearer {KEY}"),
        httpx2.ConnectError("refused"),
        httpx2.RemoteProtocolError("broken"),
    ],
)
async def test_a_broken_connection_is_no_answer_and_shows_no_key(error: Exception) -> None:
    def fail(_request: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(SourceUnavailable) as caught:
        await massive(fail).fetch(["AAPL"])
    assert KEY not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("header", ["30", "Fri, 20 Nov 2026 15:00:30 GMT"])
async def test_it_is_not_asked_again_before_the_time_it_named(header: str) -> None:
    clock = ManualClock(AT)
    asked = 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            return recorded("too_many", 429, **{"Retry-After": header})(request)
        return recorded("snapshot")(request)

    source = massive(answer, clock)
    for passed in (0, 1, 28):
        clock.advance(timedelta(seconds=passed))
        with pytest.raises(SourceUnavailable):
            await source.fetch(["AAPL"])
    assert asked == 1
    clock.advance(timedelta(seconds=1))
    assert "AAPL" in await source.fetch(["AAPL"])


@pytest.mark.parametrize("header", ["soon", "99999999999999", "-5", ""])
async def test_a_strange_retry_after_does_not_stop_it_for_long(header: str) -> None:
    clock = ManualClock(AT)
    source = massive(recorded("too_many", 429, **{"Retry-After": header}), clock)
    with pytest.raises(SourceUnavailable):
        await source.fetch(["AAPL"])
    clock.advance(timedelta(minutes=15))
    with pytest.raises(SourceUnavailable, match="no more requests"):
        await source.fetch(["AAPL"])


async def test_it_is_left_alone_for_a_quarter_of_an_hour_at_the_most() -> None:
    clock = ManualClock(AT)
    source = massive(recorded("too_many", 429, **{"Retry-After": "86400"}), clock)
    with pytest.raises(SourceUnavailable, match="no more requests"):
        await source.fetch(["AAPL"])
    clock.advance(timedelta(minutes=14))
    with pytest.raises(SourceUnavailable, match="left alone"):
        await source.fetch(["AAPL"])
    clock.advance(timedelta(minutes=1))
    with pytest.raises(SourceUnavailable, match="no more requests"):
        await source.fetch(["AAPL"])


@pytest.mark.parametrize("key", ["", "  ", "a b", "schl\u00fcssel", "a\nb"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="MASSIVE_API_KEY") as caught:
        Massive(SecretStr(key), ManualClock(AT))
    assert not key.strip() or key not in str(caught.value)


async def test_a_key_in_the_settings_chooses_massive() -> None:
    clock = ManualClock(AT)
    assert isinstance(source_for(Settings(), clock), Simulator)
    source = source_for(
        Settings(massive_api_key=SecretStr(f" {KEY}\n"), massive_interval_seconds=60), clock
    )
    assert isinstance(source, Massive)
    assert source.interval == timedelta(minutes=1)
    assert source._client.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(source._client.headers)
    await source.close()
    await source.close()


SPAN = (AT - timedelta(days=2), AT)
MORE = "/v2/aggs/ticker/AAPL/range/1/minute/7/8?cursor=a+b"


def page_of(content: bytes) -> Massive:
    return massive(lambda _request: httpx2.Response(200, content=content))


async def test_minutes_are_exact_and_a_page_leads_to_the_next() -> None:
    found = await massive(recorded("minutes")).bars("AAPL", *SPAN)
    first = datetime(2026, 11, 19, 14, 30, tzinfo=UTC)
    assert found.bars[0] == Bar(
        "AAPL",
        first,
        Decimal("232.10"),
        Decimal("232.4399"),
        Decimal("232.05"),
        Decimal("232.31"),
        Decimal("183456.25"),
    )
    assert [bar.start - first for bar in found.bars] == [timedelta(minutes=n) for n in (0, 1, 4)]
    assert found.bars[2].volume == 0
    assert (found.unreadable, found.next) == (
        2,
        "/v2/aggs/ticker/AAPL/range/1/minute/1795099080000/1795186799999?cursor=bGltaXQ9Mw%3D%3D",
    )


@pytest.mark.parametrize(
    "content",
    [
        b'{"status": "OK", "queryCount": 0, "resultsCount": 0}',
        b'{"status": "DELAYED", "resultsCount": 0, "results": null}',
        b'{"results": []}',
    ],
)
async def test_no_minutes_are_an_empty_page(content: bytes) -> None:
    assert await page_of(content).bars("AAPL", *SPAN) == ([], 0, None)


@pytest.mark.parametrize(
    "url",
    [
        f"https://elsewhere.example{MORE}&apiKey={KEY}",
        f"https://api.massive.com{MORE}&apikey={KEY}",
        f"http://127.0.0.1:9/behind/a/proxy{MORE}",
    ],
)
async def test_the_next_page_is_asked_of_massive_itself_without_a_key_in_the_address(
    url: str,
) -> None:
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(200, json={"results": [], "next_url": url})

    clock = ManualClock(AT)
    source = massive(answer, clock)
    found = await source.bars("AAPL", *SPAN)
    clock.advance(timedelta(minutes=1))
    await source.bars("AAPL", *SPAN, found.next)
    assert str(requests[1].url) == f"https://api.massive.com{MORE}"
    assert requests[1].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"status": "OK"}',
        b'{"results": {"o": 1}}',
        b'{"results": null}',
        b'{"results": [], "next_url": 7}',
        b'{"results": [], "next_url": "https://api.massive.com/v3/else"}',
        b'{"results": [], "next_url": "http://[/v2/aggs/"}',
    ],
)
async def test_a_page_that_is_not_of_the_form_is_no_answer(content: bytes) -> None:
    with pytest.raises(SourceUnavailable):
        await page_of(content).bars("AAPL", *SPAN)


async def test_the_past_is_asked_for_a_fourth_as_often_as_prices() -> None:
    clock = ManualClock(AT)
    source = massive(lambda _request: httpx2.Response(200, json={"results": []}), clock)
    await source.bars("AAPL", *SPAN)
    clock.advance(timedelta(seconds=59))
    with pytest.raises(AskLater) as caught:
        await source.bars("MSFT", *SPAN)
    assert caught.value.seconds == 1
    clock.advance(timedelta(seconds=1))
    await source.bars("MSFT", *SPAN)


async def test_after_too_many_requests_the_feed_asks_before_the_past_does() -> None:
    clock = ManualClock(AT)
    source = massive(recorded("too_many", 429, **{"Retry-After": "30"}), clock)
    with pytest.raises(AskLater) as caught:
        await source.bars("AAPL", *SPAN)
    assert caught.value.seconds == 45
    clock.advance(timedelta(seconds=10))
    with pytest.raises(AskLater) as caught:
        await source.bars("AAPL", *SPAN)
    assert caught.value.seconds == 35
