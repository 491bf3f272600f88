"""The proof finds sound books sound, and one changed bit anywhere in them."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Column, ColumnElement, Enum, String, Table, Text, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from paperdesk.db.engine import Database
from paperdesk.db.types import FixedPoint, UtcDateTime
from paperdesk.ledger.proof import marks, proving
from paperdesk.ledger.proof.proving import Problem
from paperdesk.models import Base
from support.databases import START
from support.handwritten import write_books

TABLES = Base.metadata.tables
JOURNAL = ("trades", "cash_movements", "position_adjustments")
JUDGED: dict[str, str] = {name: " ".join(TABLES[name].c.keys()) for name in JOURNAL} | {
    "positions": "user_id ticker quantity cost_basis avg_cost opened_at",
    "position_lots": "user_id ticker number opened_at quantity cost_basis",
    "users_profile": "id cash_balance realized_pnl head_sequence head_hash",
    "orders": "user_id ticker side status quantity filled_quantity filled_avg_price filled_at",
}
"""What the proof answers for."""

PLACES = [(table, column) for table, columns in JUDGED.items() for column in columns.split()]


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Session]:
    """A session over books written by hand, with nothing in the database to protect them."""
    with database.sync_session() as session:
        write_books(session)
        session.commit()
        if database.dialect == "sqlite":
            session.execute(text("PRAGMA ignore_check_constraints = ON"))
        yield session
        session.rollback()


@contextmanager
def tampered(session: Session) -> Iterator[Session]:
    """Let the block change what it likes; all of it is taken back."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        for name in session.scalars(
            text("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        ).all():
            session.execute(text(f"DROP TRIGGER {name}"))
    else:
        session.execute(text("SET LOCAL session_replication_role = replica"))
    yield session
    session.rollback()


def flipped(column: Column[Any], value: Any) -> Any:
    """Return a value that differs in one bit, or as little as one can of its kind."""
    match value:
        case None:
            enums = getattr(column.type, "enums", [""])
            kinds = {String: enums[-1], Text: "", FixedPoint: Decimal(1), UtcDateTime: START}
            return next((one for kind, one in kinds.items() if isinstance(column.type, kind)), 1)
        case Decimal():
            scale = getattr(column.type, "scale", 0)
            return Decimal(int(value.scaleb(scale)) ^ (1 << random.randrange(50))).scaleb(-scale)
        case datetime():
            return value + timedelta(microseconds=1 << random.randrange(40))
        case int():
            return value ^ (1 << random.randrange(50))
        case _ if isinstance(column.type, Enum):
            return random.choice([each for each in column.type.enums if each != value])
        case _:
            place = random.randrange(len(value))
            changed = chr(ord(value[place]) ^ (1 << random.randrange(6)) or 1)
            return value[:place] + changed + value[place + 1 :]


def is_judged(table: str, column: str, row: Any) -> bool:
    """Say whether the trades tell what stands there: they know of no order that is not filled."""
    if table != "orders" or row.status == "filled":
        return True
    return column in {"filled_quantity", "filled_avg_price", "filled_at"} or (
        column in {"user_id", "ticker", "side"} and row.filled_quantity > 0
    )


def change(session: Session, table: Table, row: Any, **values: Any) -> None:
    session.execute(update(table).where(*key_of(table, row)).values(values))


def key_of(table: Table, row: Any) -> list[ColumnElement[bool]]:
    return [key == row._mapping[key.name] for key in table.primary_key.columns]


def rows(session: Session, table: str) -> list[Any]:
    order = "sequence" if table in JOURNAL else next(iter(TABLES[table].primary_key)).name
    return list(session.execute(TABLES[table].select().order_by(order)))


def test_sound_books_are_proven(books: Session) -> None:
    verdict = proving.prove(books)

    assert verdict.problems == []
    assert (verdict.checked.accounts, verdict.checked.trades) == (4, 17)
    assert (verdict.checked.cash_movements, verdict.checked.position_adjustments) == (5, 2)
    assert proving.look(books).problems == []


def test_any_changed_bit_is_found_and_its_entry_named(books: Session) -> None:
    for table, column in PLACES:
        judged = [row for row in rows(books, table) if is_judged(table, column, row)]
        for row in random.sample(judged, min(1, len(judged))):
            before = row._mapping[column]
            after = flipped(TABLES[table].c[column], before)
            if column == "sequence":
                # No lower bit: another entry may have that number.
                after = before ^ (1 << random.randrange(10, 50))
            with tampered(books):
                try:
                    change(books, TABLES[table], row, **{column: after})
                except IntegrityError:
                    # The database itself does not take it: such as a ratio over 0.
                    continue
                found = proving.prove(books).problems
            place = f"{table}.{column} {before!r} -> {after!r}"
            assert found, place
            if table in JOURNAL and column not in {"user_id", "sequence"}:
                assert [(p.account, p.sequence) for p in found] == [(row.user_id, row.sequence)], (
                    place
                )


WRONGLY_SET_ASIDE = [
    ("reserved_cash = 1", "closed_at IS NOT NULL", "has ended, and still sets something aside"),
    ("reserved_quantity = 1", "closed_at IS NOT NULL", "has ended, and still sets something aside"),
    (
        "filled_quantity = quantity, filled_avg_price = 1",
        "reserved_cash > 0",
        "says that it was filled; it has no trade",
    ),
    ("reserved_cash = 900000000000", "reserved_cash > 0", "set $900,000.00 aside, but cash is"),
    ("reserved_quantity = 900000000000", "reserved_quantity > 0", "set 900 AAPL aside, but"),
    ("ticker = 'NVDA'", "reserved_quantity > 0", "set 2 NVDA aside, but 0 are held"),
]


@pytest.mark.parametrize(("change", "where", "what"), WRONGLY_SET_ASIDE)
def test_what_open_orders_cannot_set_aside_is_found(
    books: Session, change: str, where: str, what: str
) -> None:
    with tampered(books):
        books.execute(text(f"UPDATE orders SET {change} WHERE {where}"))
        found = proving.prove(books).problems
    assert found
    assert any(what in problem.what for problem in found), found
    assert {problem.sequence for problem in found} == {None}


@pytest.mark.parametrize(
    "table", [*JOURNAL, "positions", "position_lots", "users_profile", "orders"]
)
def test_a_deleted_row_is_found(books: Session, table: str) -> None:
    for row in rows(books, table):
        if table == "orders" and row.filled_quantity == 0:
            continue
        with tampered(books):
            books.execute(TABLES[table].delete().where(*key_of(TABLES[table], row)))
            found = proving.prove(books).problems
        if table in JOURNAL:
            assert (row.user_id, row.sequence) in {(p.account, p.sequence) for p in found}
        assert found, row


def swap_numbers(session: Session, table: Table, one: Any, other: Any) -> None:
    change(session, table, one, sequence=-1)
    change(session, table, other, sequence=one.sequence)
    change(session, table, one, sequence=other.sequence)


def swap_all_but_the_number(session: Session, table: Table, one: Any, other: Any) -> None:
    kept = {"id", "sequence"}
    values = [{k: v for k, v in row._mapping.items() if k not in kept} for row in (one, other)]
    change(session, table, one, **values[1])
    change(session, table, other, **values[0])


def swap_places_and_hashes(session: Session, table: Table, one: Any, other: Any) -> None:
    swap_numbers(session, table, one, other)
    change(session, table, one, hash=other.hash)
    change(session, table, other, hash=one.hash)


@pytest.mark.parametrize(
    "swap",
    [swap_numbers, swap_all_but_the_number, swap_places_and_hashes],
    ids=lambda swap: swap.__name__,
)
def test_a_swapped_pair_is_found(books: Session, swap: Callable[..., None]) -> None:
    trades = [
        row for row in rows(books, "trades") if row.user_id == rows(books, "trades")[0].user_id
    ]
    for one, other in pairwise(trades):
        with tampered(books):
            swap(books, TABLES["trades"], one, other)
            found = proving.prove(books).problems
        assert found[0].sequence == one.sequence


def test_rows_of_no_account_are_found(books: Session) -> None:
    for table in (*JOURNAL, "positions", "orders"):
        with tampered(books):
            row = rows(books, table)[0]
            copy: dict[str, Any] = dict(row._mapping) | {"id": "another", "user_id": "nobody"}
            books.execute(TABLES[table].insert().values(copy))
            found = proving.prove(books).problems
        assert found == [
            Problem("nobody", copy.get("sequence"), f"1 row(s) in {table} belong to no account.")
        ]


def test_entry_beyond_the_head_is_found(books: Session) -> None:
    row = rows(books, "cash_movements")[0]
    copy = dict(row._mapping) | {"id": "another", "sequence": 99, "key": "another"}
    with tampered(books):
        books.execute(TABLES["cash_movements"].insert().values(copy))
        found = proving.prove(books).problems
        quickly = proving.look(books).problems
    assert [(p.account, p.sequence) for p in found] == [(row.user_id, 99)]
    assert quickly == found


def prove_and_mark(session: Session) -> None:
    marks.move(session, proving.prove(session).points, START)
    session.commit()


def test_quick_look_begins_at_the_mark(books: Session) -> None:
    assert proving.look(books).checked.trades == 17
    prove_and_mark(books)

    looked = proving.look(books)

    assert (looked.problems, looked.points, looked.checked.trades) == ([], {}, 0)


def test_mark_of_holdings_without_their_time_is_not_used(books: Session) -> None:
    prove_and_mark(books)
    with tampered(books):
        books.execute(update(TABLES["proofs"]).values(holdings={"AAPL": [1, 2]}))
        assert proving.look(books).checked.trades == 17


@pytest.mark.parametrize("stored", ["garbage", "7", "[[1, 2]]", '[[{}, 1, "x"]]'], ids=repr)
def test_acceptance_that_cannot_be_read_is_none(books: Session, stored: str) -> None:
    with tampered(books):
        books.execute(TABLES["desk_meta"].insert().values(key=marks.ACCEPTED, value=stored))
        found = [proving.look(books).fresh, proving.prove(books).fresh]
        marks.accept(books, found[0], START)
        again = proving.prove(books)
    assert [len(problems) for problems in found] == [1, 1]
    assert found[0][0].what.startswith("What was accepted cannot be read")
    assert again.problems == []


def test_accepted_state_that_cannot_be_read_is_none(books: Session) -> None:
    with tampered(books):
        books.execute(text("UPDATE users_profile SET cash_balance = cash_balance + 1"))
        marks.accept(books, proving.prove(books).fresh, START)
        assert proving.look(books).fresh == proving.prove(books).fresh == []
        books.execute(update(TABLES["proofs"]).values(holdings={"AAPL": 5}))
        fresh = proving.prove(books).fresh
        assert proving.look(books).fresh == fresh
    assert {problem.what for problem in fresh} == {
        "1 of its accepted states cannot be read, and count as not accepted."
    }


def test_mark_that_is_wrong_is_no_proof_against_an_account(books: Session) -> None:
    prove_and_mark(books)
    for values in (
        {"cash_balance": Decimal(1)},
        {"sequence": 3},
        {"hash": ""},
        {"holdings": [1]},
        {"holdings": {"AAPL": [1, 2]}},
        {"holdings": {"AAPL": [1.5, 2, None]}},
    ):
        with tampered(books):
            books.execute(update(TABLES["proofs"]).values(values))
            assert proving.look(books).problems == []


def test_mark_that_makes_no_sense_is_not_used(books: Session) -> None:
    prove_and_mark(books)
    # PostgreSQL takes nothing that is no JSON, and no text for a number.
    is_sqlite = books.get_bind().dialect.name == "sqlite"
    garbage = "'garbage', cash_balance = 'x'" if is_sqlite else "'\"garbage\"'"
    with tampered(books):
        books.execute(text(f"UPDATE proofs SET holdings = {garbage}"))
        looked = proving.look(books)
    assert (looked.problems, looked.checked.trades) == ([], 17)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users_profile SET cash_balance = cash_balance + 1",
        "UPDATE users_profile SET head_hash = 'x'",
        "UPDATE positions SET cost_basis = cost_basis + 1",
        "UPDATE positions SET avg_cost = avg_cost + 1",
        "UPDATE positions SET opened_at = '2001-01-01T00:00:00.000000Z'",
        "DELETE FROM positions",
    ],
)
def test_quick_look_sees_wrong_heads_and_balances(books: Session, statement: str) -> None:
    prove_and_mark(books)
    with tampered(books):
        books.execute(text(statement))
        looked = proving.look(books)
    assert looked.problems
    assert looked.fresh == looked.problems


def test_quick_look_leaves_a_long_journal_to_the_whole_proof(
    books: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "_LONGEST_LOOK", 3)
    looked = proving.look(books)
    with tampered(books):
        books.execute(text("UPDATE users_profile SET head_hash = 'x'"))
        found = proving.look(books).problems

    assert (looked.problems, looked.checked.trades) == ([], 1)
    assert len(found) == 4
