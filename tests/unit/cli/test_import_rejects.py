"""A file of rejected rows is read as the broker's file was: nothing gets lost on the way back."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from paperdesk.cli.import_rejects import refused_path, save_rejects
from paperdesk.cli.job_table import Job, Row
from paperdesk.cli.rejected_cells import column_names
from paperdesk.db.exact_json import written
from paperdesk.imports.model import Activity, Code, Outcome, Rejected, Skipped
from paperdesk.jobs.data import storable
from paperdesk.jobs.history.rows import data_of, message_of, names_of
from support.imports import SAMPLES, opened, outcomes, told
from support.uploads import OPTIONS

NAMES = sorted(path.name for path in SAMPLES.iterdir())


def job(options: Any) -> Job:
    return Job(
        *("id", "import_trades", "a name", "completed", "run", "auto"),
        *(0, 0, 0, 0, 0),
        *("2026-11-20T15:00:00Z", None, None, None, None, None),
        options=options,
    )


def row(outcome: Outcome, names: Sequence[str]) -> Row:
    """A row as the job keeps it: every one that was understood as if it had been rejected."""
    if isinstance(outcome, Activity):
        outcome = Rejected(outcome.line, None, Code.KIND, "is not meant", outcome.raw)
    message = message_of(outcome) if isinstance(outcome, Rejected) else outcome.reason
    data = storable(data_of(outcome, names))
    return Row(1, "failed", data, 0, outcome.code.value, message, None, line=outcome.line)


def rejects_of(content: bytes | Path, path: Path, **told_: Any) -> dict[str, Any]:
    """Write all rows of a file as rejected ones, and return the options of its job."""
    reading = opened(content, **told_)
    found = list(reading.rows())
    is_one_table = reading.columns and not reading.has_sections
    names = names_of(reading.columns) if is_one_table else []
    options = {
        "format": reading.format,
        "date_order": reading.date_order,
        "decimal": reading.decimal,
        "header": names,
        "is_json": not reading.columns,
        **told_,
    }
    failed = [row(each, names) for each in found if not isinstance(each, Skipped)]
    skipped = [row(each, names) for each in found if isinstance(each, Skipped)]
    # In the order of time, and as PostgreSQL gives them: without the order of their fields.
    for each in failed:
        each.data = dict(sorted(each.data.items()))
    save_rejects(path, job(options), failed[::-1], lambda: iter(skipped))
    return options


def said(found: Sequence[Outcome]) -> list[str]:
    """What is said of each row but its line, and its key where it has one."""
    lines = [told(each).partition(" ")[2] for each in found]
    keys = [each.key if isinstance(each, Activity) else "" for each in found]
    return sorted(map("{} {}".format, lines, keys))


def columns_of(name: str) -> dict[str, Any]:
    return {key: json.loads(value) for key, value in OPTIONS.get(name, {}).items()}


@pytest.mark.parametrize("name", NAMES)
def test_what_was_rejected_is_read_from_its_own_file_as_it_was(name: str, tmp_path: Path) -> None:
    mapped = columns_of(name)
    path = tmp_path / f"rejected{Path(name).suffix}"
    options = rejects_of(SAMPLES / name, path, **mapped)
    before = [e for e in outcomes(SAMPLES / name, **mapped) if not isinstance(e, Skipped)]

    # By the names of its columns alone, without being told what was found out of the whole file.
    assert opened(path, **mapped).format == options["format"]
    known = {each: options[each] for each in ("date_order", "decimal")}
    after = [e for e in outcomes(path, **known, **mapped) if not isinstance(e, Skipped)]

    activities = [each for each in before if isinstance(each, Activity)]
    assert said([each for each in after if isinstance(each, Activity)]) == said(activities)
    assert len(after) == len(before)
    # Once more, with the columns of the first time in it: they are not there twice.
    again = tmp_path / f"again{Path(name).suffix}"
    rejects_of(path, again, **known, **mapped)
    header = again.read_text().splitlines()[0]
    assert header.count("error_code") == path.read_text().splitlines()[0].count("error_code")
    assert said(outcomes(again, **known, **mapped)) == said(outcomes(path, **known, **mapped))


@pytest.mark.parametrize("name", NAMES)
def test_what_the_books_refused_is_read_as_the_same_row(name: str, tmp_path: Path) -> None:
    mapped = columns_of(name)
    read = opened(SAMPLES / name, **mapped)
    before = [each for each in read.rows() if isinstance(each, Activity)]
    path = tmp_path / "rejected.csv"
    refused = [
        Row(1, "failed", as_answered(data_of(each, [])), 0, "INSUFFICIENT_CASH", "No.", None)
        for each in before
    ]
    header = names_of(read.columns)
    save_rejects(path, job({"header": header, "is_json": not header}), refused, lambda: iter(()))

    assert not path.exists()
    after = outcomes(refused_path(path))
    assert [booked(each) for each in after] == [booked(each) for each in before]


def as_answered(data: Any) -> Any:
    """What the command line gets of a row: no digit is lost on the way."""
    text = written(dict(sorted(storable(data).items()))).encode()
    return msgspec.json.Decoder(Any, float_hook=Decimal).decode(text)


def booked(outcome: Outcome) -> tuple[object, ...]:
    """All of an activity that matters to the books: of which currency it was does not."""
    assert isinstance(outcome, Activity), outcome
    others = {"line", "currency", "rate", "raw"}
    return tuple(getattr(outcome, name) for name in Activity._fields if name not in others)


def test_a_row_without_cells_is_not_booked_before_somebody_put_it_into_columns(
    tmp_path: Path,
) -> None:
    content = (
        b"date,symbol,side,quantity,price,fee\n"
        b"2026-03-02,AAPL,buy,1,190\n"
        b'2026-03-03,AAPL,buy,1,"190,1\n'
        b"2026-03-04,AAPL\xff,buy,1,190,1\n"
        b"2026-03-05,AAPL,buy,1,190,1,1\n"
        b"2026-03-06,AAPL,buy,1,191,1\n"
    )
    path = tmp_path / "rejected.csv"
    found = outcomes(content)
    names = names_of(opened(content).columns)
    failed = [row(each, names) for each in found if isinstance(each, Rejected)]
    assert len(failed) == 4
    # Tried once more, a row is refused for having no fields, whatever it was first.
    tried = [Row(1, "failed", each.data, 0, "MISSING", "Send what it says.", None, line=each.line)
             for each in failed]  # fmt: skip
    for rows in (failed, tried):
        save_rejects(path, job({"header": names, "is_json": False}), rows, lambda: iter(()))
        assert not [each for each in outcomes(path) if not isinstance(each, Rejected)]

        text = path.read_text()
        assert '"2026-03-02,AAPL,buy,1,190"' in text
        mended = text.replace(",,,,,,2,", "2026-03-02,AAPL,buy,1,190,0,2,")
        path.write_text(mended)
        [activity] = [each for each in outcomes(path) if isinstance(each, Activity)]
        assert (str(activity.net_amount), activity.ticker) == ("-190.000000", "AAPL")


def test_a_byte_that_was_wrong_does_not_reject_the_row_again_once_it_is_mended(
    tmp_path: Path,
) -> None:
    content = "date;symbol;side;quantity;price;note\n2026-03-04;AAPL;buy;1;190;café olé\n".encode()
    content += b"2026-03-05;AAPL;buy;2;190;caf\xff\n"
    names = names_of(opened(content).columns)
    [rejected] = [each for each in outcomes(content) if isinstance(each, Rejected)]
    assert rejected.code == "ENCODING"
    path = tmp_path / "rejected.csv"
    options = {"header": names, "is_json": False}
    save_rejects(path, job(options), [row(rejected, names)], lambda: iter(()))

    text = path.read_text()
    assert "2026-03-05;AAPL;buy;2;190;caf?" in text
    path.write_text(text.replace(",,,,,,3,", "2026-03-05,AAPL,buy,2,190,café,3,"))
    [mended] = outcomes(path)
    assert isinstance(mended, Activity), mended


def test_columns_have_their_own_names_again() -> None:
    header = ["", "Value", "", "Value", "", "", "Fee", "Value", "A#2"]

    assert column_names(names_of(header)) == header
