"""Files of trades: what is understood, what is said about the rest, and which id a row has."""

import csv
import io
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from paperdesk.errors import InvalidRequest
from paperdesk.ledger.replay.past_trades import COLUMNS, BadRow, PastTrade, RowReader
from paperdesk.ledger.replay.trade_file import Rejects, Row, TradeFile
from paperdesk.models import Side

NOW = datetime(2026, 11, 20, tzinfo=UTC)
GOOD = {
    "ticker": "AAPL",
    "side": "buy",
    "quantity": "10",
    "price": "190.25",
    "executed_at": "2025-03-04T15:30:00.123456+01:00",
}


def read(text: str | bytes, account: str = "default", batch: str = "") -> list[Row]:
    content = text if isinstance(text, bytes) else text.encode()
    return list(TradeFile(io.BytesIO(content), RowReader(account, batch, NOW)).rows())


def trades(text: str | bytes, account: str = "default", batch: str = "") -> list[PastTrade]:
    found = [row.trade for row in read(text, account, batch)]
    assert all(isinstance(trade, PastTrade) for trade in found), found
    return [trade for trade in found if isinstance(trade, PastTrade)]


def as_csv(*rows: dict[str, str]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FULL = {**GOOD, "fee": "0.5", "account": "growth", "strategy": 'é, "q"', "id": "T-1"}


@pytest.mark.parametrize("form", [as_csv, as_lines], ids=["csv", "jsonl"])
def test_every_column_is_read_exactly(form: Callable[..., str]) -> None:
    (trade,) = trades(form(FULL))

    assert trade[:2] == (2 if form is as_csv else 1, "growth")
    assert trade[3:10] == (
        "AAPL",
        Side.buy,
        Decimal(10),
        Decimal("190.25"),
        Decimal("0.5"),
        datetime(2025, 3, 4, 14, 30, 0, 123456, UTC),
        'é, "q"',
    )
    assert trade.units == (10_000_000_000, 190_250_000_000, 500_000)
    assert trade.moment == "2025-03-04T14:30:00.123456Z"


def test_columns_may_stand_in_any_order_and_numbers_be_json_numbers() -> None:
    (first,) = trades(as_csv(GOOD))
    (turned,) = trades("\ufeff" + as_csv(dict(reversed(GOOD.items()))).replace("ticker", " Ticker"))
    (by_line,) = trades(
        '\n{"ticker":"aapl","side":"BUY","quantity":10.0,"price":190.25,"fee":null,'
        '"executed_at":"2025-03-04T14:30:00.123456Z"}\n\n'
    )

    assert turned.id == first.id == by_line.id


WRONG: list[tuple[dict[str, object], str, str]] = [
    ({"ticker": "1"}, "ticker", "A ticker is"),
    ({"ticker": ""}, "ticker", "A ticker is"),
    ({"side": "short"}, "side", "must be buy or sell"),
    ({"quantity": ""}, "quantity", "is missing"),
    ({"quantity": "0"}, "quantity", "more than 0"),
    ({"quantity": "1000000000.1"}, "quantity", "at most 1000000000"),
    ({"quantity": "1,000"}, "quantity", "must be a number"),
    ({"quantity": "1e3"}, "quantity", "must be a number"),
    ({"quantity": "-5"}, "quantity", "must be a number"),
    ({"price": "NaN"}, "price", "must be a number"),
    ({"price": "0.0000000001"}, "price", "9 after the point"),
    ({"executed_at": "2025-03-04"}, "executed_at", "a time with a zone"),
    ({"executed_at": "yesterday"}, "executed_at", "a time with a zone"),
    ({"executed_at": "2025-03-04T15:30:00"}, "executed_at", "a time with a zone"),
    ({"executed_at": "2026-11-20T00:00:01Z"}, "executed_at", "future"),
    ({"fee": "-1"}, "fee", "must be a number"),
    ({"fee": "0.0000001"}, "fee", "6 decimal places"),
    ({"account": "a" * 37}, "account", "36 characters"),
    ({"strategy": "s" * 129}, "strategy", "128 characters"),
    ({"strategy": "a\0b"}, "strategy", "printable"),
    ({"id": "\ud800"}, "id", "printable"),
]


@pytest.mark.parametrize(("change", "field", "reason"), WRONG, ids=repr)
def test_a_bad_row_is_told_with_its_line_field_and_reason(
    change: dict[str, object], field: str, reason: str
) -> None:
    (_, bad, _) = read(as_lines(GOOD, GOOD | change, GOOD))

    assert isinstance(bad.trade, BadRow)
    assert (bad.trade.line, bad.trade.field) == (2, field)
    assert reason in bad.trade.reason


def test_what_is_no_row_at_all_is_told_too() -> None:
    header = ",".join(GOOD)
    cells = ",".join(GOOD.values())
    short, quoted, latin, good = read(
        f'{header}\nAAPL,buy\n"AAPL,{cells}\n'.encode()
        + cells.replace("AAPL", "\u00c4").encode("latin-1")
        + f"\n\n{cells}".encode()
    )
    lines = read(
        as_lines(GOOD, [1], {**GOOD, "qty": 1}, {**GOOD, "price": [1]})
        + '{"ticker": \n{"fee": 1, "fee": 2}\n'
        + "[" * 100_000
    )

    assert [row.trade.line for row in (short, quoted, latin, good)] == [2, 3, 4, 6]
    assert [isinstance(row.trade, BadRow) for row in (short, quoted, latin)] == [True] * 3
    assert isinstance(good.trade, PastTrade)
    told = [row.trade for row in lines[1:]]
    assert all(isinstance(bad, BadRow) for bad in told)
    assert [bad[1] for bad in told] == [None, "qty", "price", None, None, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column ticker"),
        ("ticker,side,quantity,price\n", "no column executed_at"),
        ("ticker,side,quantity,price,executed_at,qty\n", "the column 'qty'"),
        ("ticker,side,quantity,price,executed_at,price\n", "the column 'price'"),
        ("\x89PNG\r\n\x1a\n\0\0", "no column ticker"),
    ],
    ids=["empty", "missing", "unknown", "twice", "other"],
)
def test_a_file_without_the_columns_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(text)


