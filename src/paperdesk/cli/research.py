"""`paperdesk rankings`, `stock` and `domain`: stocks that are followed, and how they score."""

from decimal import Decimal
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
from cyclopts import App, Parameter, validators
from rich.text import Text

from paperdesk.cli.client import Answer, Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import SHOWN, Every, Shown
from paperdesk.cli.output import (
    clean,
    instant,
    price,
    quantity,
    say,
    screen,
    show_json,
    show_value,
    signed,
    table,
)

stock = App(
    name="stock",
    help_epilogue="""\
Examples:
  paperdesk stock add AVGO --domain AI/Tech --name "Broadcom Inc."
  paperdesk stock list --domain AI/Tech
  paperdesk stock remove AVGO""",
)

domain = App(
    name="domain",
    help_epilogue="""\
Examples:
  paperdesk domain add Energy
  paperdesk domain list
  paperdesk domain remove Energy""",
)

_Ticker = Annotated[str, Parameter(help="The stock, such as AVGO.")]
_Domain = Annotated[str, Parameter(help="The domain's name, such as AI/Tech.")]
_HowMany = Annotated[
    int, Parameter(validator=validators.Number(gte=1, lte=500), help="How many, 1 to 500.")
]
_MORE: Final = "There are more: add --limit 500, or --all."


class _Factor(msgspec.Struct):
    """A factor of a score."""

    value: Decimal | None
    percentile: Decimal


class _Ranked(msgspec.Struct):
    """A stock as it stands."""

    ticker: str
    name: str
    domain: str
    rank: int | None
    score: Decimal | None
    close_price: Decimal | None
    volume: Decimal | None
    factors: dict[str, _Factor] | None
    missing: list[str]


class _Ranking(msgspec.Struct):
    """The best stocks of a domain."""

    domain: str
    stocks: int
    last_fetched: str | None
    top: list[_Ranked]


class _Whole(msgspec.Struct):
    """What is so for the whole desk."""

    source: str
    error: str | None
    best_overall: _Ranked | None
    last_fetched: str | None


class _Rankings(_Whole):
    """The best stocks of every domain."""

    domains: list[_Ranking]


class _OneRanking(_Whole):
    """The best stocks of one domain."""

    domain: str
    stocks: int
    top: list[_Ranked]


class _Stock(msgspec.Struct):
    """A stock that is followed."""

    ticker: str
    name: str
    domain: str
    last_updated: str | None


class _DomainAnswer(msgspec.Struct):
    """A domain."""

    id: str
    name: str
    stocks: int


def rankings(
    name: Annotated[str | None, Parameter(help="Only this domain. Default: all of them.")] = None,
    /,
    *,
    limit: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=1, lte=500),
            help="How many stocks of the domain, 1 to 500. Default: 5.",
        ),
    ] = None,
    options: Shown = SHOWN,
) -> None:
    """Show the stocks that score highest in their domains."""
    if name is None and limit is not None:
        raise CommandFailed("--limit needs a domain.", Exit.USAGE)
    path = "/api/rankings" if name is None else f"/api/rankings/{_named(name)}"
    with Desk(options) as desk:
        answer = desk.get(path, limit=limit)
        if options.json:
            show_json(answer.text)
            return
        _show(answer, one=name is not None)


def _show(answer: Answer, *, one: bool) -> None:
    whole: _Whole
    if one:
        whole = ranking = answer.read(_OneRanking)
        shown = ranking.top
        hidden = ranking.stocks > len(shown)
    else:
        whole = every = answer.read(_Rankings)
        shown = [each for part in every.domains for each in part.top]
        hidden = False
    if shown:
        _table(shown, with_domain=not one)
    else:
        say("No stocks yet. Follow one: paperdesk stock add AAPL --domain AI/Tech")
    if hidden:
        say("There are more: add --limit 500.")
    if best := whole.best_overall:
        say(f"Best overall: {clean(best.ticker)} in {clean(best.domain)}, {_score(best)}.")
    if any(each.missing for each in shown):
        say("Factors without enough history are shown as -, and count as 50.")
    if whole.last_fetched:
        say(f"Fetched {instant(whole.last_fetched)} (UTC) from {clean(whole.source)}.")
    elif shown:
        say("Nothing was fetched yet.")
    if whole.error:
        say(f"The last fetch: {clean(whole.error)}")


def _table(shown: list[_Ranked], *, with_domain: bool) -> None:
    rows = table(
        "Domain",
        ">Rank",
        "Ticker",
        "Name",
        ">Score",
        ">Price",
        ">Volume",
        ">Momentum",
        ">Strength",
        ">Volatility",
        ">Volume change",
        drop=("Volume", "Name", "Volume change", "Volatility", "Strength", "Momentum", "Price"),
    )
    if not with_domain:
        rows.leave_out("Domain")
    for each in shown:
        rows.add_row(
            clean(each.domain),
            "-" if each.rank is None else str(each.rank),
            clean(each.ticker),
            clean(each.name),
            _score(each),
            "-" if each.close_price is None else price(each.close_price),
            "-" if each.volume is None else quantity(each.volume),
            *(_percent(each, factor) for factor in ("momentum", "relative_strength")),
            _unsigned(each, "volatility"),
            _percent(each, "volume_change"),
        )
    screen().print(rows)


