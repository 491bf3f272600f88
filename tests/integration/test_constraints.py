"""What the database itself refuses, on both databases, and the name that the refusal carries."""

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    Enum,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    column,
    inspect,
    literal_column,
    text,
)
from sqlalchemy import table as lightweight
from sqlalchemy.exc import DBAPIError, IntegrityError

from paperdesk import models
from paperdesk.db.constraints import violated
from paperdesk.db.engine import Database
from paperdesk.models import Base
from paperdesk.settings import database_url as driver_url
from support.databases import DIALECTS
from support.documented import APPEND_ONLY, DEFAULTS, ENUMS, INDEXED, UNIQUE
from support.rows import TABLES, add, row

KEYS = [
    (table, constraint)
    for table in TABLES
    for constraint in table.constraints
    if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
]
ENUM_COLUMNS = [
    (table, column.name, column.type)
    for table in TABLES
    for column in table.columns
    if isinstance(column.type, Enum)
]
REFUSED = [
    ("users_profile", "cash_balance", "-1", "ck_users_profile_cash_not_negative"),
    ("users_profile", "head_sequence", "-1", "ck_users_profile_head_sequence_not_negative"),
    ("positions", "quantity", "0", "ck_positions_quantity_not_zero"),
    ("orders", "quantity", "0", "ck_orders_quantity_positive"),
    ("orders", "quantity", "NULL", "ck_orders_quantity_or_notional"),
    ("orders", "notional", "1", "ck_orders_quantity_or_notional"),
    ("orders", "filled_quantity", "-1", "ck_orders_filled_quantity_not_negative"),
    ("orders", "reserved_cash", "-1", "ck_orders_reserved_not_negative"),
    ("orders", "reserved_quantity", "-1", "ck_orders_reserved_not_negative"),
    ("orders", "closed_at", "'2026-11-22T00:00:00.000000Z'", "ck_orders_open_or_closed"),
    ("trades", "quantity", "0", "ck_trades_quantity_positive"),
    ("trades", "price", "0", "ck_trades_price_positive"),
    ("position_adjustments", "denominator", "0", "ck_position_adjustments_ratio_positive"),
    ("quotes", "price", "0", "ck_quotes_price_positive"),
    ("price_bars", "high", "1", "ck_price_bars_prices_sane"),
    ("signals", "signal_id", "'short'", "ck_signals_signal_id_length"),
]


