"""Files of rows: each is rows or a refusal, and what is in them is neither lost nor invented."""

import csv
import io
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.errors import InvalidRequest
from paperdesk.jobs.tables import BEYOND, header_of, rows_of, text_of

CELLS: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(
    lambda text: text == text.strip()
)
TABLES: Final = st.lists(st.fixed_dictionaries({"ticker": CELLS, "note": CELLS}), min_size=1)


@pytest.mark.parametrize(
    "text",
    [
        "ticker,side,quantity\nAAPL,buy,1.5\nMSFT,sell,\n",
        "Ticker ; SIDE;quantity\r\nAAPL;buy;1.5\r\nMSFT;sell;\r\n",
        "\n\nticker\tside\tquantity\nAAPL\t buy\t1.5\nMSFT\tsell\n",
        'row_number,ticker,side,quantity,error_code\n7,AAPL,buy,"1.5",X\n,MSFT,sell,,\n',
        '[{"ticker":"AAPL","side":"buy","quantity":"1.5"},{"ticker":"MSFT","side":"sell"}]',
        '{"ticker":"AAPL","side":"buy","quantity":"1.5"}\n{"ticker":"MSFT","side":"sell"}\n',
    ],
)
def test_tables_and_json_say_the_same(text: str) -> None:
    expected: list[Any] = [
        {"ticker": "AAPL", "side": "buy", "quantity": "1.5"},
        {"ticker": "MSFT", "side": "sell"},
    ]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert rows_of(text_of(text.encode(encoding))) == expected


def test_numbers_in_json_are_exact() -> None:
    [row] = rows_of('[{"quantity": 0.1234567890123456789}]')
    assert row == {"quantity": Decimal("0.1234567890123456789")}


def test_cells_beyond_the_header_are_kept_so_that_the_row_fails() -> None:
    [row] = rows_of("ticker,side\nAAPL,buy,5\n")
    assert row == {"ticker": "AAPL", "side": "buy", BEYOND: ["5"]}


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"ticker,side\n", b"[]", b'{"a":', b"[1", b"\x80", b"[" * 5_000, b"\xff\xfea"],
)
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRequest, match="file: "):
        rows_of(text_of(content))


@given(st.binary())
def test_whatever_the_bytes_are_it_is_rows_or_a_refusal(content: bytes) -> None:
    with suppress(InvalidRequest):
        text = text_of(content)
        header_of(text)
        assert rows_of(text)


@given(TABLES, st.sampled_from(",;\t|"))
def test_a_written_table_is_read_as_it_was(rows: list[dict[str, str]], separator: str) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["ticker", "note"], delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    assert rows_of(out.getvalue()) == rows == rows_of(json.dumps(rows))