def _score(ranked: _Ranked) -> str:
    return "-" if ranked.score is None else f"{ranked.score:.2f}"


def _value(ranked: _Ranked, factor: str) -> Decimal | None:
    found = (ranked.factors or {}).get(factor)
    return found and found.value


def _percent(ranked: _Ranked, factor: str) -> Text | str:
    value = _value(ranked, factor)
    return "-" if value is None else signed(value * 100, " %")


def _unsigned(ranked: _Ranked, factor: str) -> str:
    value = _value(ranked, factor)
    return "-" if value is None else f"{value * 100:.2f} %"


@stock.command(name="add")
def add_stock(
    ticker: _Ticker,
    /,
    *,
    to: Annotated[str, Parameter(name="--domain", help="The domain, such as AI/Tech.")],
    name: Annotated[
        str | None, Parameter(help="What it is called. Default: its ticker, or as it was.")
    ] = None,
    options: Shown = SHOWN,
) -> None:
    """Follow a stock in a domain, or move it there."""
    with Desk(options) as desk:
        answer = desk.post("/api/stocks", {"ticker": ticker, "name": name, "domain": to})
        if options.json:
            show_json(answer.text)
            return
        added = answer.read(_Stock)
    say(f"{clean(added.ticker)} ({clean(added.name)}) is in {clean(added.domain)}.")


@stock.command(name="remove")
def remove_stock(ticker: _Ticker, /, *, options: Shown = SHOWN) -> None:
    """Follow a stock no longer; its scores go with it."""
    if not ticker.strip():
        raise CommandFailed("Which stock? Give its ticker.", Exit.USAGE)
    with Desk(options) as desk:
        desk.delete(f"/api/stocks/{quote(ticker, safe='')}")
    if options.json:
        show_value({"ticker": ticker.upper(), "removed": True})
    else:
        say(f"{clean(ticker.upper())} is followed no longer.")


@stock.command(name="list")
def list_stocks(
    *,
    of: Annotated[
        str | None, Parameter(name="--domain", help="Only the stocks of this domain.")
    ] = None,
    limit: _HowMany = 100,
    every: Every = False,
    options: Shown = SHOWN,
) -> None:
    """Show the stocks that are followed, by ticker."""
    with Desk(options) as desk:
        answer = desk.rows("/api/stocks", limit=None if every else limit, domain=of)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[_Stock])
    if not found:
        say("No stocks match. Follow one: paperdesk stock add AAPL --domain AI/Tech")
        return
    rows = table("Ticker", "Name", "Domain", "Fetched (UTC)", drop=("Fetched (UTC)", "Name"))
    for each in found:
        fetched = instant(each.last_updated) if each.last_updated else "not yet"
        rows.add_row(clean(each.ticker), clean(each.name), clean(each.domain), fetched)
    screen().print(rows)
    if answer.next_page:
        say(_MORE)


@domain.command(name="add")
def add_domain(name: _Domain, /, *, options: Shown = SHOWN) -> None:
    """Add a domain."""
    with Desk(options) as desk:
        answer = desk.post("/api/domains", {"name": name})
        if options.json:
            show_json(answer.text)
            return
        added = answer.read(_DomainAnswer)
    say(f"There is the domain {clean(added.name)}, with {added.stocks} stock(s).")


@domain.command(name="remove")
def remove_domain(name: _Domain, /, *, options: Shown = SHOWN) -> None:
    """Remove a domain that has no stocks."""
    with Desk(options) as desk:
        desk.delete(f"/api/domains/{_named(name)}")
    if options.json:
        show_value({"name": name, "removed": True})
    else:
        say(f"The domain {clean(name)} is removed.")


@domain.command(name="list")
def list_domains(*, limit: _HowMany = 100, every: Every = False, options: Shown = SHOWN) -> None:
    """Show the domains in the order they were added."""
    with Desk(options) as desk:
        answer = desk.rows("/api/domains", limit=None if every else limit)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[_DomainAnswer])
    if not found:
        say("No domains yet. Add one: paperdesk domain add AI/Tech")
        return
    rows = table("Domain", ">Stocks")
    for each in found:
        rows.add_row(clean(each.name), str(each.stocks))
    screen().print(rows)
    if answer.next_page:
        say(_MORE)


def _named(name: str) -> str:
    """Return a domain's name as it stands in a path. Raises CommandFailed for an empty one."""
    if not name.strip("/ "):
        raise CommandFailed("Which domain? Give its name.", Exit.USAGE)
    return quote(name)
