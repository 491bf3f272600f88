"""`paperdesk performance`: returns, risk, and what each ticker made."""

import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from rich.text import Text

from paperdesk.cli.answers import Performance, Point
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, OfSource, Remote
from paperdesk.cli.output import clean, instant, money, say, screen, show_json, signed, table

WIDTH: Final = 60
"""Characters of the curve."""

_MOST_LINES: Final = 20
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_PLAIN: Final = "_.-~=+*#"
_NONE: Final = "-"


def performance(
    *,
    span: Annotated[
        Literal["1d", "1w", "1m", "3m", "1y", "all"] | None,
        Parameter(name="--range", help="How far back; if left out, to when it was last reset."),
    ] = None,
    ticker: Annotated[str | None, Parameter(help="Only what this stock made.")] = None,
    strategy: Annotated[str | None, Parameter(help="Only what this strategy made.")] = None,
    source: OfSource = None,
    start: Annotated[
        str | None,
        Parameter(help="From then on, instead of --range: 2026-01-01T00:00:00Z."),
    ] = None,
    end: Annotated[str | None, Parameter(help="Until then. Default: now.")] = None,
    benchmark: Annotated[str | None, Parameter(help="A stock to compare with.")] = None,
    options: Remote = REMOTE,
) -> None:
    """Show returns, risk, and what each stock made."""
    if span is not None and (start is not None or end is not None):
        raise CommandFailed("Give either --range, or --start and --end.", Exit.USAGE)
    with Desk(options) as desk:
        answer = desk.get(
            "/api/portfolio/performance",
            range=span,
            start=start,
            end=end,
            ticker=ticker,
            source=source,
            strategy=strategy,
            benchmark=benchmark,
        )
        if options.json:
            show_json(answer.text)
            return
        told = answer.read(Performance)
        curve: list[Point] = []
        # Snapshots are of whole accounts.
        if ticker is None and strategy is None and source is None:
            since = told.start if span is None else None
            points = desk.get(
                "/api/portfolio/history", range=span, start=since, end=end, points=WIDTH
            )
            curve = points.read(list[Point])
    say(f"From {instant(told.start)} to {instant(told.end)} (UTC)")
    if len(curve) > 1:
        low, high = min(p.total_value for p in curve), max(p.total_value for p in curve)
        say(f"{money(low)} {sparkline([point.total_value for point in curve])} {money(high)}")
    say("")
    _figures(told)
    _contributions(told)
    if told.estimated:
        say("Somewhere no price of the market was known: a trade's own price stood in for it.")
    if told.unpriced:
        tickers = ", ".join(clean(name) for name in told.unpriced)
        say(f"No current price for {tickers}: valued at the last known one.")


def sparkline(values: Sequence[Decimal], encoding: str | None = None) -> str:
    """Return a curve as one line of blocks; of plain characters where blocks cannot be printed."""
    levels = _BLOCKS if _can_print(_BLOCKS, encoding or sys.stdout.encoding) else _PLAIN
    low, high = min(values), max(values)
    if low == high:
        return levels[len(levels) // 2] * len(values)
    steps = len(levels) - 1
    return "".join(
        levels[int((value - low) * steps / (high - low) + Decimal("0.5"))] for value in values
    )


def _figures(told: Performance) -> None:
    rows = table("Performance", ">")
    for name, amount in (("Value at the start", told.start_value), ("Deposits", told.deposits)):
        rows.add_row(name, money(amount))
    rows.add_row("Withdrawals", money(told.withdrawals))
    rows.add_row("Profit", signed(told.profit))
    rows.add_row("  of it realised", signed(told.realized_pnl))
    rows.add_row("  dividends and interest", signed(told.income))
    rows.add_row("  fees", signed(-told.fees))
    rows.add_row("Value at the end", Text(money(told.end_value), style="bold"))
    rows.add_row("Return", _percent(told.simple))
    rows.add_row("Return, time-weighted", _percent(told.twr))
    rows.add_row("Return, money-weighted", _percent(told.mwr))
    rows.add_row("Growth a year", _percent(told.cagr))
    rows.add_row("Deepest fall", _percent(told.max_drawdown))
    rows.add_row("Volatility a year", _percent(told.volatility, plain=True))
    for name, ratio in (
        ("Sharpe", told.sharpe),
        ("Sortino", told.sortino),
        ("Calmar", told.calmar),
    ):
        rows.add_row(name, _ratio(ratio))
    rows.add_row("Trades that gained", _percent(told.win_rate, plain=True))
    rows.add_row("Invested, mean", _percent(told.exposure, plain=True))
    for name, day in (("Best day", told.best_day), ("Worst day", told.worst_day)):
        rows.add_row(
            f"{name} {clean(day.date)}" if day else name, _percent(day.change if day else None)
        )
    beside = told.benchmark
    if beside is not None:
        rows.add_row(f"{clean(beside.ticker)}, return", _percent(beside.change))
        for name, value in (("Beta", beside.beta), ("Correlation", beside.correlation)):
            rows.add_row(f"{name} to {clean(beside.ticker)}", _ratio(value))
        rows.add_row("Alpha a year", _percent(beside.alpha))
    screen().print(rows)


def _contributions(told: Performance) -> None:
    lines = [line for line in told.contributions if line.ticker is not None or line.profit]
    if not lines:
        return
    say("")
    rows = table("Ticker", ">Profit", ">Of the return")
    for line in islice(lines, _MOST_LINES):
        name = clean(line.ticker) if line.ticker is not None else "Income less fees"
        rows.add_row(name, signed(line.profit), _percent(line.contribution))
    screen().print(rows)
    if len(lines) > _MOST_LINES:
        say(f"{len(lines) - _MOST_LINES} more with --json.")


def _percent(fraction: Decimal | None, *, plain: bool = False) -> Text:
    if fraction is None:
        return Text(_NONE)
    return Text(f"{fraction * 100:,.2f} %") if plain else signed(fraction * 100, " %")


def _ratio(value: Decimal | None) -> Text:
    return Text(_NONE if value is None else f"{value:,.2f}")


def _can_print(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
