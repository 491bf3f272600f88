"""Jobs and their rows as tables, and rows that were refused as a file that can be fed back."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.output import clean, instant, money, say, screen, table
from paperdesk.errors import InvalidRequest
from paperdesk.jobs.tables import OF_THE_DESK, rows_of, text_of

_OF_AN_IMPORT: Final = frozenset({"kind", "at"})
_TERMS: Final = (
    "kind",
    "at",
    "ticker",
    "quantity",
    "price",
    "fee",
    "taxes",
    "net",
    "ratio",
    "note",
)
"""What is shown of a row that was read from a broker's file: its key says nothing to a person."""


class Job(msgspec.Struct):
    """A job."""

    id: str
    kind: str
    name: str
    status: str
    phase: str
    mode: str
    total_rows: int
    processed_rows: int
    successful_rows: int
    failed_rows: int
    total_cost_cents: int
    created_at: str
    previewed_at: str | None
    completed_at: str | None
    undone_at: str | None
    original_command: str | None
    error_message: str | None
    rate: Decimal | None = None
    seconds_left: int | None = None
    steps_done: int | None = None
    steps_total: int | None = None
    options: Any = None

    @property
    def cost(self) -> Decimal:
        """What it cost, or is estimated to, in US dollars."""
        return Decimal(self.total_cost_cents).scaleb(-2)


class Row(msgspec.Struct):
    """A row of a job."""

    row_number: int
    status: str
    data: Any
    cost_cents: int
    error_code: str | None
    error_message: str | None
    warning: str | None
    effect: Any = None
    line: int | None = None


def show_jobs(found: Sequence[Job]) -> None:
    """Print jobs as a table."""
    rows = table(
        "Made (UTC)",
        "~Name",
        "Status",
        ">Rows",
        ">Done",
        ">Failed",
        ">Cost",
        "Id",
        drop=("Made (UTC)", "Failed", "Rows"),
        apart="Id",
    )
    for job in found:
        rows.add_row(
            instant(job.created_at),
            clean(job.name),
            clean(job.status),
            f"{job.total_rows:,}",
            f"{job.successful_rows:,}",
            f"{job.failed_rows:,}",
            money(job.cost),
            clean(job.id),
        )
    screen().print(rows)


def show_rows(found: Sequence[Row]) -> None:
    """Print rows of a job as a table."""
    rows = table(">Row", "Status", "~Said", ">Cost", "~What came of it", drop=("Said",))
    for row in found:
        rows.add_row(
            str(row.row_number),
            clean(row.status),
            clean(_said(row.data)),
            money(Decimal(row.cost_cents).scaleb(-2)),
            clean(row.error_message or row.warning),
        )
    screen().print(rows)


def show_summary(job: Job) -> None:
    """Print how a job ended, or how it stands."""
    show_jobs([job])
    if job.error_message:
        say(clean(job.error_message))
    if job.undone_at:
        say("What it booked was taken back.")


def write_rejects(path: Path, found: Sequence[Row]) -> None:
    """Write refused rows with the reasons: JSON by the file's name, else CSV."""
    rows = [
        {
            **fields_of(row.data),
            "row_number": row.row_number,
            "error_code": row.error_code,
            "error_message": row.error_message,
        }
        for row in found
    ]
    try:
        if path.suffix.lower() == ".json":
            path.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2))
            return
        names = dict.fromkeys(name for row in rows for name in row if name not in OF_THE_DESK)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*names, *OF_THE_DESK])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.", Exit.USAGE) from error


def read_rows(path: Path) -> list[Any]:
    """Return the rows of a CSV or JSON file, without what the desk wrote into it of its own."""
    try:
        return rows_of(text_of(path.read_bytes()))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}.", Exit.USAGE) from error
    except InvalidRequest as error:
        raise CommandFailed(f"{path} cannot be read. {error}", Exit.USAGE) from error


def fields_of(data: Any) -> dict[str, Any]:
    """Return a row's data by name; what is no object as if it had one field."""
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {"row": data}


def _said(data: Any) -> str:
    fields = fields_of(data)
    if fields.keys() >= _OF_AN_IMPORT:
        # PostgreSQL keeps no order of fields.
        fields = {name: fields[name] for name in _TERMS if name in fields}
    return " ".join(str(value) for value in fields.values() if value is not None and value != "")
