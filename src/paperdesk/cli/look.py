"""`paperdesk portfolio`, `trades`, `journal`, `watchlist`: what the desk holds, and what it did."""

from typing import Annotated, Literal
from urllib.parse import quote

from cyclopts import App, Parameter
from rich.text import Text

from paperdesk.cli.answers import Entry, Portfolio, Position, Quote, Trade
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Every, HowMany, OfSource, OfStrategy, Remote
from paperdesk.cli.output import (
    OLDER,
    clean,
    instant,
    money,
    price,
    quantity,
    say,
    screen,
    show_json,
    show_value,
    signed,
    table,
)
from paperdesk.cli.prices import show_quotes

watchlist = App(
    name="watchlist",
    help_epilogue="""\
Examples:
  paperdesk watchlist
  paperdesk watchlist add PYPL
  paperdesk watchlist import list.csv
  paperdesk watchlist remove PYPL""",
)
watchlist.command(
    "paperdesk.cli.watchlist_import:import_watchlist",
    name="import",
    help="Put many stocks on the watchlist.",
    help_epilogue="""\
A CSV file has a column ticker or symbol; of a text file, and of words, each
word is a ticker. It is shown first, and done by `paperdesk job start`.

Examples:
  paperdesk watchlist import list.csv
  paperdesk watchlist import list.txt --auto
  paperdesk watchlist import AAPL MSFT NASDAQ:NVDA --auto""",
)


def portfolio(
    *,
    lots: Annotated[
        bool, Parameter(negative="", show_default=False, help="Show the lots of each position.")
    ] = False,
    options: Remote = REMOTE,
) -> None:
    """Show cash, positions, and what they are worth."""
    with Desk(options) as desk:
        answer = desk.get("/api/portfolio")
        if options.json:
            show_json(answer.text)
            return
        account = answer.read(Portfolio)
    if account.positions:
        _positions(account.positions)
        say("")
        if lots:
            _lots(account)
    _totals(account)
    if account.unpriced:
        tickers = ", ".join(clean(ticker) for ticker in account.unpriced)
        say(f"No current price for {tickers}: shown at the last known one.")
    if not account.positions:
        say("No positions yet. Buy something: paperdesk buy AAPL 10")


def _positions(positions: list[Position]) -> None:
    rows = table(
        "Ticker",
        ">Shares",
        ">Available",
        ">Average cost",
        ">Price",
        ">Value",
        ">Gain or loss",
        ">%",
        drop=("Average cost", "%", "Price", "Gain or loss"),
    )
    for position in positions:
        rows.add_row(
            clean(position.ticker),
            quantity(position.quantity),
            quantity(position.available_quantity),
            price(position.avg_cost),
            price(position.current_price),
            money(position.market_value),
            signed(position.unrealized_pnl),
            signed(position.pnl_pct, " %"),
        )
    if all(position.available_quantity == position.quantity for position in positions):
        rows.leave_out("Available")
    screen().print(rows)


def _lots(account: Portfolio) -> None:
    rows = table("Ticker", ">Lot", "Opened (UTC)", ">Shares", ">Cost")
    for position in account.positions:
        for lot in position.lots:
            rows.add_row(
                clean(position.ticker),
                str(lot.number),
                instant(lot.opened_at),
                quantity(lot.quantity),
                money(lot.cost_basis),
            )
    if rows.row_count:
        screen().print(rows)
    else:
        say(
            "At average cost lots are not told apart: paperdesk account change ID --cost-basis fifo"
        )
    say("")


def _totals(account: Portfolio) -> None:
    rows = table("Account", ">USD")
    rows.add_row("Cash", money(account.cash_balance))
    if account.reserved_cash:
        rows.add_row("  of it reserved for open orders", money(account.reserved_cash))
    if account.short_collateral:
        rows.add_row("  of it held for short positions", money(account.short_collateral))
    if account.buying_power != account.cash_balance:
        rows.add_row("Buying power", money(account.buying_power))
    rows.add_row("Positions", money(account.positions_value))
    rows.add_row("Total", Text(money(account.total_value), style="bold"))
    if account.maintenance_margin:
        rows.add_row("  of it required for short positions", money(account.maintenance_margin))
    rows.add_row("Unrealised gain or loss", signed(account.unrealized_pnl))
    rows.add_row("Realised gain or loss", signed(account.realized_pnl))
    screen().print(rows)