def test_a_row_has_the_same_id_for_ever_and_no_other_row_has_it() -> None:
    variants = [
        GOOD,
        GOOD | {"ticker": "MSFT"},
        GOOD | {"side": "sell"},
        GOOD | {"quantity": "10.000000001"},
        GOOD | {"price": "190.26"},
        GOOD | {"executed_at": "2025-03-04T15:30:00.123457+01:00"},
        GOOD | {"fee": "0.000001"},
        GOOD | {"strategy": "s"},
        GOOD | {"account": "growth"},
        GOOD | {"id": "1"},
        GOOD | {"id": "1", "account": "growth"},
        GOOD | {"id": "2"},
    ]

    ids = [trade.id for trade in trades(as_lines(*variants))]
    other_batch = [trade.id for trade in trades(as_lines(*variants[:9]), batch="b")]

    assert ids[0] == "01956190-46bb-7cc9-9ee0-e8dbe5364984"
    assert len({*ids, *other_batch}) == len(variants) + 9
    assert [trade.id for trade in trades(as_lines(*reversed(variants)))] == ids[::-1]
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
    assert [uuid.UUID(one).version for one in ids] == [7] * 9 + [8] * 3
    assert uuid.UUID(ids[0]).int >> 80 == 1741098600123


def test_rows_that_say_the_same_are_trades_of_their_own_wherever_they_stand() -> None:
    other = GOOD | {"price": "1"}
    thrice = [trade.id for trade in trades(as_lines(GOOD, GOOD, other, GOOD))]

    assert len(set(thrice)) == 4
    # The same amounts, written otherwise, say the same.
    again = trades(as_csv(other, GOOD | {"quantity": "10.0"}, GOOD, GOOD | {"price": "190.250"}))
    assert [trade.id for trade in again] == [thrice[2], thrice[0], thrice[1], thrice[3]]
    # A row with an id of its own is that trade, however often and whatever it says.
    named = trades(as_lines(GOOD | {"id": "1"}, GOOD | {"id": "1", "price": "1"}))
    assert named[0].id == named[1].id


@pytest.mark.parametrize("form", [as_csv, as_lines], ids=["csv", "jsonl"])
def test_rejected_rows_can_be_replayed_once_they_are_right(form: Callable[..., str]) -> None:
    text = form(FULL, FULL | {"price": "1"})
    file = TradeFile(io.BytesIO(text.encode()), RowReader("default", "", NOW))
    before = list(file.rows())
    out = io.StringIO()
    rejects = Rejects(out, file)
    for row in before:
        rejects.write(row, 'price: is wrong, "really"')

    again = read(out.getvalue())
    twice = io.StringIO()
    reader = RowReader("", "", NOW)
    rejects = Rejects(twice, TradeFile(io.BytesIO(out.getvalue().encode()), reader))
    for row in again:
        rejects.write(row, 'price: is wrong, "really"')

    assert [row.trade[1:] for row in again] == [row.trade[1:] for row in before]
    assert twice.getvalue() == out.getvalue()
    assert set(COLUMNS) == {*FULL, "identity"}


def set_aside(text: str) -> str:
    """Return the file of rejects when every row of a file is one."""
    file = TradeFile(io.BytesIO(text.encode()), RowReader("default", "", NOW))
    out = io.StringIO()
    rejects = Rejects(out, file)
    for row in file.rows():
        rejects.write(row, "it cannot be booked")
    return out.getvalue()


@pytest.mark.parametrize("form", [as_csv, as_lines], ids=["csv", "jsonl"])
def test_a_rejected_row_keeps_its_id_when_it_is_corrected(form: Callable[..., str]) -> None:
    rejected = set_aside(form(GOOD, GOOD, GOOD | {"price": "x"}, GOOD | {"price": "x"}))
    corrected = trades(
        rejected.replace("190.25", "191").replace('"x"', '"191"').replace("x,", "191,")
    )

    assert len({trade.id for trade in corrected}) == 4
    assert [trade.id for trade in corrected[:2]] == [trade.id for trade in trades(form(GOOD, GOOD))]
    assert set_aside(rejected) == rejected


def test_a_row_of_too_many_cells_is_right_once_two_of_them_are_joined() -> None:
    text = set_aside(as_csv(GOOD).replace(",10,", ",1,0,"))
    again = set_aside(text)

    assert again == text
    (trade,) = trades(again.replace(",1,0,", ",10,"))
    assert trade.quantity == 10
    assert trade.id != trades(as_csv(GOOD))[0].id


def test_an_identity_is_one_that_was_given() -> None:
    given = trades(as_csv(GOOD))[0].id
    other, first, second = read(
        as_lines(
            GOOD | {"identity": given.upper()},
            GOOD | {"identity": given},
            GOOD | {"identity": given},
        )
    )

    for bad, words in ((other, "as --skip-bad wrote it"), (second, "stands in an earlier row")):
        assert isinstance(bad.trade, BadRow)
        assert bad.trade.field == "identity"
        assert words in bad.trade.reason
    assert isinstance(first.trade, PastTrade)
    assert first.trade.id == given
