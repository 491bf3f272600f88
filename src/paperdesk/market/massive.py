"""Massive (formerly Polygon.io): US stock prices over its REST snapshots, and their minutes."""

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import islice
from typing import Any, cast

import httpx2
import structlog
from pydantic import SecretStr

from paperdesk.clock import Clock
from paperdesk.errors import SettingsError
from paperdesk.market.massive_bars import first_page, read_page
from paperdesk.market.past import BarPage
from paperdesk.market.quotes import LARGEST_PRICE, AskLater, SourceUnavailable, Tick, usable

_SNAPSHOT = "/v2/snapshot/locale/us/markets/stocks/tickers"
_TICKERS_A_REQUEST = 100
_TIMEOUT = 10.0
_LONGEST_PAUSE = timedelta(minutes=15)
_FEEDS_A_PAGE = 4
"""Requests of the feed for each page of the past: together the free plan's five a minute."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger()


class Massive:
    """Asks Massive for snapshots of many tickers at once. The key is sent, and never shown."""

    name = "massive"

    def __init__(
        self,
        key: SecretStr,
        clock: Clock,
        *,
        base_url: str = "https://api.massive.com",
        interval: timedelta = timedelta(seconds=15),
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.interval = interval
        self._clock = clock
        self._not_before: datetime | None = None
        self._next_page = _EPOCH
        """When the past may be asked for again, so that the feed's own requests have room."""
        self._volumes: dict[str, Decimal] = {}
        """The day's volume of each ticker, as it was last answered."""
        self._client = httpx2.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {_spelled(key)}"},
            timeout=_TIMEOUT,
            transport=transport,
        )

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Tick]:
        """Return the last trades of those tickers that have one.

        Raises SourceUnavailable if nothing could be had; if only a part could, that part is given.
        """
        ticks: dict[str, Tick] = {}
        for chunk in _chunks(tickers):
            try:
                answer = await self._get(_SNAPSHOT, {"tickers": ",".join(chunk)})
                ticks.update(self._ticks(_json(answer), set(chunk)))
            except SourceUnavailable as error:
                if not ticks:
                    raise
                log.warning("massive.incomplete", had=len(ticks), reason=str(error))
                break
        return ticks

    async def knows(self, ticker: str) -> bool:
        """Say whether Massive has the ticker. Raises SourceUnavailable when it does not answer."""
        answer = await self._get(f"{_SNAPSHOT}/{ticker}")
        return answer.status_code != HTTPStatus.NOT_FOUND

    async def bars(
        self, ticker: str, since: datetime, until: datetime, page: str | None = None
    ) -> BarPage:
        """Return a page of minutes that start in [since, until), without adjusting them.

        Raises AskLater where the past was asked for too short a time ago, or Massive says so, and
        SourceUnavailable where it has no answer.
        """
        self._respect_pause()
        now, pace = self._clock.now(), _FEEDS_A_PAGE * self.interval
        left = self._next_page - now
        if timedelta(0) < left <= pace:
            raise AskLater("Massive is asked for current prices first.", left.total_seconds())
        self._next_page = now + pace
        answer = await self._get(
            page or first_page(ticker, since, until), plan="minute bars of then"
        )
        return await asyncio.to_thread(read_page, ticker, _content(answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _get(
        self, path: str, query: Mapping[str, str] | None = None, *, plan: str = "stock snapshots"
    ) -> httpx2.Response:
        """Return an answer with status 200 or 404. Raises SourceUnavailable for all others.

        `plan` is what the key's plan must have for it.
        """
        self._respect_pause()
        try:
            response = await self._client.get(path, params=query)
        except httpx2.HTTPError as error:
            # Only the kind of error: its text may quote what was sent.
            raise SourceUnavailable(f"Massive did not answer ({type(error).__name__}).") from None
        match response.status_code:
            case HTTPStatus.OK | HTTPStatus.NOT_FOUND:
                return response
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                raise SourceUnavailable(
                    f"Massive refuses the key (status {response.status_code}): check "
                    f"MASSIVE_API_KEY and that its plan has {plan}."
                )
            case HTTPStatus.TOO_MANY_REQUESTS:
                wait = self._pause(response.headers.get("Retry-After"))
                raise AskLater(
                    "Massive allows no more requests for now: raise "
                    "PAPERDESK_MASSIVE_INTERVAL_SECONDS if this comes often.",
                    # The feed waits too, and is to be the first that asks again.
                    (wait + self.interval).total_seconds(),
                )
            case status:
                raise SourceUnavailable(f"Massive answers with status {status}.")

    def _pause(self, retry_after: str | None) -> timedelta:
        """Ask nothing for as long as Massive wants, and return how long that is."""
        now = self._clock.now()
        wait = self.interval
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
            wait = timedelta(seconds=int(retry_after[:9]))
        elif retry_after:
            try:
                wait = parsedate_to_datetime(retry_after).astimezone(UTC) - now
            except (ValueError, OverflowError):
                log.debug("massive.retry_after", unreadable=retry_after[:40])
        wait = min(wait, _LONGEST_PAUSE)
        self._not_before = now + wait
        return wait

    def _respect_pause(self) -> None:
        if self._not_before is None:
            return
        left = self._not_before - self._clock.now()
        if timedelta(0) < left <= _LONGEST_PAUSE:
            wait = left + self.interval
            raise AskLater("Massive asked to be left alone for a while.", wait.total_seconds())
        self._not_before = None

    def _ticks(self, answer: Any, wanted: Collection[str]) -> Iterator[tuple[str, Tick]]:
        rows = _member(answer, "tickers")
        if not isinstance(rows, list):
            raise SourceUnavailable("Massive's answer is not of the documented form.")
        for row in cast("list[Any]", rows):
            ticker = _member(row, "ticker")
            price = _price(row)
            if ticker in wanted and price is not None:
                yield ticker, Tick(price, self._moment(row), self._volume(ticker, row))

    def _volume(self, ticker: str, row: Any) -> Decimal | None:
        """Return what was traded since the answer before, from the day's volume; None if unknown.

        A new day begins at zero again.
        """
        total = _amount(_member(_member(row, "day"), "v"))
        if total is None or not 0 <= total <= LARGEST_PRICE:
            return None
        total = total.quantize(Decimal(1), ROUND_DOWN)
        before, self._volumes[ticker] = self._volumes.get(ticker), total
        if before is None:
            return None
        return total - before if total >= before else total

    def _moment(self, row: Any) -> datetime:
        """Return when the price was made, never later than now."""
        now = self._clock.now()
        nanoseconds = _member(_member(row, "lastTrade"), "t") or _member(row, "updated")
        if not isinstance(nanoseconds, int) or nanoseconds <= 0:
            return now
        try:
            return min(_EPOCH + timedelta(microseconds=nanoseconds // 1000), now)
        except OverflowError:
            return now


def _spelled(key: SecretStr) -> str:
    text = key.get_secret_value().strip()
    if not (text and text.isascii() and text.isprintable() and " " not in text):
        raise SettingsError(
            "MASSIVE_API_KEY is not a key: it is empty, or has spaces or special characters."
        )
    return text


def _chunks(tickers: Collection[str]) -> Iterator[list[str]]:
    remaining = iter(sorted(tickers))
    while chunk := list(islice(remaining, _TICKERS_A_REQUEST)):
        yield chunk


def _content(response: httpx2.Response) -> bytes:
    if response.status_code != HTTPStatus.OK:
        raise SourceUnavailable(f"Massive answers with status {response.status_code}.")
    return response.content


def _json(response: httpx2.Response) -> Any:
    content = _content(response)
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_refuse)
    # ArithmeticError: a number whose exponent has twenty digits.
    except (ValueError, ArithmeticError, RecursionError):
        raise SourceUnavailable("Massive's answer is not JSON.") from None


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _price(row: Any) -> Decimal | None:
    """Return the last trade's price in US dollars; without trades in the plan, the latest close.

    Before the opening the day's figures are zero, so the day before answers. A last trade that
    is there but makes no sense is not replaced: then there is no price.
    """
    traded = _amount(_member(_member(row, "lastTrade"), "p"))
    if traded is not None:
        return traded if usable(traded) else None
    closes = (_amount(_member(_member(row, part), "c")) for part in ("min", "day", "prevDay"))
    return next((close for close in closes if close is not None and usable(close)), None)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return Decimal(value)