@pytest.fixture(scope="module", params=DIALECTS)
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """One database for all of these tests, none of which commits: they are many."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        yield driver_url(template.copy_to(tmp_path_factory.mktemp("shared") / "desk.db"))
    else:
        with request.getfixturevalue("postgres_template").copy() as url:
            yield driver_url(url)


def columns(constraint: Any) -> list[str]:
    return [column.name for column in constraint.columns]


def add_referred(connection: Connection, table: Table, without: Collection[str] = ()) -> None:
    """Insert the rows that a row of the table refers to."""
    for key in table.foreign_keys:
        target = key.column.table
        query = target.select().where(key.column == row(target)[key.column.name])
        if key.parent.name not in without and connection.execute(query).first() is None:
            add(connection, target)


def insert_raw(connection: Connection, table: Table, **changes: str) -> None:
    """Insert a valid row with some columns written as SQL, past every Python check."""
    values = row(table)
    add_referred(connection, table)
    connection.execute(
        table.insert().values(values | {k: literal_column(v) for k, v in changes.items()})
    )


@pytest.mark.parametrize(("table", "key"), KEYS, ids=lambda value: getattr(value, "name", value))
async def test_duplicate_is_refused_by_name(
    database: Database, table: Table, key: UniqueConstraint
) -> None:
    async with database.writer.connect() as connection:
        first = await connection.run_sync(add, table, 1)
        second = {name: first[name] for name in columns(key)}
        with pytest.raises(IntegrityError) as refused:
            await connection.run_sync(lambda sync: add(sync, table, 2, **second))
    assert violated(refused.value, Base.metadata) == key.name


def test_every_documented_key_is_one_of_them() -> None:
    found = {(table.name, " ".join(columns(key))) for table, key in KEYS}
    documented = {(table, names) for table, keys in UNIQUE.items() for names in keys}
    assert documented <= found


@pytest.mark.parametrize(("table", "column", "value", "name"), REFUSED)
async def test_senseless_value_is_refused_by_name(
    database: Database, table: str, column: str, value: str, name: str
) -> None:
    target = Base.metadata.tables[table]
    async with database.writer.connect() as connection:
        with pytest.raises(IntegrityError) as refused:
            await connection.run_sync(lambda sync: insert_raw(sync, target, **{column: value}))
    assert violated(refused.value, Base.metadata) == name


@pytest.mark.parametrize(("table", "column"), ENUMS)
def test_enum_lists_the_documented_values_named_as_they_are(table: str, column: str) -> None:
    kind: Any = Base.metadata.tables[table].c[column].type
    assert kind.enums == ENUMS[table, column].split()
    assert [member.name for member in kind.enum_class] == kind.enums
    assert issubclass(kind.enum_class, StrEnum)
    assert getattr(models, kind.enum_class.__name__) is kind.enum_class


def literals(table: Table, column: str, value: str) -> dict[str, str]:
    """Return what to insert, so that nothing but the enum can be what is refused."""
    found = {column: f"'{value}'"}
    if (table.name, column) == ("orders", "status"):
        is_open = value in {"new", "accepted", "partially_filled", "held"}
        found["closed_at"] = "NULL" if is_open else "'2026-11-22T00:00:00.000000Z'"
    return found


@pytest.mark.parametrize(
    ("table", "column", "kind"), ENUM_COLUMNS, ids=lambda value: getattr(value, "name", value)
)
async def test_value_outside_an_enum_is_refused_by_the_database(
    database: Database, table: Table, column: str, kind: Enum
) -> None:
    async with database.writer.connect() as connection:
        for value in kind.enums:
            async with connection.begin_nested() as savepoint:
                literal = literals(table, column, value)
                await connection.run_sync(lambda sync, c=literal: insert_raw(sync, table, **c))
                await savepoint.rollback()
        for value in ("unheard_of", str(kind.enums[0]).swapcase(), ""):
            savepoint = await connection.begin_nested()
            literal = literals(table, column, value)
            with pytest.raises(IntegrityError) as refused:
                await connection.run_sync(lambda sync, c=literal: insert_raw(sync, table, **c))
            await savepoint.rollback()
            assert violated(refused.value, Base.metadata) == f"ck_{table.name}_{kind.name}"


@pytest.mark.parametrize("table", DEFAULTS)
async def test_columns_left_out_get_their_documented_defaults(
    database: Database, table: str
) -> None:
    target = Base.metadata.tables[table]
    values = {name: value for name, value in row(target).items() if name not in DEFAULTS[table]}
    # Without the Python defaults of the models: a table that knows nothing but names and types.
    bare = lightweight(
        table,
        *(
            column(name, target.c[name].type)
            for name in target.c.keys()  # noqa: SIM118
        ),
    )
    key = next(iter(target.primary_key.columns))
    async with database.writer.connect() as connection:
        await connection.run_sync(add_referred, target, DEFAULTS[table])
        await connection.execute(bare.insert().values(values))
        query = target.select().where(key == values[key.name])
        found = (await connection.execute(query)).one()
    assert {name: getattr(found, name) for name in DEFAULTS[table]} == DEFAULTS[table]


async def test_row_that_refers_to_nothing_is_refused(database: Database) -> None:
    positions = Base.metadata.tables["positions"]
    async with database.writer.connect() as connection:
        values = row(positions) | {"user_id": "nobody"}
        with pytest.raises(IntegrityError) as refused:
            await connection.execute(positions.insert().values(values))
    expected = None if database.dialect == "sqlite" else "fk_positions_user_id"
    assert violated(refused.value, Base.metadata) == expected


async def test_refusal_of_a_table_that_is_not_ours_has_no_name(sqlite: Database) -> None:
    async with sqlite.writer.connect() as connection:
        await connection.execute(text("CREATE TABLE theirs (x INTEGER UNIQUE)"))
        await connection.execute(text("INSERT INTO theirs VALUES (1)"))
        with pytest.raises(IntegrityError) as refused:
            await connection.execute(text("INSERT INTO theirs VALUES (1)"))
    assert violated(refused.value, Base.metadata) is None


async def test_documented_columns_are_indexed(database: Database) -> None:
    async with database.reader.connect() as connection:
        inspector = {
            table: await connection.run_sync(lambda sync, t=table: inspect(sync).get_indexes(t))
            for table in INDEXED
        }
    missing = [
        (table, column)
        for table, wanted in INDEXED.items()
        for column in wanted
        if column not in {index["column_names"][0] for index in inspector[table]}
    ]
    assert missing == []


async def test_every_foreign_key_can_be_followed_back_by_an_index(database: Database) -> None:
    def unindexed(connection: Connection) -> list[str]:
        found = inspect(connection)
        missing: list[str] = []
        for table in TABLES:
            first = {i["column_names"][0] for i in found.get_indexes(table.name)}
            first |= {u["column_names"][0] for u in found.get_unique_constraints(table.name)}
            first |= {found.get_pk_constraint(table.name)["constrained_columns"][0]}
            missing += [
                f"{table.name}.{key['constrained_columns'][0]}"
                for key in found.get_foreign_keys(table.name)
                if key["constrained_columns"][0] not in first
            ]
        return missing

    async with database.reader.connect() as connection:
        assert await connection.run_sync(unindexed) == []


@pytest.mark.parametrize("verb", ["UPDATE {} SET id = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_journal_refuses_every_change(database: Database, table: str, verb: str) -> None:
    async with database.writer.connect() as connection:
        await connection.run_sync(add, Base.metadata.tables[table])
        with pytest.raises(DBAPIError, match=f"{table} is append-only"):
            await connection.execute(text(verb.format(table)))


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_journal_refuses_to_be_emptied(postgresql: Database, table: str) -> None:
    async with postgresql.writer.connect() as connection:
        with pytest.raises(DBAPIError, match=f"{table} is append-only"):
            await connection.execute(text(f"TRUNCATE {table} CASCADE"))


def test_no_relationship_loads_by_itself() -> None:
    eager = [
        f"{mapper.class_.__name__}.{relationship.key}"
        for mapper in Base.registry.mappers
        for relationship in mapper.relationships
        if relationship.lazy != "raise"
    ]
    assert eager == []
