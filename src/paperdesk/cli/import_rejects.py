"""Rows of an import that failed, as files that can be mended and imported again.

What could not be read stands there as in the broker's file: under its columns, in their order, or
as the JSON objects that they were. What was read and the books refused has no such cells any more:
it goes into a second file, in the desk's own terms, which the format `paperdesk` reads.
"""

import csv
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol, TextIO, cast

from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.import_sections import in_sections
from paperdesk.cli.job_table import Job, Row, fields_of, write_rejects
from paperdesk.cli.rejected_cells import OURS, TEXT, cells_of, column_names, reason_of

_UNDERSTOOD: Final = frozenset({"kind", "at"})
TERMS: Final = (
    *("kind", "at", "date_only", "ticker", "quantity", "price", "fee", "taxes", "net", "ratio"),
    *("account", "external_id", "note", "instrument", "key"),
)
"""Columns of a file in the desk's own terms: amounts are in its money, whatever the file had."""
_OTHERS: Final = ("currency", "rate")
"""What a row in those terms may say besides: of which currency it was, and at which rate."""
_TOLD: Final = ("format", "date_order", "decimal", "currency", "zone")


def refused_path(path: Path) -> Path:
    """Return where rows go that the books refused, beside those that could not be read."""
    return path.with_name(f"{path.stem}-refused.csv")


class _Writer(Protocol):
    """Writes rows into a file, which is there once there is one."""

    path: Path

    @property
    def count(self) -> int: ...
    def add(self, row: Row) -> None: ...
    def finish(self) -> None: ...


class Saved:
    """How many rows were written, and where: those that were unreadable, and those refused."""

    def __init__(self, job: Job, unreadable: _Writer, refused: _Writer) -> None:
        self._job = job
        self._unreadable = unreadable
        self._refused = refused

    def sentences(self, account: str | None) -> list[str]:
        """Return what to tell of each file: what it has, and how it is imported."""
        told: list[str] = []
        if count := self._unreadable.count:
            path = self._unreadable.path
            told += [
                f"{path} has the {count:,} that could not be read, with the reasons.",
                f"Mend them there: {_again(path, self._job, account)}",
            ]
        if count := self._refused.count:
            path = self._refused.path
            retry = _command("job", "retry", self._job.id, account=account)
            told += [
                f"{path} has the {count:,} that the books refused, in the desk's terms.",
                f"Change them there: {_again(path, self._job, account, terms=True)}",
                f"Or once cash and shares are there: {retry}",
            ]
        return told


def save_rejects(
    path: Path, job: Job, failed: Iterable[Row], skipped: Callable[[], Iterable[Row]]
) -> Saved:
    """Write the failed rows of an import. Raises CommandFailed where that is not possible.

    `skipped` gives its skipped rows, among which are the headers of a file of sections.
    """
    options = _options(job)
    header: list[str] = options.get("header") or []
    with ExitStack() as stack:
        unreadable = _writer(path, options, header, skipped, stack)
        refused = _Table(refused_path(path), TERMS, TERMS, stack)
        try:
            for row in failed:
                is_read = _is_understood(fields_of(row.data), header)
                (refused if is_read else unreadable).add(row)
            unreadable.finish()
            refused.finish()
        except OSError as error:
            raise CommandFailed(
                f"{error.filename or path} cannot be written: {error.strerror}.", Exit.USAGE
            ) from error
    return Saved(job, unreadable, refused)


def _writer(
    path: Path,
    options: Mapping[str, Any],
    header: Sequence[str],
    skipped: Callable[[], Iterable[Row]],
    stack: ExitStack,
) -> _Writer:
    if options.get("is_json"):
        return _Objects(path, stack)
    if header:
        return _Table(path, header, column_names(header), stack)
    if "format" in options and "header" in options:
        return _Later(path, lambda rows: _write_sections(path, rows, skipped()))
    # It came as JSON over HTTP: there is no file whose columns they could be in.
    return _Later(path, lambda rows: write_rejects(path, rows))


