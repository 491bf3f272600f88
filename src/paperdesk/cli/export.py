"""`paperdesk export`: what an account has and did, as a file on this machine."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import httpx2
import msgspec
from cyclopts import Parameter

from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.job_progress import watch
from paperdesk.cli.job_table import Job, Row
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.cli.output import clean, say, show_json
from paperdesk.ids import new_id

_FORMATS: Final = ("csv", "jsonl", "xlsx")


class _Made(msgspec.Struct):
    """What an export says of its file."""

    file: str
    rows: int
    bytes: int
    sha256: str


def export(
    table: Annotated[
        Literal["trades", "positions", "ledger", "snapshots"], Parameter(help="What to export.")
    ],
    /,
    *,
    written: Annotated[
        Literal["csv", "jsonl", "xlsx"] | None,
        Parameter(name="--format", help="Default: as the file's name ends, else csv."),
    ] = None,
    out: Annotated[Path | None, Parameter(help="The file. Default: a new one, here.")] = None,
    since: Annotated[str | None, Parameter(name="--from", help="Not before this time.")] = None,
    until: Annotated[str | None, Parameter(name="--to", help="Before this time.")] = None,
    ticker: Annotated[str | None, Parameter(help="Only this stock.")] = None,
    bom: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Mark a CSV as UTF-8, for Excel."),
    ] = False,
    options: Remote = REMOTE,
) -> int:
    """Write trades, positions, the ledger or snapshots of an account into a file."""
    row: dict[str, Any] = {
        "table": table,
        "format": written or _by_name(out),
        "since": since,
        "until": until,
        "ticker": ticker,
        "bom": bom or None,
    }
    given = {name: value for name, value in row.items() if value is not None}
    body = {"kind": "export", "mode": "auto", "name": f"Export of {table}", "rows": [given]}
    with Desk(options) as desk:
        made = desk.post("/api/jobs", body, key=new_id()).read(Job)
        where = f"/api/jobs/{quote(made.id, safe='')}"
        done = watch(desk, where)
        if done.status != "completed":
            raise CommandFailed(
                clean(done.error_message or f"The export is {done.status}."), Exit.REFUSED
            )
        [what] = desk.rows(f"{where}/rows", limit=1).read(list[Row])
        file = msgspec.convert(what.effect, _Made)
        # A name of the desk's, not a path.
        path = out or Path(Path(file.file).name)
        _download(desk, f"{where}/file", path)
        if options.json:
            show_json(msgspec.json.encode({"path": str(path), **msgspec.to_builtins(file)}))
            return Exit.OK
    say(f"{path}: {file.rows:,} rows, {file.bytes:,} bytes.")
    return Exit.OK


def _by_name(out: Path | None) -> str:
    suffix = out.suffix.lower().removeprefix(".") if out else ""
    return suffix if suffix in _FORMATS else _FORMATS[0]


def _download(desk: Desk, path: str, target: Path) -> None:
    """Write a file of the desk's; the target is there once it is whole, and not before."""
    unfinished = None
    try:
        with desk.download(path) as answer:
            number, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
            unfinished = Path(name)
            with os.fdopen(number, "wb") as file:
                for block in answer.iter_bytes():
                    file.write(block)
        unfinished.replace(target)
    except httpx2.TransportError as error:
        raise desk.unreachable(error) from error
    except OSError as error:
        raise CommandFailed(f"{target} cannot be written: {error.strerror}.", Exit.USAGE) from error
    finally:
        if unfinished is not None:
            with suppress(FileNotFoundError):
                unfinished.unlink()
