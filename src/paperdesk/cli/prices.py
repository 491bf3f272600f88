"""`paperdesk prices`: what stocks cost now, once or as it changes."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Final
from urllib.parse import quote

import httpx2
import msgspec
from cyclopts import Parameter
from rich.live import Live
from rich.text import Text

from paperdesk.cli.answers import Quote
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.cli.output import change, clean, price, say, screen, show_json, signed, table
from paperdesk.cli.rows import Rows

_PATIENCE: Final = 30
"""Seconds that a watcher waits for a desk that went away."""


def prices(
    *tickers: Annotated[str, Parameter(help="The stocks to show. Default: all that are priced.")],
    watch: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Keep showing changes until Ctrl-C."),
    ] = False,
    options: Remote = REMOTE,
) -> None:
    """Show current prices."""
    if not all(ticker.strip() for ticker in tickers):
        raise CommandFailed("A ticker is empty.", Exit.USAGE)
    with Desk(options) as desk:
        if watch:
            _watch(desk, {ticker.upper() for ticker in tickers}, as_json=options.json)
            return
        text = _ask(desk, tickers)
        if options.json:
            show_json(text)
            return
    quotes = msgspec.json.decode(text, type=list[Quote])
    if quotes:
        show_quotes(quotes)
    else:
        say("Nothing is priced yet. Put a stock on the watchlist: paperdesk watchlist add AAPL")


def show_quotes(quotes: Iterable[Quote]) -> None:
    """Print prices and what changed as a table."""
    screen().print(_quotes(quotes))


def _ask(desk: Desk, tickers: Iterable[str]) -> bytes:
    wanted = list(tickers)
    if not wanted:
        answer = desk.get("/api/prices")
        answer.read(list[Quote])
        return answer.text
    answers = [desk.get(f"/api/prices/{quote(ticker, safe='')}") for ticker in wanted]
    for answer in answers:
        answer.read(Quote)
    return b"[" + b",".join(answer.text for answer in answers) + b"]"


def _quotes(quotes: Iterable[Quote]) -> Rows:
    rows = table("Ticker", ">Price", ">Change", ">%")
    for each in quotes:
        rows.add_row(
            clean(each.ticker),
            price(each.price) if each.price is not None else "not priced yet",
            change(each.change) if each.change is not None else "",
            signed(each.change_percent, " %") if each.change_percent is not None else "",
        )
    return rows


def _watch(desk: Desk, wanted: set[str], *, as_json: bool) -> None:
    known: dict[str, Quote] = {}
    try:
        if as_json:
            for event in _events(desk):
                sys.stdout.write(_only(event, wanted) + "\n")
                sys.stdout.flush()
        elif sys.stdout.isatty():
            with Live(_waiting(), console=screen(), auto_refresh=False) as live:
                for event in _events(desk):
                    known |= _decoded(event, wanted)
                    quotes = [known[ticker] for ticker in sorted(known)]
                    live.update(_quotes(quotes) if quotes else _waiting(), refresh=True)
        else:
            for event in _events(desk):
                _changed_lines(known, _decoded(event, wanted))
    except KeyboardInterrupt:
        return


def _waiting() -> Text:
    return Text("Waiting for prices. Ctrl-C ends.")


def _changed_lines(known: dict[str, Quote], latest: dict[str, Quote]) -> None:
    for ticker, new in latest.items():
        old = known.get(ticker)
        if new.price is not None and (old is None or old.price != new.price):
            moved = change(new.change).plain if new.change is not None else ""
            say(f"{(new.timestamp or '')[:23]} {clean(ticker)} {price(new.price)} {moved}".strip())
    known |= latest


def _only(event: bytes, wanted: set[str]) -> str:
    quotes = msgspec.json.decode(event, type=dict[str, msgspec.Raw])
    kept = {ticker: raw for ticker, raw in quotes.items() if not wanted or ticker in wanted}
    return msgspec.json.encode(kept).decode()


def _decoded(event: bytes, wanted: set[str]) -> dict[str, Quote]:
    quotes = msgspec.json.decode(event, type=dict[str, Quote])
    return {ticker: each for ticker, each in quotes.items() if not wanted or ticker in wanted}


def _events(desk: Desk) -> Iterator[bytes]:
    """Give the stream's events; when the desk goes away, wait for it to come back."""
    seen = False
    deadline = time.monotonic()
    while True:
        reason: Exception = EOFError("it ended the stream")
        try:
            with desk.stream("/api/stream/prices") as events:
                for event in events:
                    seen = True
                    yield event
                    deadline = time.monotonic() + _PATIENCE
        except httpx2.TransportError as error:
            reason = error
        if not seen or time.monotonic() > deadline:
            raise desk.unreachable(reason)
        time.sleep(1)
