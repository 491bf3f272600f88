"""`paperdesk copy`: a desk moved to another database, on either kind, and compared."""

import asyncio
import sys
import time
from typing import Annotated, Final

from cyclopts import Parameter

from paperdesk.cli.config import place
from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import say, show_value
from paperdesk.cli.progress import progress
from paperdesk.settings import Settings, database_url, sqlite_path
from paperdesk.transfer import copy_desk

_WARNING: Final = (
    "paperdesk: a desk may run on PostgreSQL during the copy: what it books from now on is not in "
    "the copy. Stop it first if nothing may be missing.\n"
)


def copy(
    *,
    to: Annotated[str, Parameter(help="Where to: an empty database, by its file or URL.")],
    source: Annotated[
        str | None,
        Parameter(name="--from", help="Where from. Default: the desk of the settings."),
    ] = None,
    options: Shown = SHOWN,
) -> None:
    """Copy a desk to an empty database, on SQLite or PostgreSQL, and prove both."""
    settings = Settings.load()
    from_url = database_url(source) if source is not None else settings.database_url
    to_url = database_url(to)
    started = time.monotonic()
    if not sqlite_path(from_url):
        sys.stderr.write(_WARNING)
    with progress() as watch:
        copied = asyncio.run(copy_desk(from_url, to_url, watch))
    places = [place(settings.model_copy(update={"database_url": u})) for u in (from_url, to_url)]
    if options.json:
        show_value(
            {"from": places[0], "to": places[1], "rows": copied.rows, "state_hash": copied.state}
        )
        return
    took = time.monotonic() - started
    rows = copied.rows
    say(f"Copied {sum(rows.values()):,} rows of {len(rows)} tables in {took:.1f} s.")
    say(f"From {places[0]}")
    say(f"To   {places[1]}")
    say(f"State {copied.state}")
    say("Both are proven and hold the same. Serve the copy by setting DATABASE_URL to it.")
