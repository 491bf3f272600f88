"""Numbers and dates in the forms that brokers write, and which of them nobody may guess."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperdesk.imports.dates import Dates, date_order
from paperdesk.imports.model import NEW_YORK, Code, DateOrder, DecimalMark, Question, Unreadable
from paperdesk.imports.numbers import Numbers, decimal_mark, ratio_of
from support.imports import NOW


@pytest.mark.parametrize(
    ("text", "mark", "value", "currency"),
    [
        ("1234.5", ".", "1234.5", None),
        ("1,234.56", ".", "1234.56", None),
        ("1.234,56", ",", "1234.56", None),
        ("1.234.567", ",", "1234567", None),
        ("1 234,56", ",", "1234.56", None),
        ("1\u202f234,56", ",", "1234.56", None),
        ("1'234.56", ".", "1234.56", None),
        ("($2,233.58)", ".", "-2233.58", None),
        ("-$30.93", ".", "-30.93", None),
        ("$-30.93", ".", "-30.93", None),
        ("\u221230.93", ".", "-30.93", None),
        ("30.93-", ".", "-30.93", None),
        ("+30.93", ".", "30.93", None),
        ("USD 12.30", ".", "12.3", "USD"),
        ("12,30 EUR", ",", "12.3", "EUR"),
        ("€1.234,00", ",", "1234", "EUR"),
        ("310.25 GBX", ".", "310.25", "GBX"),
        ("@310.05", ".", "310.05", None),
        (".5", ".", "0.5", None),
        ("1e-7", ".", "0.0000001", None),
        ("0.30000000000000004", ".", "0.3", None),
        ("--", ".", None, None),
        ("n/a", ".", None, None),
    ],
)
def test_numbers(text: str, mark: DecimalMark, value: str | None, currency: str | None) -> None:
    assert Numbers(mark).read(text) == (None if value is None else Decimal(value), currency)


@pytest.mark.parametrize(
    ("text", "mark", "code"),
    [
        ("=1+1", ".", Code.NUMBER),
        ("12%", ".", Code.NUMBER),
        ("1.2.3", ".", Code.DECIMAL_MARK),
        ("1.234,56", ".", Code.DECIMAL_MARK),
        ("12.5", ",", Code.DECIMAL_MARK),
        ("12,34", ".", Code.DECIMAL_MARK),
        ("1,23,456", ".", Code.NUMBER),
        ("(1", ".", Code.NUMBER),
        ("-(1)", ".", Code.NUMBER),
        ("USD 1 EUR", ".", Code.NUMBER),
        ("NaN", ".", Code.NUMBER),
        ("Infinity", ".", Code.NUMBER),
        ("10000000000", ".", Code.TOO_LARGE),
        ("1e99", ".", Code.TOO_LARGE),
        ("\u0661\u0662", ".", Code.NUMBER),
        ("1" * 5000, ".", Code.NUMBER),
    ],
)
def test_what_is_no_number(text: str, mark: DecimalMark, code: Code) -> None:
    with pytest.raises(Unreadable) as caught:
        Numbers(mark).read(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("samples", "mark"),
    [
        (["1,234", "10.5"], "."),
        (["1.234", "10,5"], ","),
        (["1,234,567"], "."),
        (["1.234.567"], ","),
        (["1.234,56"], ","),
        (["0.123"], "."),
        (["1234.567"], "."),
        ([".123"], "."),
        (["10", "20"], None),
        ([], None),
        (["hello, 1,5"], None),
    ],
)
def test_the_decimal_mark_of_a_file(samples: list[str], mark: DecimalMark | None) -> None:
    assert decimal_mark(samples) == mark


@pytest.mark.parametrize("samples", [["1,234"], ["1.234", "10"], ["10.5", "10,5"]])
def test_a_decimal_mark_that_is_not_certain_is_asked_for(samples: list[str]) -> None:
    with pytest.raises(Question) as caught:
        decimal_mark(samples)
    assert (caught.value.option, caught.value.choices) == ("decimal", (".", ","))


def test_without_a_mark_the_first_certain_number_decides_for_those_after_it() -> None:
    numbers = Numbers(None)
    with pytest.raises(Unreadable):
        numbers.read("1,234")
    assert numbers.read("10,5")[0] == Decimal("10.5")
    assert numbers.read("1,234")[0] == Decimal("1.234")
    with pytest.raises(Unreadable):
        numbers.read("10.5")


@given(st.decimals(-(10**9), 10**9, places=9, allow_nan=False), st.sampled_from([".", ","]))
def test_a_number_is_the_same_with_and_without_groups(value: Decimal, mark: DecimalMark) -> None:
    grouped, bare = f"{value:,.9f}", f"{value:.9f}"
    if mark == ",":
        grouped, bare = (text.translate({44: 46, 46: 44}) for text in (grouped, bare))
    assert Numbers(mark).read(grouped)[0] == Numbers(mark).read(bare)[0] == value
    assert "E" not in str(Numbers(mark).read(bare)[0]) or abs(value) < Decimal("0.000001")


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("4:1", (4, 1)), ("4-for-1", (4, 1)), ("1 for 10", (1, 10)), ("3/2", (3, 2)),
        ("0.1", (1, 10)), ("20", (20, 1)), ("30:10", (3, 1)),
    ],
)  # fmt: skip
def test_ratios(text: str, ratio: tuple[int, int]) -> None:
    assert ratio_of(text) == ratio


@pytest.mark.parametrize("text", ["0:1", "4:0", "0", "a:b", "", "4:1:1", "-4:1"])
def test_what_is_no_ratio(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        ratio_of(text)
    assert caught.value.code == Code.RATIO


def dates(order: DateOrder | None = "month_first", zone: ZoneInfo = NEW_YORK) -> Dates:
    return Dates(NOW, order, zone)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-04T15:30:00Z", "2026-03-04T15:30:00"),
        ("2026-03-04T15:30:00.123456789Z", "2026-03-04T15:30:00.123456"),
        ("2026-03-04 15:30:00+01:00", "2026-03-04T14:30:00"),
        ("2026-03-04T09:30:00", "2026-03-04T14:30:00"),
        ("2026-05-01, 09:35:00", "2026-05-01T13:35:00"),
        ("20260304;093000", "2026-03-04T14:30:00"),
        ("03/04/2026 09:31:22 EDT", "2026-03-04T13:31:22"),
        ("03/04/2026 09:31:22 EST", "2026-03-04T14:31:22"),
        ("3/4/2026 1:05 PM", "2026-03-04T18:05:00"),
        ("3/4/2026 12:05 AM", "2026-03-04T05:05:00"),
        ("04.03.2026 09:30", "2026-03-04T14:30:00"),
        ("4 Mar 2026 09:30", "2026-03-04T14:30:00"),
    ],
)
def test_times(text: str, at: str) -> None:
    found = dates().read(text)
    assert (found.at, found.date_only) == (datetime.fromisoformat(at).replace(tzinfo=UTC), False)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-04", "20260304", "2026/03/04", "03/04/2026", "3/4/26", "3-4-2026"),
        *("04.03.2026", "Mar-04-2026", "March 4, 2026", "04-Mar-2026", "2026-03-04 00:00:00"),
    ],
)
def test_a_day_alone_is_its_close_in_new_york(text: str) -> None:
    found = dates().read(text)
    assert found == (datetime(2026, 3, 4, 21, tzinfo=UTC), True, "2026-03-04")


def test_the_close_follows_new_york_s_summer_time() -> None:
    assert dates().read("2026-07-01").at == datetime(2026, 7, 1, 20, tzinfo=UTC)


def test_today_is_now_until_the_close_and_keeps_its_name() -> None:
    assert dates().read("2026-11-20") == (NOW, True, "2026-11-20")


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-20T15:00:01Z", "1/1/2027", "20270101"])
def test_what_is_to_come_is_refused(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        dates().read(text)
    assert caught.value.code == Code.FUTURE


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30", "2026-13-01", "13/13/2026", "yesterday", "", "2026-03", "0001-01-01"),
        *(
            "2026-03-04T25:00:00Z",
            "2026-W10-3",
            "9999-99-99",
            "1" * 500,
            "2026-03-04T15:30:00+99:99",
        ),
        *("0001-01-01T00:00:01Z", "2026-03-04 13:00 PM"),
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        dates().read(text)
    assert caught.value.code == Code.DATE


@pytest.mark.parametrize(
    ("samples", "order"),
    [
        (["03/04/2026", "13/04/2026"], "day_first"),
        (["03/04/2026", "04/13/2026"], "month_first"),
        (["03-04-2026 10:00", "31-12-2025"], "day_first"),
        (["05/05/2026"], None),
        (["2026-03-04", "04.03.2026", "13/13/2026"], None),
    ],
)
def test_the_order_of_dates_of_a_file(samples: list[str], order: DateOrder | None) -> None:
    assert date_order(samples) == order


@pytest.mark.parametrize("samples", [["03/04/2026"], ["13/04/2026", "04/13/2026"]])
def test_an_order_that_is_not_certain_is_asked_for(samples: list[str]) -> None:
    with pytest.raises(Question) as caught:
        date_order(samples)
    assert caught.value.option == "date_order"
    assert caught.value.choices == ("day_first", "month_first")


def test_a_date_that_contradicts_the_others_is_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        dates("month_first").read("13/04/2026")
    assert caught.value.code == Code.DATE_ORDER
    late = dates(None)
    with pytest.raises(Unreadable):
        late.read("03/04/2026")
    assert late.read("13/04/2026").said == "2026-04-13"
    assert late.read("03/04/2026").said == "2026-04-03"
