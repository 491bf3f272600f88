"""`paperdesk actions`: the corporate actions of a file, each booked once."""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from paperdesk.cli.answers import Acted
from paperdesk.cli.client import Answer, Desk
from paperdesk.cli.corporate import OUTCOME, OUTCOME_DROP, PATH, check_accounts, outcome
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import REMOTE, Remote
from paperdesk.cli.output import clean, say, screen, show_value, table

_COLUMNS: Final = frozenset(
    {
        "key",
        "kind",
        "ticker",
        "new_ticker",
        "numerator",
        "denominator",
        "cost_percent",
        "per_share",
        "quantity",
        "reinvest_at",
        "cash_in_lieu",
        "effective_at",
        "note",
    }
)
_WHOLE: Final = frozenset({"numerator", "denominator"})


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: on which line it ends, and what it says."""

    line: int
    said: dict[str, Any]


def actions(
    file: Annotated[Path, Parameter(help="CSV with a header: kind, ticker, per_share, …")],
    /,
    *,
    every_account: Annotated[
        bool, Parameter(negative="", show_default=False, help="On every account they concern.")
    ] = False,
    options: Remote = REMOTE,
) -> None:
    """Book the corporate actions of a file, in its order; each row is booked once, for ever."""
    check_accounts(every=every_account, options=options)
    rows = _rows(file)
    booked: list[tuple[Row, Answer]] = []
    failed: tuple[Row, CommandFailed] | None = None
    with Desk(options) as desk:
        for row in rows:
            body: dict[str, Any] = {**row.said, "every_account": every_account}
            body.setdefault("key", _key_of(row.said))
            try:
                booked.append((row, desk.post(PATH, body)))
            except CommandFailed as failure:
                failed = row, failure
                break
    if options.json:
        show_value(_plain(booked, failed))
    elif booked:
        _show(booked)
    elif not rows:
        say("The file has no actions: nothing stands below its header.")
    if failed is not None:
        row, failure = failed
        raise CommandFailed(
            f"Line {row.line}: {failure} The rows before it are booked. Mend that and book the "
            "file again: nothing is booked twice.",
            failure.exit_code,
            failure.problem,
        )


def _plain(
    booked: list[tuple[Row, Answer]], failed: tuple[Row, CommandFailed] | None
) -> list[dict[str, Any]]:
    """Return what came of each row: the desk's answers, digit for digit, by line."""
    told: list[dict[str, Any]] = [
        {"line": row.line, **answer.read(dict[str, msgspec.Raw])} for row, answer in booked
    ]
    if failed is not None:
        row, failure = failed
        problem = failure.problem
        detail = {"detail": str(failure)} if problem is None else msgspec.Raw(problem)
        told.append({"line": row.line, "problem": detail})
    return told


def _show(booked: list[tuple[Row, Answer]]) -> None:
    rows = table(">Line", "Kind", "Ticker", *OUTCOME, drop=(*OUTCOME_DROP, "Kind"))
    for row, answer in booked:
        about = (str(row.line), clean(row.said.get("kind")), clean(row.said.get("ticker")))
        results = answer.read(Acted).results
        for one in results:
            rows.add_row(*about, *outcome(one))
        if not results:
            rows.add_row(*about, "", "concerns no account", "", "", "", "")
    screen().print(rows)


def _rows(file: Path) -> list[Row]:
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise CommandFailed(f"There is no file {file}.", Exit.USAGE) from None
    except UnicodeDecodeError:
        raise CommandFailed(
            f"{file} is not UTF-8 text. Save it as CSV in UTF-8.", Exit.USAGE
        ) from None
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.", Exit.USAGE) from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        _check_names(file, names)
        reader.fieldnames = names
        return [Row(reader.line_num, _body(row)) for row in reader]
    except (csv.Error, ValueError) as error:
        raise CommandFailed(f"{file}, line {reader.line_num}: {error}.", Exit.USAGE) from None


def _check_names(file: Path, names: list[str]) -> None:
    """Raise CommandFailed where the header of a file is not one of actions."""
    columns = ", ".join(sorted(_COLUMNS))
    if not names:
        raise CommandFailed(
            f"{file} is empty. Its first line names the columns, of {columns}.", Exit.USAGE
        )
    if unknown := [name for name in names if name not in _COLUMNS]:
        raise CommandFailed(
            f"{file} has the column {unknown[0]!r}. It may have {columns}.", Exit.USAGE
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise CommandFailed(f"{file} has the column {twice[0]!r} twice.", Exit.USAGE)
    if missing := [name for name in ("kind", "ticker") if name not in names]:
        raise CommandFailed(f"{file} has no column {missing[0]!r}.", Exit.USAGE)


def _body(row: dict[str, Any]) -> dict[str, Any]:
    cells = [*row, *row.values()]
    if not all(isinstance(cell, str) for cell in cells):
        # What has no name, or no value.
        raise ValueError("must have as many cells as the header")
    said = {name: value.strip() for name, value in row.items() if value.strip()}
    if "key" not in said and "effective_at" not in said:
        # Two dividends may say the same but for their time.
        raise ValueError("must have a key or effective_at, which tell it from another one")
    return {name: _whole(name, value) if name in _WHOLE else value for name, value in said.items()}


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from None


def _key_of(said: dict[str, Any]) -> str:
    """Return the key of an action that has none: the same for the same words."""
    text = json.dumps(said, sort_keys=True)
    return f"action:{hashlib.sha256(text.encode()).hexdigest()[:40]}"
