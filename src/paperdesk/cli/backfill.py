"""`paperdesk backfill`: have minutes of the past fetched and stored, as a job."""

from typing import Annotated

from cyclopts import Parameter

from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.jobs import Key, make
from paperdesk.cli.options import REMOTE, Remote


def backfill(
    *tickers: Annotated[str, Parameter(help="The stocks.")],
    since: Annotated[
        str | None,
        Parameter(name="--from", help="The first day, or a time. Default: 366 days before --to."),
    ] = None,
    until: Annotated[
        str | None, Parameter(name="--to", help="The last day, or a time. Default: now.")
    ] = None,
    key: Key = None,
    options: Remote = REMOTE,
) -> int:
    """Fetch minutes of the past where there are none, and watch it; exits 1 where that failed."""
    if not tickers:
        raise CommandFailed("Name a ticker, such as AAPL.", Exit.USAGE)
    span = {"from": since, "to": until}
    given = {name: value for name, value in span.items() if value is not None}
    rows = [{"ticker": ticker, **given} for ticker in tickers]
    body = {"kind": "backfill", "mode": "auto", "rows": rows}
    return make(body, key=key, rejects=None, options=options)
