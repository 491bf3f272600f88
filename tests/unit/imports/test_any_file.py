"""Files that are broken in any way: documented refusals, and no row that is lost."""

import random
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperdesk.imports.model import Activity, Outcome, Question, UnreadableFile
from paperdesk.imports.reading import Reading
from support.imports import SAMPLES, opened

FILES = sorted(SAMPLES.iterdir())
TABLES = [path for path in FILES if path.suffix == ".csv"]
SEVERAL = settings(deadline=None, max_examples=60)


def read_any(content: bytes, **options: Any) -> tuple[Reading, list[Outcome]] | None:
    """Return what a file gives, None where it is refused as documented."""
    try:
        reading = opened(content, **options)
    except (Question, UnreadableFile):
        return None
    found = list(reading.rows())
    for each in found:
        assert isinstance(each, Activity) or each.reason
        if isinstance(each, Activity):
            check_usable(each)
    return reading, found


def check_usable(activity: Activity) -> None:
    assert activity.at.utcoffset() is not None
    assert all(
        value is None or value.is_finite()
        for value in (activity.quantity, activity.price, activity.net_amount, activity.difference)
    )
    assert len(activity.key) == 64
    assert (activity.note or "").isprintable()


def check_no_row_lost(content: bytes, read: tuple[Reading, Sequence[Outcome]] | None) -> None:
    """Each line that is not blank is the header, a row, or the continuation of the row before."""
    if read is None or not read[0].columns:
        return
    reading, found = read
    dressing = re.compile(rf'["\s{re.escape(reading.separator)}]')
    begun = {each.line: dressing.sub("", "".join(map(str, each.raw))) for each in found}
    lines = re.split("\r\n|\n|\r", content.decode(reading.encoding, "replace"))
    header = dressing.sub("", "".join(reading.columns))
    if b'"' not in content:
        assert len(found) + 1 == sum(1 for line in lines if dressing.sub("", line))
    said = ""
    for number, line in enumerate(lines, 1):
        bare = dressing.sub("", line)
        said = begun.get(number, said)
        if bare not in said:
            assert bare in header, f"line {number} is neither an activity nor told about: {line}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@SEVERAL
@given(seed=st.integers(0, 1 << 32), flips=st.integers(1, 40))
def test_flipped_bits(path: Any, seed: int, flips: int) -> None:
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(flips):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    read = read_any(bytes(content))
    check_no_row_lost(bytes(content), read)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@SEVERAL
@given(share=st.floats(0, 1))
def test_files_that_break_off(path: Any, share: float) -> None:
    content = path.read_bytes()
    content = content[: int(share * len(content))]
    check_no_row_lost(content, read_any(content))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "utf-7"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_other_encodings(path: Any, encoding: str) -> None:
    text = path.read_bytes().decode("cp1252" if path.name == "european.csv" else "utf-8-sig")
    read_any(text.encode(encoding, "replace"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
@SEVERAL
@given(seed=st.integers(0, 1 << 32))
def test_cells_in_other_places(path: Any, seed: int) -> None:
    chance = random.Random(seed)
    lines = path.read_bytes().split(b"\n")
    at = chance.randrange(len(lines))
    cells = lines[at].split(b",")
    chance.shuffle(cells)
    lines[at] = b",".join(cells)
    content = b"\n".join(lines)
    check_no_row_lost(content, read_any(content))


@pytest.mark.parametrize("formula", ["=1+1", "+1+1", "-2+3", "@SUM(A1)", '=HYPERLINK("x")', "\t=1"])
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1 << 32))
def test_formulas_are_no_values(path: Any, formula: str, seed: int) -> None:
    chance = random.Random(seed)
    lines = path.read_bytes().split(b"\n")
    at = chance.randrange(len(lines))
    cells = lines[at].split(b",")
    cells[chance.randrange(len(cells))] = formula.encode()
    lines[at] = b",".join(cells)
    read = read_any(b"\n".join(lines))
    for each in read[1] if read else ():
        if isinstance(each, Activity):
            assert "=" not in f"{each.ticker}{each.quantity}{each.price}"


@SEVERAL
@given(st.binary(max_size=2000))
def test_any_bytes(content: bytes) -> None:
    read_any(content)


@SEVERAL
@given(st.text(alphabet='{}[]",:0aB1.eE-\n \\u', max_size=300))
def test_anything_like_json(text: str) -> None:
    read_any(f"[{text}".encode())
    read_any(f'{{"activities": [{text}'.encode())


@SEVERAL
@given(
    st.lists(
        st.lists(st.text(alphabet='",;\n\r\t |0123456789.-$()ABCxyz', max_size=12), max_size=9),
        max_size=12,
    )
)
def test_any_rows_behind_a_header(rows: list[list[str]]) -> None:
    text = "date,symbol,side,quantity,price,fee\n" + "\n".join(",".join(row) for row in rows)
    content = text.encode()
    options = {"date_order": "day_first", "decimal": "."}
    check_no_row_lost(content, read_any(content, **options))