def _is_understood(fields: Mapping[str, Any], header: Sequence[str]) -> bool:
    # A file of the format `paperdesk` has those columns itself, and rows that cannot be read.
    return fields.keys() >= _UNDERSTOOD and set(fields) != set(header)


def _options(job: Job) -> dict[str, Any]:
    return cast("dict[str, Any] | None", job.options) or {}


def _again(path: Path, job: Job, account: str | None, *, terms: bool = False) -> str:
    """Return the command that imports a file as the first one was read.

    Of few rows the order of dates, or the decimal mark, is another guess than of all.
    """
    options = _options(job)
    words = ["import", str(path)]
    columns = cast("dict[str, str]", options.get("columns") or {})
    for name in ("currency",) if terms else _TOLD:
        # Columns that are named make it the generic format.
        if options.get(name) is not None and not (name == "format" and columns):
            words += [f"--{name.replace('_', '-')}", str(options[name])]
    if not terms:
        for field, column in columns.items():
            words += ["--column", f"{field}={column}"]
    if options.get("fund"):
        words.append("--fund")
    return _command(*words, account=account)


def _command(*words: str, account: str | None) -> str:
    whose = [] if account is None else ["--account", account]
    return shlex.join(["paperdesk", *words, *whose])


class _Table:
    """CSV: the values of some fields under the names of columns, then what the desk says of it."""

    def __init__(
        self, path: Path, fields: Sequence[str], columns: Sequence[str], stack: ExitStack
    ) -> None:
        self.path = path
        self.count = 0
        named = zip(fields, columns, strict=True)
        # A file of rejected rows that is imported again has such columns of an earlier time.
        kept = [(field, column) for field, column in named if field not in OURS]
        self._fields = [field for field, _ in kept]
        self._columns = [column for _, column in kept]
        self._all = (fields, columns)
        self._stack = stack
        self._writer: Any = None

    def add(self, row: Row) -> None:
        if self._writer is None:
            file = self._stack.enter_context(_created(self.path))
            self._writer = csv.writer(file, lineterminator="\n")
            self._writer.writerow([*self._columns, *OURS])
        names, columns = self._all
        fields = fields_of(row.data)
        if fields.keys() == {TEXT} and (cells := cells_of(row, columns)):
            fields = dict(zip(names, cells, strict=True))
        values = [_cell(fields.get(name)) for name in self._fields]
        is_placed = fields.keys() <= {*names, *_OTHERS}
        self._writer.writerow([*values, *reason_of(row, is_placed=is_placed)])
        self.count += 1

    def finish(self) -> None:
        pass


class _Objects:
    """JSON: a list with an object a line; or, in a file .jsonl, an object a line alone."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.count = 0
        self._is_list = path.suffix.lower() not in {".jsonl", ".ndjson"}
        self._stack = stack
        self._file: TextIO | None = None

    def add(self, row: Row) -> None:
        if self._file is None:
            self._file = self._stack.enter_context(_created(self.path))
            self._file.write("[" if self._is_list else "")
        elif self._is_list:
            self._file.write(",\n")
        kept = {name: value for name, value in fields_of(row.data).items() if name not in OURS}
        ours = dict(zip(OURS, reason_of(row, is_placed=True)[:-1], strict=False))
        self._file.write(json.dumps(kept | ours, ensure_ascii=False, default=str))
        self._file.write("" if self._is_list else "\n")
        self.count += 1

    def finish(self) -> None:
        if self._file is not None and self._is_list:
            self._file.write("]\n")


class _Later:
    """Rows that are written once all are there."""

    def __init__(self, path: Path, write: Callable[[Sequence[Row]], None]) -> None:
        self.path = path
        self._write = write
        self._rows: list[Row] = []

    @property
    def count(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        self._rows.append(row)

    def finish(self) -> None:
        if self._rows:
            self._write(self._rows)


def _write_sections(path: Path, rows: Sequence[Row], skipped: Iterable[Row]) -> None:
    with _created(path) as file:
        csv.writer(file, lineterminator="\n").writerows(in_sections(rows, skipped))


def _created(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
