"""`paperdesk import`: a broker's file, sent to the desk and booked as a job."""

import json
import re
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.import_rejects import refused_path
from paperdesk.cli.job_table import Job
from paperdesk.cli.jobs import IMPORT, AllOrNothing, Auto, Key, follow
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.cli.progress import sending
from paperdesk.cli.upload import opened
from paperdesk.ids import new_id

JOBS: Final = "/api/jobs"
_QUESTION: Final = "[QUESTION]"
_IN_OPTIONS: Final = (
    (r"Say columns: (which .*?), such as \{.*\}", r"Say \1: --column ticker=Symbol"),
    (r"Say date_order: (\w+) or (\w+)", r"Say --date-order \1 or --date-order \2"),
    (r"Say decimal: '(.)' or '(.)'", r"Say --decimal \1 or --decimal \2"),
    (r"Say format\b", "Say which with --format"),
    (r"^format: ", "--format: "),
    (r"^columns: ", "--column: "),
)
"""How a question of the desk is put to somebody who answers by options."""


def import_trades(
    file: Annotated[
        str,
        Parameter(allow_leading_hyphen=True, help="A broker's file; `-` is standard input."),
    ],
    /,
    *,
    written: Annotated[
        str | None, Parameter(name="--format", help="Which format it is. Default: as it looks.")
    ] = None,
    column: Annotated[
        list[str] | None,
        Parameter(negative="", help="Which column is what, as at=Datum; once for each of them."),
    ] = None,
    date_order: Annotated[
        Literal["day_first", "month_first"] | None,
        Parameter(help="What comes first in its dates. Default: as they look."),
    ] = None,
    decimal: Annotated[
        Literal[".", ","] | None,
        Parameter(help="The decimal mark of its numbers. Default: as they look."),
    ] = None,
    currency: Annotated[
        str | None,
        Parameter(help="The currency, as EUR, that is to be the desk's money, one for one."),
    ] = None,
    zone: Annotated[
        str | None,
        Parameter(
            help="The time zone of times that name none. Default: New York's, or the broker's."
        ),
    ] = None,
    fund: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Deposit what a row lacks in cash."),
    ] = False,
    auto: Auto = False,
    all_or_nothing: AllOrNothing = False,
    name: Annotated[str | None, Parameter(help="What to call the job. Default: the file.")] = None,
    key: Key = None,
    rejects: Annotated[
        Path | None,
        Parameter(help="Write rows that failed to this file: CSV, or JSON where FILE is JSON."),
    ] = None,
    options: Remote = REMOTE,
) -> int:
    """Import a broker's file: estimated first, or with --auto booked at once."""
    written_to = (rejects, refused_path(rejects)) if rejects is not None else ()
    if any(_are_one(file, each) for each in written_to):
        raise CommandFailed("--rejects must name another file than FILE.", Exit.USAGE)
    form = {
        "kind": IMPORT,
        "name": name,
        "mode": "auto" if auto else "confirm",
        "atomicity": "all" if all_or_nothing else "partial",
        "format": written,
        "columns": _columns(column),
        "date_order": date_order,
        "decimal": decimal,
        "currency": currency,
        "zone": zone,
        "fund": "true" if fund else None,
    }
    with opened(file) as upload, Desk(options) as desk:
        with sending(upload.size) as shown:
            upload.shown = shown
            try:
                answer = desk.upload(JOBS, form, upload, key=new_id() if key is None else key)
            except CommandFailed as failure:
                raise _put_to_a_person(failure) from failure
        return follow(desk, answer.read(Job), rejects, options)


def _columns(said: list[str] | None) -> str | None:
    """Return which column is what, as JSON."""
    found: dict[str, str] = {}
    for each in said or ():
        field, _, column = each.partition("=")
        if not field or not column:
            raise CommandFailed(f"--column {each}: say it as ticker=Symbol.", Exit.USAGE)
        if field in found:
            raise CommandFailed(f"--column: {field} is said twice.", Exit.USAGE)
        found[field] = column
    return json.dumps(found) if found else None


def _put_to_a_person(failure: CommandFailed) -> CommandFailed:
    """Return a failure in which a question of the desk names the options that answer it."""
    message = str(failure)
    if _QUESTION not in message:
        return failure
    for pattern, said in _IN_OPTIONS:
        message = re.sub(pattern, said, message)
    return CommandFailed(message, failure.exit_code, failure.problem)


def _are_one(file: str, path: Path) -> bool:
    given = Path(file)
    return file != "-" and path.exists() and given.exists() and path.samefile(given)
