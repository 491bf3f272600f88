"""Amounts are exact, times have a zone, nothing of JSON is lost; the database refuses the rest."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, literal_column, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, StatementError

from paperdesk.db.engine import Database
from paperdesk.db.types import FixedPoint, UtcDateTime, format_utc
from paperdesk.models import Base, ChatMessage, ChatRole, DeskMeta, Order, Quote, Side, Signal
from support.rows import row

AMOUNTS = {
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, FixedPoint)
}


def quote(ticker: str, price: Any, at: datetime = datetime(2026, 11, 20, tzinfo=UTC)) -> Quote:
    return Quote(
        ticker=ticker, price=price, previous_price=1, source="test", timestamp=at, received_at=at
    )


@pytest.mark.parametrize(
    "price", ["0.000000001", "9223372036.854775807", "1", "187.120000000", "999999999.999999999"]
)
async def test_amount_comes_back_to_the_last_digit(database: Database, price: str) -> None:
    async with database.write() as session:
        session.add(quote("A", Decimal(price)))
    async with database.read() as session:
        found = await session.scalar(select(Quote.price))
    assert found == Decimal(price)
    assert isinstance(found, Decimal)


@pytest.mark.parametrize("scale", [6, 9])
@given(units=st.integers(-(2**63), 2**63 - 1))
def test_every_whole_number_of_units_survives_the_way_there_and_back(
    scale: int, units: int
) -> None:
    kind = FixedPoint(scale)
    value = kind.process_result_value(units, sqlite.dialect())
    assert value == Decimal(units) / 10**scale or abs(units) > 10**28
    assert kind.process_bind_param(value, sqlite.dialect()) == units


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (1.5, TypeError),
        (True, TypeError),
        ("1.5", TypeError),
        (Decimal("NaN"), ValueError),
        (Decimal("sNaN"), ValueError),
        (Decimal("Infinity"), ValueError),
        (Decimal("0.0000000001"), ValueError),
        (Decimal("9223372036.854775808"), ValueError),
        (Decimal("-9223372036.854775809"), ValueError),
        (Decimal("1e30"), ValueError),
        (Decimal("1e-400"), ValueError),
    ],
    ids=repr,
)
async def test_what_cannot_be_held_exactly_is_refused(
    sqlite: Database, value: Any, error: type[Exception]
) -> None:
    async with sqlite.async_session_maker() as session:
        session.add(quote("A", value))
        with pytest.raises((StatementError, error)) as refused:
            await session.flush()
    assert isinstance(getattr(refused.value, "orig", refused.value), error)


async def test_sum_of_amounts_is_exact_on_both_databases(database: Database) -> None:
    prices = [Decimal("0.1"), Decimal("0.2"), Decimal("1000000.000000003")]
    async with database.write() as session:
        session.add_all(quote(f"T{n}", price) for n, price in enumerate(prices))
    async with database.read() as session:
        assert await session.scalar(select(func.sum(Quote.price))) == sum(prices)


@pytest.mark.parametrize(("table", "column"), sorted(AMOUNTS))
@pytest.mark.parametrize("raw", ["'abc'", "1.5"])
async def test_sqlite_stores_no_amount_that_is_not_whole(
    sqlite: Database, table: str, column: str, raw: str
) -> None:
    target = Base.metadata.tables[table]
    async with sqlite.writer.connect() as connection:
        await connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        values = row(target)
        if (table, column) == ("orders", "notional"):
            values |= {"notional": Decimal(1), "quantity": None}
        values[column] = literal_column(raw)
        with pytest.raises(IntegrityError, match=f"ck_{table}_{column}_whole"):
            await connection.execute(target.insert().values(values))


def test_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 11, 20, 15, 0)  # noqa: DTZ001 - the point of the test
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        with pytest.raises(ValueError, match="zone"):
            UtcDateTime().process_bind_param(naive, dialect)


async def test_time_of_another_zone_comes_back_as_the_same_instant_in_utc(
    database: Database,
) -> None:
    tokyo = datetime(2026, 11, 21, 0, 0, 0, 7, tzinfo=timezone(timedelta(hours=9)))
    async with database.write() as session:
        session.add(quote("A", 1, tokyo))
    async with database.read() as session:
        found = await session.scalar(select(Quote.timestamp))
    assert found == tokyo
    assert found
    assert found.utcoffset() == timedelta(0)
    assert found.hour == 15


async def test_text_of_times_sorts_by_time_on_sqlite(sqlite: Database) -> None:
    start = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)
    steps = [timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=400)]
    async with sqlite.write() as session:
        session.add_all(quote(f"T{n}", 1, start + step) for n, step in enumerate(steps))
    async with sqlite.read() as session:
        query = text("SELECT timestamp FROM quotes ORDER BY ticker")
        stored = (await session.scalars(query)).all()
    assert stored == sorted(stored)
    assert stored[0] == "2026-11-20T23:59:59.999999Z"
    assert {len(one) for one in stored} == {27}


@given(st.datetimes(timezones=st.timezones()))
def test_time_is_always_text_of_one_width_that_reads_back(moment: datetime) -> None:
    try:
        written = format_utc(moment)
    except OverflowError:
        return
    assert len(written) == 27
    # In UTC: Python calls an hour that a zone has twice unequal to every other zone's.
    assert datetime.fromisoformat(written) == moment.astimezone(UTC)


@pytest.mark.parametrize("actions", [None, [], {}, {"a": [None, 1.5, "é\n"]}, "text", 0, False])
async def test_json_comes_back_as_it_was(database: Database, actions: Any) -> None:
    async with database.write() as session:
        session.add(ChatMessage(role=ChatRole.user, content="hi", actions=actions))
    async with database.read() as session:
        assert await session.scalar(select(ChatMessage.actions)) == actions
        null = select(func.count()).where(ChatMessage.actions.is_(None))
        assert await session.scalar(null) == (1 if actions is None else 0)


async def test_body_of_a_signal_is_kept_byte_for_byte(database: Database) -> None:
    body = bytes(range(256))
    async with database.write() as session:
        session.add(Signal(signal_id="a" * 64, raw=body, payload=None))
    async with database.read() as session:
        assert await session.scalar(select(Signal.raw)) == body


async def test_signals_are_numbered_by_the_database(database: Database) -> None:
    async with database.write() as session:
        first, second = (Signal(signal_id=letter * 64) for letter in "ab")
        session.add(first)
        await session.flush()
        session.add(second)
    assert (first.id, second.id) == (1, 2)


async def test_enum_comes_back_as_its_member(database: Database) -> None:
    values = row(Base.metadata.tables["orders"]) | {"user_id": "default", "signal_id": None}
    async with database.write() as session:
        session.add(Order(**values))
    async with database.read() as session:
        assert await session.scalar(select(Order.side)) is Side.buy


def test_a_row_shows_its_key_alone() -> None:
    assert repr(DeskMeta(key="k", value="secret")) == "<DeskMeta key='k'>"
