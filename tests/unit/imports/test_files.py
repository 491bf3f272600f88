"""Files: encodings, separators, quotes, long rows, JSON, and what is asked about them."""

import io
import itertools
import json
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.imports.documents import LARGEST_DOCUMENT
from paperdesk.imports.model import Activity, Code, Question, ReadOptions, UnreadableFile
from paperdesk.imports.reading import read
from support.imports import NOW, activities, opened, outcomes, told

HEADER = "date,ticker,side,quantity,price\n"
ROW = "2026-03-02,AAPL,buy,1,100\n"
BOUGHT = "2 buy 2026-03-02 AAPL q=1 p=100 net=-100"


@pytest.mark.parametrize(
    ("encoding", "told_encoding"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(encoding: str, told_encoding: str, end: str) -> None:
    text = (HEADER.strip() + ",note\n" + ROW.strip() + ",café €\n").replace("\n", end)
    reading = opened(text.encode(encoding))
    (activity,) = reading.rows()
    assert isinstance(activity, Activity)
    assert (reading.encoding, activity.note) == (told_encoding, "café €")


def test_bytes_that_windows_does_not_know_are_latin() -> None:
    reading = opened(
        (HEADER.strip() + ",note\n" + ROW.strip() + ",caf\xe9 \x81\n").encode("latin-1")
    )
    assert reading.encoding == "latin-1"
    assert [type(each) for each in reading.rows()] == [Activity]


def test_a_broken_character_rejects_its_row_and_does_not_make_the_file_another_encoding() -> None:
    text = HEADER.encode() + b"2026-03-02,AAPL,buy,1,100\n" * 2
    text = text.replace(b"price\n", b"price,note\n").replace(b"100\n", "100,é€ü\n".encode())
    broken = text[:-3] + b"\xff" + text[-2:]
    reading = opened(broken)
    assert reading.encoding == "utf-8"
    assert [told(each) for each in reading.rows()] == [BOUGHT, "3 rejected ENCODING"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(separator: str) -> None:
    text = (HEADER + ROW).replace(",", separator)
    assert opened(text).separator == separator
    assert [told(each) for each in outcomes(text)] == [BOUGHT]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\n",
        b"\xef\xbb\xbf",
        b"PK\x03\x04rest",
        b"%PDF-1.7",
        b"\x1f\x8b\x08",
        b"\xd0\xcf\x11\xe0",
    ],
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFile):
        opened(content)


def test_a_row_may_go_on_in_the_next_line_and_lines_are_counted() -> None:
    text = (
        HEADER.strip()
        + ",note\n"
        + '2026-03-02,AAPL,buy,1,100,"two\n\nlines, ""said"""\n'
        + ROW.strip()
        + ",\n"
    )
    first, second = activities(text)
    assert (first.line, first.note) == (2, 'two lines, "said"')
    assert second.line == 5


def test_a_quote_that_is_not_closed_costs_its_own_row_alone() -> None:
    text = (
        HEADER + ROW + '2026-03-02,"AAPL,buy,1,100\n' + ROW * 100 + '2026-03-02,"AAPL",buy,1,100\n'
    )
    found = outcomes(text)
    assert [each.line for each in found] == list(range(2, 105))
    assert [each.code for each in found if not isinstance(each, Activity)] == [Code.QUOTES]


def test_rows_between_two_stray_quotes_are_not_swallowed() -> None:
    text = HEADER + '2026-03-02,"AAPL,buy,1,100\n' + ROW + '2026-03-02,AAPL",1\n'
    assert [told(each) for each in outcomes(text)] == [
        "2 rejected QUOTES",
        BOUGHT.replace("2 ", "3 ", 1),
        "4 rejected CELLS",
    ]


def test_a_row_that_is_too_long_costs_its_own_row_alone_and_no_memory() -> None:
    class Endless(io.RawIOBase):
        """A header, a row, a line of 200 MB and a row."""

        def __init__(self) -> None:
            blocks = (b"x" * (1 << 16) for _ in range(200 * 16))
            self._blocks = itertools.chain(
                (f"{HEADER}{ROW}".encode(),), blocks, (f"\n{ROW}".encode(),)
            )
            self._left = b""

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self._left = self._left or next(self._blocks, b"")
            size = min(len(buffer), len(self._left))
            buffer[:size], self._left = self._left[:size], self._left[size:]
            return size

    source = io.BufferedReader(Endless(), 1 << 16)
    tracemalloc.start()
    try:
        found = [told(each) for each in read(source, ReadOptions(now=NOW)).rows()]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [BOUGHT, "3 rejected ROW_TOO_LONG", BOUGHT.replace("2 ", "4 ", 1)]
    assert peak < 32 << 20


def test_rows_of_another_width() -> None:
    found = outcomes(
        HEADER + "2026-03-02,AAPL,buy,1,100,,\n2026-03-02,AAPL,buy,1\n2026-03-02,AAPL,buy,1,100,9\n"
    )
    assert [told(each) for each in found] == [BOUGHT, "3 rejected CELLS", "4 rejected CELLS"]


@pytest.mark.parametrize("blank", [",", ",,,,", ",,,,,,,", " , "])
def test_a_row_without_content_is_blank_whatever_its_width(blank: str) -> None:
    assert [told(each) for each in outcomes(f"{HEADER}{ROW}{blank}\n")] == [BOUGHT]


def test_what_stands_before_and_behind_the_table_is_told() -> None:
    text = (
        "My broker\n\n"
        + HEADER
        + ROW
        + ",,,,\n"
        + HEADER
        + "Subtotal,,,,100\nDate downloaded 1/1/2026\n"
    )
    assert [told(each) for each in outcomes(text)] == [
        "1 skipped PREAMBLE",
        BOUGHT.replace("2 ", "4 ", 1),
        "6 skipped HEADER_AGAIN",
        "7 skipped SUBTOTAL",
        "8 skipped FOOTER",
    ]


def test_columns_are_found_by_their_names_in_any_order_and_spelling() -> None:
    text = "PRICE ,Unit,Trade Date,Buy/Sell,SYMBOL,Qty\n100,x,2026-03-02,B,aapl,1\n"
    assert [told(each) for each in outcomes(text)] == [BOUGHT]


def test_a_side_may_be_the_sign_of_the_quantity() -> None:
    text = "date,ticker,quantity,price\n2026-03-02,AAPL,1,100\n2026-03-03,AAPL,-1,101\n"
    assert [each.kind for each in activities(text)] == ["buy", "sell"]


def test_repeated_and_unnamed_columns_have_names_of_their_own() -> None:
    text = "Day,What,Sum,,Sum,How,Side\n2026-03-02,AAPL,7,1,100,9,buy\n"
    columns = {"at": "Day", "ticker": "What", "quantity": "Sum+1", "price": "Sum#2"}
    assert [told(each) for each in outcomes(text, columns=columns)] == [BOUGHT]


@pytest.mark.parametrize(
    ("text", "options", "option"),
    [
        ("a,b,c\n1,2,3\n", {}, "columns"),
        ("a,b,c\n1,2,3\n", {"format": "schwab"}, "columns"),
        ("a,b,c\n1,2,3\n", {"format": "nonsense"}, "format"),
        ("a,b,c\n1,2,3\n", {"columns": {"ticker": "z"}}, "columns"),
        ("a,b,c\n1,2,3\n", {"columns": {"nonsense": "a"}}, "columns"),
        ("just a sentence\n", {}, "columns"),
        (HEADER + "03/04/2026,AAPL,buy,1,100\n", {}, "date_order"),
        (HEADER + '2026-03-02,AAPL,buy,1,"1,234"\n', {}, "decimal"),
        ('[{"x": 1}]', {}, "columns"),
        ("[]", {}, "columns"),
    ],
)
def test_what_is_not_certain_is_asked(text: str, options: dict[str, Any], option: str) -> None:
    with pytest.raises(Question) as caught:
        opened(text, **options)
    assert caught.value.option == option
    assert caught.value.choices or caught.value.columns or option == "columns"


def test_a_question_names_the_columns_that_were_found() -> None:
    with pytest.raises(Question) as caught:
        opened("a;b;c\n1;2;3\n")
    assert caught.value.columns == ("a", "b", "c")


@pytest.mark.parametrize(
    ("order", "day"), [("day_first", "2026-04-03"), ("month_first", "2026-03-04")]
)
def test_an_answer_is_taken(order: str, day: str) -> None:
    (activity,) = activities(HEADER + "03/04/2026,AAPL,buy,1,100\n", date_order=order)
    assert f"{activity.at:%Y-%m-%d}" == day


@pytest.mark.parametrize(("mark", "price"), [(".", "1234"), (",", "1.234")])
def test_an_answer_about_numbers_is_taken(mark: str, price: str) -> None:
    (activity,) = activities(HEADER + '2026-03-02,AAPL,buy,1,"1,234"\n', decimal=mark)
    assert activity.price == Decimal(price)


def test_a_row_that_contradicts_the_rest_of_its_file_is_rejected() -> None:
    text = HEADER + "03/13/2026,AAPL,buy,1,100.5\n" * 3 + "13/03/2026,AAPL,buy,1,100\n"
    with pytest.raises(Question):
        opened(text)
    found = outcomes(text, date_order="month_first")
    assert [told(each) for each in found][3:] == ["5 rejected DATE_ORDER date"]


IN_EUROS = (
    "date,ticker,side,quantity,price,fee,currency,fx rate\n2026-03-02,SAP,buy,2,100,1,EUR,{}\n"
)


def test_another_currency_is_converted_where_the_row_has_the_rate() -> None:
    (activity,) = activities(IN_EUROS.format("1.1"))
    assert told(activity) == "2 buy 2026-03-02 SAP q=2 p=110 fee=1.1 net=-221.1 EUR rate=1.1"


def test_another_currency_without_a_rate_is_rejected_unless_it_is_that_of_the_desk() -> None:
    assert told(outcomes(IN_EUROS.format(""))[0]) == "2 rejected CURRENCY currency"
    (activity,) = activities(IN_EUROS.format(""), currency="EUR")
    assert told(activity) == "2 buy 2026-03-02 SAP q=2 p=100 fee=1 net=-201 EUR"
    dollars = IN_EUROS.format("1.1").replace("EUR", "USD")
    assert told(outcomes(dollars, currency="EUR")[0]) == "2 rejected CURRENCY currency"


def test_pence_are_hundredths_of_a_pound() -> None:
    pence = IN_EUROS.replace("EUR", "GBX")
    (activity,) = activities(pence.format(""), currency="GBP")
    assert (activity.price, activity.fee, activity.net_amount) == (
        1,
        Decimal("0.01"),
        Decimal("-2.01"),
    )
    (activity,) = activities(pence.format("1.25"))
    assert (activity.price, activity.net_amount) == (Decimal("1.25"), Decimal("-2.5125"))


def test_a_currency_within_an_amount_counts() -> None:
    text = (
        HEADER
        + "2026-03-02,AAPL,buy,1,€100\n2026-03-02,AAPL,buy,1,USD 100\n2026-03-02,AAPL,buy,1,$100\n"
    )
    assert [told(each) for each in outcomes(text)] == [
        "2 rejected CURRENCY currency",
        BOUGHT.replace("2 ", "3 ", 1),
        BOUGHT.replace("2 ", "4 ", 1),
    ]


def test_the_net_amount_wins_and_a_price_may_follow_from_it() -> None:
    text = (
        "date,ticker,side,quantity,price,fee,amount\n"
        "2026-03-02,AAPL,buy,3,,1,-301\n"
        "2026-03-02,AAPL,sell,3,100,1,298.99\n"
    )
    bought, sold = activities(text)
    assert (bought.price, bought.net_amount, bought.difference) == (100, -301, 0)
    assert (sold.net_amount, sold.difference) == (Decimal("298.99"), Decimal("-0.01"))


JSON = {"executed_at": "2026-03-02", "ticker": "AAPL", "side": "buy", "quantity": 1, "price": 100}


def test_json_lists_and_lines_are_tables_too() -> None:
    lines = f"{json.dumps(JSON)}\n\nbroken\n{json.dumps(JSON)}\n"
    assert [told(each) for each in outcomes(lines)] == [
        BOUGHT.replace("2 ", "1 ", 1), "3 rejected JSON", BOUGHT.replace("2 ", "4 ", 1),
    ]  # fmt: skip
    listed = json.dumps([JSON, 5, JSON], indent=1)
    assert [told(each)[:20] for each in outcomes(listed)] == [
        "2 buy 2026-03-02 AAP", "9 rejected JSON", "10 buy 2026-03-02 AA",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["[{0}]", "[\n{0}\n]", "[\n{0},\n{0}\n]", " [\n\n{0}]\n"])
def test_a_json_list_may_have_an_object_alone_on_its_line(form: str) -> None:
    found = outcomes(form.replace("{0}", json.dumps(JSON)))
    assert found
    assert all(isinstance(outcome, Activity) for outcome in found)


def test_json_numbers_are_exact() -> None:
    text = json.dumps([JSON]).replace("100", "100.123456789")
    assert activities(text)[0].price == Decimal("100.123456789")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([JSON]).replace("100", "NaN"),
        json.dumps([JSON]).replace('"price"', '"price": 1, "price"'),
        '{"activities": [], "activities": []}',
        '{"x": 1}{"y": 2}',
        json.dumps([JSON])[:-1],
        "[" * 100_000,
        '{"activities": ' + "[" * 100_000,
        json.dumps([JSON]) + "more",
        json.dumps([JSON]).replace("}]", "},]"),
        json.dumps([JSON, JSON]).replace("}, {", "} {"),
    ],
)
def test_what_is_no_strict_json_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFile):
        opened(text)


def test_nested_objects_are_rejected_beyond_a_depth() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = {"a": deep}
    found = outcomes(json.dumps([JSON, JSON | {"x": deep}]))
    assert [told(each)[:15] for each in found] == ["1 buy 2026-03-0", "1 rejected JSON"]


def test_a_json_document_has_a_size_and_lines_have_none() -> None:
    row = json.dumps(JSON | {"note": "x" * 1000})
    many = LARGEST_DOCUMENT // len(row) + 1
    with pytest.raises(UnreadableFile):
        opened(f"[{','.join([row] * many)}]")
    assert sum(1 for _ in opened("\n".join([row] * many)).rows()) == many


def test_how_far_a_file_was_read_is_known_all_along() -> None:
    content = (HEADER + ROW * 100_000).encode()
    reading = opened(content)
    positions = [reading.position for _ in reading.rows()]
    assert positions == sorted(positions)
    assert len(set(positions)) > 2
    assert reading.position == len(content)
