"""`paperdesk attribution`: what each strategy, or each source of trades, made."""

from typing import Annotated, Literal

from cyclopts import Parameter

from paperdesk.cli.answers import Attribution
from paperdesk.cli.client import Desk
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.cli.output import clean, instant, money, say, screen, show_json, signed, table


def attribution(
    *,
    by: Annotated[
        Literal["strategy", "source"], Parameter(help="What tells the parts apart.")
    ] = "strategy",
    span: Annotated[
        Literal["1d", "1w", "1m", "3m", "1y", "all"] | None,
        Parameter(name="--range", help="How far back; if left out, to when it was last reset."),
    ] = None,
    options: Remote = REMOTE,
) -> None:
    """Show what each strategy, or each source of trades, made."""
    with Desk(options) as desk:
        answer = desk.get("/api/portfolio/attribution", by=by, range=span)
        if options.json:
            show_json(answer.text)
            return
        told = answer.read(Attribution)
    say(f"From {instant(told.start)} to {instant(told.end)} (UTC)")
    say("")
    rows = table(by.title(), ">Profit", ">Realised", ">Dividends", ">Fees", ">Holds", ">Trades")
    for part in told.parts:
        rows.add_row(
            "(none)" if part.name is None else clean(part.name),
            signed(part.profit),
            signed(part.realized_pnl),
            signed(part.income),
            signed(-part.fees),
            money(part.end_value),
            str(part.trades),
        )
    rest = told.rest
    if rest.profit or rest.end_value:
        rows.add_row(
            "The rest", signed(rest.profit), "", signed(rest.income), signed(-rest.fees),
            money(rest.end_value), "",
        )  # fmt: skip
    rows.add_row("Account", signed(told.profit), "", "", "", "", "")
    screen().print(rows)
    if told.unpriced:
        tickers = ", ".join(clean(name) for name in told.unpriced)
        say(f"No current price for {tickers}: valued at the last known one.")
