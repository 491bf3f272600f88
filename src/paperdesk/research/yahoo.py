"""The prices of the followed stocks from Yahoo, through yfinance: the extra `yfinance`.

yfinance blocks, so it runs in a thread. It is imported when it is chosen, and no earlier.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from importlib import import_module
from typing import Any, Final

import structlog

from paperdesk.errors import SettingsError
from paperdesk.market.quotes import SourceUnavailable, usable
from paperdesk.research.scoring import WINDOW, Observation
from paperdesk.research.stock_source import Found

_PERIOD: Final = "3mo"
"""Of days back, which has more than `WINDOW` sessions."""
_TIMEOUT: Final = 10
"""Seconds for the answer of one request of yfinance."""
_PATIENCE: Final = 30.0
_PATIENCE_A_TICKER: Final = 2.0
"""Seconds after which the desk waits no longer for all of them."""
_LATEST: Final = 3
"""Sessions, from the last of any stock back, of which one must have a usable close."""
_PLACES: Final = Decimal("0.000001")
_CLASSES: Final = (".A", ".B", ".C")
"""How share classes end; Yahoo has a dash there, and a dot before the name of an exchange."""

log = structlog.get_logger()


class Yahoo:
    """Asks Yahoo for the days of all stocks in one call of `yfinance.download`.

    `close` is adjusted for splits and dividends; `volume` and `pace` are shares a session, today's
    so far. `session` is the HTTP session that yfinance uses, None: one of its own.
    """

    name = "yfinance"

    def __init__(self, session: Any = None) -> None:
        try:
            self._yfinance: Any = import_module("yfinance")
        except ImportError as error:
            raise SettingsError(
                "PAPERDESK_RESEARCH_SOURCE is yfinance, which is not installed. Install it: "
                "pip install 'paperdesk[yfinance]'."
            ) from error
        self._session = session
        self._is_asking = False

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Found]:
        """Return the last session of those stocks that have a usable one, and those before it."""
        if self._is_asking:
            raise SourceUnavailable("yfinance has not answered the request before.")
        names = {_spelled(ticker): ticker for ticker in tickers}
        try:
            async with asyncio.timeout(_PATIENCE + _PATIENCE_A_TICKER * len(names)):
                days = await self._in_thread(lambda: self._ask(list(names)))
        except TimeoutError:
            raise SourceUnavailable("yfinance did not answer in time.") from None
        found = {
            names[name]: each
            for name, rows in days.items()
            if name in names and (each := _found(rows)) is not None
        }
        if not found:
            raise SourceUnavailable(
                "yfinance gave no usable price: Yahoo is away, refuses, or limits the rate."
            )
        return found

    def _ask(self, names: list[str]) -> dict[str, list[tuple[Any, Any]]]:
        """Return close and volume of each day of each name, oldest first, whatever they are."""
        # It keeps answers for the life of the process, and with them each refusal.
        self._yfinance.data.YfData.cache_get.cache_clear()
        frame = self._yfinance.download(
            names,
            period=_PERIOD,
            interval="1d",
            group_by="ticker",
            auto_adjust=True,
            multi_level_index=True,
            # In threads of its own it would wait for ever for one that died.
            threads=False,
            progress=False,
            timeout=_TIMEOUT,
            session=self._session,
        )
        if frame is None:
            return {}
        columns = set(frame.columns)
        return {
            name: list(zip(frame[name, "Close"], frame[name, "Volume"], strict=True))
            for name in names
            if {(name, "Close"), (name, "Volume")} <= columns
        }

    async def _in_thread(self, ask: Callable[[], Any]) -> Any:
        """Run a call in a thread that neither a cancellation nor the end of the desk waits for."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            self._is_asking = False
            if not answer.done():
                answer.set_result((result, error))

        def work() -> None:
            result, error = None, None
            try:
                result = ask()
            except Exception as raised:  # noqa: BLE001 - whatever a library of scraping raises
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=work, name="yfinance", daemon=True).start()
        self._is_asking = True
        result, error = await answer
        if error is not None:
            # Only the kind of error: its text may quote what was sent.
            log.warning("yfinance.failed", error=type(error).__name__)
            raise SourceUnavailable(f"yfinance failed ({type(error).__name__}).")
        return result


def _found(rows: list[tuple[Any, Any]]) -> Found | None:
    """Return what the days of a stock say; None where the last ones have no usable close.

    Single days without one are left out: other stocks of the answer may have been traded then.
    """
    days = [
        Observation(close, _volume(volume)) if close is not None and usable(close) else None
        for close, volume in ((_amount(raw), volume) for raw, volume in rows)
    ]
    known = [day for day in days if day is not None]
    if not any(days[-_LATEST:]):
        return None
    last = known[-1]
    return Found(last.close, last.pace, last.pace, Yahoo.name, known[-WINDOW:])


def _volume(value: Any) -> Decimal | None:
    shares = _amount(value)
    return shares if shares is not None and shares > 0 else None


def _amount(value: Any) -> Decimal | None:
    """Return a number of pandas to six places, None for what is none."""
    try:
        return Decimal(repr(float(value))).quantize(_PLACES, ROUND_HALF_EVEN)
    except (InvalidOperation, TypeError, ValueError, OverflowError):
        return None


def _spelled(ticker: str) -> str:
    """Return a ticker as Yahoo spells it: BRK-B for BRK.B."""
    return ticker.replace(".", "-") if ticker.endswith(_CLASSES) else ticker
