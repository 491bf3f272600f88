"""Massive's minute bars ("aggregates"): how they are asked for, and what an answer says."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from paperdesk.market.bars import Bar
from paperdesk.market.past import BarPage
from paperdesk.market.quotes import SourceUnavailable

_AGGREGATES: Final = "/v2/aggs/"
_A_PAGE: Final = 50_000
"""The most that Massive gives at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_WRONG: Final = "Massive's answer is not of the documented form."


def first_page(ticker: str, since: datetime, until: datetime) -> str:
    """Return where minutes begin that start in [since, until): a path with its query."""
    # Massive counts the last millisecond in.
    first, last = -((_EPOCH - since) // _MILLISECOND), -((_EPOCH - until) // _MILLISECOND) - 1
    query = {"adjusted": "false", "sort": "asc", "limit": _A_PAGE}
    return f"{_AGGREGATES}ticker/{ticker}/range/1/minute/{first}/{last}?{urlencode(query)}"


def read_page(ticker: str, content: bytes) -> BarPage:
    """Return what an answer says; for a thread, as 50,000 bars take half a second.

    Raises SourceUnavailable where it is no answer.
    """

    def read(found: dict[str, Any]) -> Any:
        # Where Python is called for each bar, other threads get their turns; the parser alone
        # would keep them all waiting.
        return (_bar(ticker, found) or found) if "o" in found else found

    try:
        # A number that is none spoils its own bar, and not the whole page.
        answer = json.loads(
            content, parse_float=_decimal, parse_constant=_nothing, object_hook=read
        )
    except (ValueError, RecursionError):
        raise SourceUnavailable("Massive's answer is not JSON.") from None
    if not isinstance(answer, dict):
        raise SourceUnavailable(_WRONG)
    members = cast("dict[str, Any]", answer)
    found = members.get("results")
    if found is None and members.get("resultsCount") == 0:
        found = []  # Massive leaves the list out then
    if not isinstance(found, list):
        raise SourceUnavailable(_WRONG)
    rows = cast("list[Any]", found)
    bars = [each for each in rows if isinstance(each, Bar)]
    return BarPage(bars, len(rows) - len(bars), _next(members.get("next_url")))


def _next(url: Any) -> str | None:
    """Return where the page after this one is, without the host: the key goes to ours alone."""
    if not url:
        return None
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    if parts is None or _AGGREGATES not in parts.path:
        raise SourceUnavailable(_WRONG)
    path = parts.path[parts.path.index(_AGGREGATES) :]
    query = [each for each in parse_qsl(parts.query) if each[0].lower() != "apikey"]
    return f"{path}?{urlencode(query)}"


def _bar(ticker: str, row: dict[str, Any]) -> Bar | None:
    """Return a bar of whatever numbers it has, None for what is none."""
    at = row.get("t")
    first, high, low, last = (_number(row.get(name)) for name in ("o", "h", "l", "c"))
    # Some bars are made without trades, and have no volume.
    volume = _number(row.get("v", 0))
    if first is None or high is None or low is None or last is None or volume is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int):
        return None
    try:
        return Bar(ticker, _EPOCH + at * _MILLISECOND, first, high, low, last, volume)
    except OverflowError:
        return None


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return Decimal(value)


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        return None


def _nothing(_name: str) -> None:
    """Take NaN and Infinity for nothing."""
