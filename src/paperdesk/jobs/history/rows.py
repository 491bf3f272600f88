"""Rows of an import: what stood in the file as a job keeps it, and back to what it says.

A row that was understood is kept in the desk's own terms, those of `HistoryRow`. Any other is kept
as it stands in the file, by the names of its columns, so that it can be mended there.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final, cast

from paperdesk.clock import Clock
from paperdesk.db.exact_json import written
from paperdesk.db.types import format_utc
from paperdesk.errors import InvalidRequest
from paperdesk.imports.dates import FIRST_YEAR, Moment, said_of
from paperdesk.imports.keys import Keys
from paperdesk.imports.model import (
    NEW_YORK,
    Activity,
    ActivityKind,
    Code,
    Instrument,
    Outcome,
    Raw,
    Rejected,
    Unreadable,
)
from paperdesk.imports.numbers import plain, ratio_of
from paperdesk.imports.reading import read
from paperdesk.imports.rows import ZERO, Row, Said, Sheet
from paperdesk.imports.understanding import Understanding
from paperdesk.jobs.history.schemas import HistoryRow, ImportOptions, read_options
from paperdesk.jobs.reading import read_row
from paperdesk.ledger.booking import EXACT, PRICE_PLACES

TEXT: Final = "row"
"""The one field of a row that is no row of a table: its text."""
_OWN: Final = frozenset({"kind", "at"})
"""Fields that a row in the desk's own terms has, and no row of a broker has both."""
_BEGINS_THE_DAY: Final = frozenset(
    {ActivityKind.stock_split, ActivityKind.deposit, ActivityKind.transfer_in}
)
_NAMED: Final = ("ticker", "quantity", "price", "external_id", "account", "note", "instrument")


def not_an_activity(code: str, message: str) -> InvalidRequest:
    """Return the refusal of a row that says nothing to be booked, with the reader's code."""
    refusal = InvalidRequest(message)
    vars(refusal)["code"] = code
    return refusal


def data_of(outcome: Outcome, names: Sequence[str]) -> dict[str, Any]:
    """Return what a job keeps of a row of a file with columns of those names."""
    return _of_activity(outcome) if isinstance(outcome, Activity) else _of_raw(outcome.raw, names)


def message_of(rejected: Rejected) -> str:
    """Return why a row is rejected: line, field and reason."""
    field = "" if rejected.field is None else f"{rejected.field}: "
    return f"Line {rejected.line}: {field}{rejected.reason}."


def begun(activity: Activity) -> Activity:
    """Return an activity at the time that it counts from.

    Of what is told by its day alone shares and cash are there when the market opens, and the day of
    a split is the first on which shares trade at the new ratio.
    """
    if not (activity.date_only and activity.kind in _BEGINS_THE_DAY):
        return activity
    day = activity.at.astimezone(NEW_YORK).date()
    return activity._replace(
        at=datetime.combine(day, time(), NEW_YORK).astimezone(activity.at.tzinfo)
    )


def activity_of(data: Any, told: Any, clock: Clock) -> Activity:
    """Return what a row that a job keeps, or that somebody sent, says.

    Raises InvalidRequest, with the field and what is wrong of it.
    """
    fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    if fields.keys() >= _OWN:
        return _of_fields(fields, told, clock)
    if not fields or TEXT in fields:
        raise not_an_activity(
            "MISSING",
            "row: send what it says by fields: kind, at, and what goes with it of ticker, "
            "quantity, price, fee, taxes, net.",
        )
    return _of_columns(fields, told, clock)


def names_of(columns: Sequence[str]) -> list[str]:
    """Return names for columns, each once: a second one is `name#2`, one without is `name+1`."""
    names: list[str] = []
    seen: dict[str, int] = {}
    base, behind = "", 0
    for column in columns:
        if column:
            base, behind = column, 0
            seen[column] = seen.get(column, 0) + 1
            base = column if seen[column] == 1 else f"{column}#{seen[column]}"
            names.append(base)
        else:
            behind += 1
            names.append(f"{base}+{behind}")
    return names


def _of_activity(activity: Activity) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": activity.kind.value, "at": format_utc(activity.at)}
    if activity.date_only:
        said["date_only"] = True
    for name in _NAMED:
        value = getattr(activity, name)
        if value is not None:
            said[name] = value
    if activity.fee:
        said["fee"] = activity.fee
    if activity.taxes:
        said["taxes"] = activity.taxes
    if activity.net_amount is not None:
        said["net"] = activity.net_amount
    if activity.ratio is not None:
        said["ratio"] = f"{activity.ratio[0]}:{activity.ratio[1]}"
    if activity.rate is not None:
        shown = activity.rate.quantize(PRICE_PLACES, context=EXACT)
        said |= {"currency": activity.currency, "rate": shown}
    said["key"] = activity.key
    return said


