"""Massive at the network's edge: minutes of the past, page by page, and what goes wrong there."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from pydantic import SecretStr

from paperdesk.clock import Clock
from paperdesk.market.massive import Massive

KEY = "canary-Zk3xQ9"
MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def minute(at: datetime, close: str = "190.25", **other: Any) -> dict[str, Any]:
    """Return a minute as Massive says it. Text is written into the answer as it stands."""
    prices = {"o": "190.1", "h": "190.5", "l": "189.987654321", "c": close, "v": "1234.5"}
    return {"t": milliseconds(at)} | prices | {"vw": "190.2", "n": "17"} | other


class MassivePast:
    """Answers as Massive does. `minutes` are what it has of each ticker, `page` how many it gives.

    `wrong` are what it answers instead, or raises, one after the other; None: nothing is wrong.
    """

    def __init__(self) -> None:
        self.minutes: dict[str, list[dict[str, Any]]] = {}
        self.page = 3
        self.wrong: deque[httpx2.Response | Exception | None] = deque()
        self.asked: list[httpx2.Request] = []
        """What was asked for of the past."""
        self.asking, self.let = asyncio.Event(), asyncio.Event()
        self.let.set()
        self.blocks_from = 0
        """The number of the request from which on an answer waits for `let`."""

    def source(self, clock: Clock, interval: float = 0.01) -> Massive:
        return Massive(
            SecretStr(KEY),
            clock,
            interval=timedelta(seconds=interval),
            transport=httpx2.MockTransport(self._answer),
        )

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.startswith("/v2/aggs/"):
            return self._snapshot(request.url.path)
        self.asked.append(request)
        if len(self.asked) > self.blocks_from:
            self.asking.set()
            await self.let.wait()
        if self.wrong and (wrong := self.wrong.popleft()) is not None:
            if isinstance(wrong, Exception):
                raise wrong
            return wrong
        return self._page(request.url)

    def _snapshot(self, path: str) -> httpx2.Response:
        ticker = path.rpartition("/")[2]
        if ticker == "tickers":
            return httpx2.Response(200, json={"tickers": []})
        return httpx2.Response(200 if ticker in self.minutes else 404, json={})

    def _page(self, url: httpx2.URL) -> httpx2.Response:
        _, _, _, _, ticker, *_, first, last = url.path.split("/")
        rows = [row for row in self.minutes.get(ticker, []) if int(first) <= row["t"] <= int(last)]
        begin = int(url.params.get("cursor", "0"))
        end = begin + self.page
        more = f"https://elsewhere.example{url.path}?cursor={end}&apiKey=x"
        return listed(rows[begin:end], more if end < len(rows) else None)


def listed(rows: Sequence[Mapping[str, Any]], next_url: str | None = None) -> httpx2.Response:
    """Return an answer with minutes; without any it has no list, as Massive's."""
    said: dict[str, Any] = {"adjusted": False, "status": "OK", "resultsCount": len(rows)}
    if next_url is not None:
        said["next_url"] = next_url
    text = json.dumps(said)
    if rows:
        text = f'{text[:-1]}, "results": [{", ".join(map(_written, rows))}]}}'
    return httpx2.Response(200, content=text.encode())


def _written(row: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in row.items()) + "}"