def trades(
    *,
    ticker: Annotated[str | None, Parameter(help="Only this stock.")] = None,
    side: Annotated[Literal["buy", "sell"] | None, Parameter(help="Only this side.")] = None,
    strategy: OfStrategy = None,
    source: OfSource = None,
    limit: HowMany = 20,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show what was traded, newest first."""
    with Desk(options) as desk:
        answer = desk.rows(
            "/api/trades",
            limit=None if every else limit,
            ticker=ticker,
            side=side,
            strategy=strategy,
            source=source,
        )
        if options.json:
            show_json(answer.text)
            return
        booked = answer.read(list[Trade])
    if not booked:
        chosen = ticker or side or strategy or source
        say("No trades match." if chosen else "No trades yet. Make one: paperdesk buy AAPL 10")
        return
    rows = table(
        "Time (UTC)",
        "Side",
        "Ticker",
        ">Shares",
        ">Price",
        ">Value",
        ">Realised",
        "Strategy",
        drop=("Strategy", "Value", "Realised", "Time (UTC)"),
    )
    for trade in booked:
        rows.add_row(
            instant(trade.executed_at),
            clean(trade.side),
            clean(trade.ticker),
            quantity(trade.quantity),
            price(trade.price),
            money(trade.value),
            signed(trade.realized_pnl) if trade.side == "sell" else "",
            clean(trade.strategy),
        )
    screen().print(rows)
    if answer.next_page:
        say(OLDER)


def journal(
    *,
    kind: Annotated[
        Literal["trades", "cash_movements", "position_adjustments"] | None,
        Parameter(name="--table", help="Only the entries of this table."),
    ] = None,
    ticker: Annotated[str | None, Parameter(help="Only this stock.")] = None,
    limit: HowMany = 20,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show every entry of the journal with its hash, newest first."""
    with Desk(options) as desk:
        answer = desk.rows(
            "/api/journal", limit=None if every else limit, table=kind, ticker=ticker
        )
        if options.json:
            show_json(answer.text)
            return
        entries = answer.read(list[Entry])
    if not entries:
        say("No entries match.")
        return
    rows = table(
        ">No.",
        "Time (UTC)",
        "Entry",
        "Ticker",
        ">Shares",
        ">USD",
        "Hash begins",
        drop=("Hash begins", "Time (UTC)", "Shares"),
    )
    for entry in entries:
        rows.add_row(
            str(entry.sequence),
            instant(entry.executed_at or entry.effective_at),
            _entry(entry),
            clean(entry.ticker),
            quantity(entry.quantity) if entry.quantity else "",
            money(entry.value if entry.side else entry.amount),
            clean(entry.hash)[:16],
        )
    screen().print(rows)
    if answer.next_page:
        say(OLDER)


def _entry(entry: Entry) -> str:
    """Return what an entry is: the side of a trade, or a kind with its ratio and new name."""
    ratio = f"{entry.numerator}:{entry.denominator}" if entry.numerator else None
    return clean(" ".join(filter(None, (entry.side or entry.kind, entry.new_ticker, ratio))))


@watchlist.default
def show_watchlist(*, options: Remote = REMOTE) -> None:
    """Show the watchlist with its prices."""
    with Desk(options) as desk:
        answer = desk.get("/api/watchlist")
        if options.json:
            show_json(answer.text)
            return
        quotes = answer.read(list[Quote])
    if quotes:
        show_quotes(quotes)
    else:
        say("The watchlist is empty. Add a stock: paperdesk watchlist add AAPL")


@watchlist.command
def add(
    ticker: Annotated[str, Parameter(help="The stock, such as PYPL.")],
    /,
    *,
    options: Remote = REMOTE,
) -> None:
    """Put a stock on the watchlist."""
    with Desk(options) as desk:
        answer = desk.post("/api/watchlist", {"ticker": ticker})
        if options.json:
            show_json(answer.text)
            return
        entry = answer.read(Quote)
    worth = f" (now {price(entry.price)})" if entry.price is not None else ""
    say(f"{clean(entry.ticker)} is on the watchlist{worth}.")


@watchlist.command
def remove(
    ticker: Annotated[str, Parameter(help="The stock, such as PYPL.")],
    /,
    *,
    options: Remote = REMOTE,
) -> None:
    """Take a stock off the watchlist."""
    if not ticker.strip():
        raise CommandFailed("Which stock? Give its ticker.", Exit.USAGE)
    with Desk(options) as desk:
        desk.delete(f"/api/watchlist/{quote(ticker, safe='')}")
    if options.json:
        show_value({"ticker": ticker.upper(), "removed": True})
    else:
        say(f"{clean(ticker.upper())} is off the watchlist.")