def _of_raw(raw: Raw, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(raw, Mapping):
        return dict(raw)
    if len(raw) == len(names):
        return dict(zip(names, raw, strict=True))
    if len(raw) == 1:
        return {TEXT: raw[0]}
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(raw)
    return {TEXT: text.getvalue()}


def _of_fields(fields: Mapping[str, Any], told: Any, clock: Clock) -> Activity:
    row = read_row(HistoryRow, {name: fields[name] for name in fields if name != "difference"})
    keys = Keys(_options(told).get("format") or "desk")
    sheet = Sheet({}, {}, cast("Any", None), cast("Any", None))
    try:
        said = _said(row, clock.now())
        done = Understanding(None, keys).complete(Row(0, (), (), sheet), said)
    except Unreadable as error:
        raise not_an_activity(error.code, f"{error.field or TEXT}: {error}.") from error
    if not isinstance(done, Activity):
        raise not_an_activity(done.code, f"The row {done.reason}.")
    if row.rate is not None:
        done = done._replace(currency=row.currency or done.currency, rate=row.rate)
    return done if row.key is None else done._replace(key=row.key)


def _said(row: HistoryRow, now: datetime) -> Said:
    """Return what a row says as its file would have said it: so it has the same key.

    Raises Unreadable.
    """
    return Said(
        row.kind,
        _moment(row, now),
        row.ticker or "",
        _plain(row.quantity),
        _plain(row.price),
        _plain(row.fee) or ZERO,
        _plain(row.taxes) or ZERO,
        _plain(row.net),
        None if row.ratio is None else ratio_of(row.ratio),
        # Amounts with a rate are dollars already.
        row.currency if row.rate is None else None,
        external_id=row.external_id or "",
        account=row.account or "",
        note=row.note or "",
        instrument=None if row.instrument is None else Instrument(row.instrument),
    )


def _moment(row: HistoryRow, now: datetime) -> Moment:
    try:
        at = row.at.astimezone(UTC)
    except OverflowError:
        raise Unreadable(Code.DATE, "is no date that exists", "at") from None
    if at.year < FIRST_YEAR:
        raise Unreadable(Code.DATE, f"lies before {FIRST_YEAR}", "at")
    if at > now:
        raise Unreadable(Code.FUTURE, "lies in the future", "at")
    day = at.astimezone(NEW_YORK).date()
    return Moment(at, row.date_only, str(day) if row.date_only else said_of(at))


def _plain(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else plain(amount)


def _options(told: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _of_columns(fields: Mapping[str, Any], told: Any, clock: Clock) -> Activity:
    """Read a row under the names of its columns, as its file was read."""
    known = _options(told)
    options = ImportOptions.model_validate(
        {name: value for name, value in known.items() if name in ImportOptions.model_fields}
    )
    text = _as_object(fields) if known.get("is_json") else _as_table(fields)
    reading = read(io.BytesIO(text.encode()), read_options(options, clock.now()))
    outcomes = list(reading.rows())
    if len(outcomes) != 1:
        raise not_an_activity("CELLS", "row: is none of the file's, or several.")
    [outcome] = outcomes
    if isinstance(outcome, Activity):
        return outcome
    if isinstance(outcome, Rejected):
        field = outcome.field or TEXT
        raise not_an_activity(outcome.code, f"{field}: {outcome.reason}.")
    raise not_an_activity(outcome.code, f"The row {outcome.reason}; there is nothing to book.")


def _as_object(fields: Mapping[str, Any]) -> str:
    return written(dict(fields)) + "\n"


def _as_table(fields: Mapping[str, Any]) -> str:
    """Return a row as a table of its own, its columns where their names say that they were."""
    names = sorted(fields, key=_place)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([_column(name) for name in names])
    table.writerow([_cell(fields[name]) for name in names])
    return text.getvalue()


def _place(name: str) -> tuple[str, int]:
    base, plus, behind = name.rpartition("+")
    return (base, int(behind)) if plus and behind.isdecimal() else (name, 0)


def _column(name: str) -> str:
    base, number = _place(name)
    if number:
        return ""
    first, mark, again = base.rpartition("#")
    return first if mark and again.isdecimal() else base


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, default=str)
