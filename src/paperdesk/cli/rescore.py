"""`paperdesk rescore`: have the followed stocks fetched and scored now, as a job."""

from typing import Annotated

from cyclopts import Parameter

from paperdesk.cli.jobs import Key, make
from paperdesk.cli.options import REMOTE, Remote


def rescore(
    *domains: Annotated[str, Parameter(help="Only their stocks, such as AI/Tech. Default: all.")],
    key: Key = None,
    options: Remote = REMOTE,
) -> int:
    """Fetch and score stocks now, and watch it; exits 1 where a domain could not be."""
    # A row that names none is about all of them.
    rows = [{"domain": domain} for domain in domains] or [dict[str, str]()]
    body = {"kind": "rescore", "mode": "auto", "rows": rows}
    return make(body, key=key, rejects=None, options=options)
