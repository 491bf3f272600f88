"""Keys: duplicates within a file stay, the same rows in another file are the same rows."""

import random
from collections import Counter
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from support.imports import activities

HEADER: Final = "date,ticker,side,quantity,price,fee,currency,account,note,id"

rows = st.builds(
    ",".join,
    st.tuples(
        st.sampled_from(["2026-03-02", "2026-03-03", "2026-03-03T15:30:00Z"]),
        st.sampled_from(["AAPL", "MSFT"]),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["100", "100.5"]),
        st.sampled_from(["", "1"]),
        st.just(""),
        st.sampled_from(["", "A"]),
        st.sampled_from(["", "note"]),
        st.just(""),
    ),
)


def keys(lines: list[str]) -> list[str]:
    return [each.key for each in activities("\n".join([HEADER, *lines]))]


@given(st.lists(rows, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_keys_do_not_depend_on_the_order_of_the_file(
    lines: list[str], chance: random.Random
) -> None:
    shuffled = chance.sample(lines, len(lines))
    assert Counter(keys(lines)) == Counter(keys(shuffled)) == Counter(keys(lines[::-1]))
    assert len(set(keys(lines))) == len(lines)


@given(st.lists(rows, min_size=1, max_size=30), st.lists(rows, max_size=10))
def test_a_file_with_more_rows_has_all_the_keys_it_had(lines: list[str], more: list[str]) -> None:
    assert set(keys(lines)) <= set(keys([*more, *lines]))
    assert set(keys(lines)) <= set(keys([*lines, *more]))


@given(st.lists(rows, min_size=1, max_size=20))
def test_how_a_number_is_written_makes_no_other_row(lines: list[str]) -> None:
    rewritten = [line.replace(",100,", ",100.0000,").replace(",1,", ",01.0,") for line in lines]
    assert keys(lines) == keys(rewritten)


def test_whatever_says_something_else_is_another_row() -> None:
    base = "2026-03-02,AAPL,buy,1,100,1,USD,A,,"
    others = [
        base.replace("2026-03-02", "2026-03-03"),
        base.replace("2026-03-02", "2026-03-02T21:00:00Z"),
        base.replace("AAPL", "MSFT"),
        base.replace("buy", "sell"),
        base.replace(",1,100", ",2,100"),
        base.replace("100", "101"),
        base.replace(",1,USD", ",2,USD"),
        base.replace(",A,", ",B,"),
    ]
    assert len({*keys([base]), *(key for each in others for key in keys([each]))}) == 9


def test_what_the_broker_writes_about_a_row_is_no_part_of_it() -> None:
    base = "2026-03-02,AAPL,buy,1,100,1,USD,A,,"
    assert keys([base]) == keys([base.replace("A,,", "A,later renamed,")])


def test_the_desks_own_money_is_the_same_row_said_or_not() -> None:
    base = "2026-03-02,AAPL,buy,1,100,1,USD,A,,"
    assert keys([base]) == keys([base.replace("USD", "")])


def test_an_id_is_the_row_whatever_else_it_says_and_however_often_it_stands_there() -> None:
    base = "2026-03-02,AAPL,buy,1,100,1,USD,A,,T-1"
    corrected = base.replace("100", "101")
    assert keys([base, corrected]) == keys([base]) * 2
    assert keys([base]) != keys([base.replace(",A,", ",B,")])
    assert keys([base]) != keys([base.replace("T-1", "T-2")])


def test_keys_never_change() -> None:
    """They are kept with what was booked: other ones would book a whole history again."""
    base = "2026-03-02,AAPL,buy,1,100,1,USD,A,,"
    assert keys([base, base, base + "T-1"]) == [
        "0169a4d30070bb7aea263e23201613ee67871c3bd8f504d1c3b18409dff2b3c0",
        "0169a4d300e7461623c314f9ef2af6ee4d6e4e22ffaaad6cc5cffc00fbe19d62",
        "b9a4aa7565d6c68edca911436156dce5a295c705f2b20e800a21837807e58684",
    ]


def test_keys_are_in_the_order_of_time() -> None:
    times = ["1901-01-01", "1969-12-31T23:59:59Z", "2026-03-02", "2026-03-02T14:30:01.5Z"]
    found = keys([f"{at},AAPL,buy,1,100,1,USD,A,," for at in times])
    assert found == sorted(found)
    assert found[2].startswith(f"{1772409600 + 2**32:010x}")
