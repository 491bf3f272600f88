"""The journal's hash: the same for ever, and different when anything differs."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import inspect

from paperdesk.ledger import journal
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    CostBasis,
    PositionAdjustment,
    PositionAdjustmentKind,
    Side,
    Trade,
)

NOON = datetime(2026, 11, 20, 17, 0, 0, 5, tzinfo=UTC)


def trade(**changes: Any) -> Trade:
    fields: dict[str, Any] = {
        "id": "0190-t",
        "user_id": "default",
        "order_id": "0190-o",
        "ticker": "AAPL",
        "side": Side.buy,
        "quantity": Decimal("1.5"),
        "price": Decimal("187.123456789"),
        "value": Decimal("280.685185"),
        "fee": Decimal("0.01"),
        "realized_pnl": Decimal(0),
        "source": "api",
        "strategy": "breakout",
        "executed_at": NOON,
        "sequence": 2,
    }
    return Trade(**fields | changes)


def closing(**changes: Any) -> Trade:
    """A trade that closes lots: one of the later format."""
    later: dict[str, Any] = {
        "side": Side.sell,
        "cost_basis_method": CostBasis.fifo,
        "opened_at": NOON - timedelta(days=400),
        "closed_lots": '[[1,"2025-10-16T17:00:00.000005Z",1500000000,280685185]]',
    }
    return trade(**later | changes)


def movement(**changes: Any) -> CashMovement:
    fields: dict[str, Any] = {
        "id": "0190-c",
        "user_id": "default",
        "kind": CashMovementKind.deposit,
        "amount": Decimal(10_000),
        "key": "opening",
        "note": "Grüße",
        "effective_at": NOON,
        "sequence": 1,
        "created_at": NOON,
    }
    return CashMovement(**fields | changes)


def adjustment(**changes: Any) -> PositionAdjustment:
    fields: dict[str, Any] = {
        "id": "0190-p",
        "user_id": "default",
        "kind": PositionAdjustmentKind.symbol_change,
        "ticker": "FB",
        "new_ticker": "META",
        "numerator": 1,
        "denominator": 1,
        "quantity": Decimal(0),
        "cost_basis": Decimal(0),
        "amount": Decimal(0),
        "key": "fb-meta",
        "note": None,
        "effective_at": NOON,
        "sequence": 3,
        "created_at": NOON,
    }
    return PositionAdjustment(**fields | changes)


def transfer(**changes: Any) -> PositionAdjustment:
    """Shares that came from another account: of the later format."""
    return adjustment(**{"opened_at": NOON - timedelta(days=400), "price": Decimal(5)} | changes)


MAKERS = {"trades": trade, "cash_movements": movement, "position_adjustments": adjustment}
DIGESTS = {
    "trades": "3b4bec800cb01a9f7922a37ef3f32fb023a39a3a3fbc2c6ea10d30854e209ee8",
    "cash_movements": "b86fda9a77d5f57213dd1e50cc74b2aafa363b2a47c5b9c326ce434a0bc15edb",
    "position_adjustments": "79bf300168ce9cbbd4ca716cb473e3fde05a16a5734a94eccfe58420eee34392",
}
LATER = MAKERS | {"trades": closing, "position_adjustments": transfer}
FIELDS = [
    (table, column.key)
    for table, make in LATER.items()
    for column in inspect(type(make())).columns
    if column.key != "hash"
]


def another(value: Any) -> Any:
    """Return a value of the same kind that differs as little as it can."""
    match value:
        case Decimal():
            return value + Decimal("0.000001")
        case datetime():
            return value + timedelta(microseconds=1)
        case StrEnum():
            return next(member for member in type(value) if member != value)
        case int():
            return value + 1
        case None:
            return ""
        case _:
            return f"{value} "


def test_canonical_bytes_never_change() -> None:
    assert journal.canonical_bytes(movement()).decode() == (
        '[1,"cash_movements",["id","0190-c"],["user_id","default"],["kind","deposit"],'
        '["amount",10000000000],["key","opening"],["note","Gr\\u00fc\\u00dfe"],'
        '["effective_at","2026-11-20T17:00:00.000005Z"],["sequence",1],'
        '["created_at","2026-11-20T17:00:00.000005Z"]]'
    )


def test_what_came_later_is_hashed_where_it_says_something() -> None:
    closed = journal.canonical_bytes(closing()).decode()
    assert closed.startswith('[2,"trades",')
    assert closed.endswith(
        '["sequence",2],["cost_basis_method","fifo"],'
        '["opened_at","2025-10-16T17:00:00.000005Z"],["closed_lots",'
        '"[[1,\\"2025-10-16T17:00:00.000005Z\\",1500000000,280685185]]"]]'
    )
    assert journal.canonical_bytes(trade(opened_at=NOON)).startswith(b'[2,"trades",')
    assert (
        journal.canonical_bytes(transfer())
        .decode()
        .endswith(
            '["created_at","2026-11-20T17:00:00.000005Z"],'
            '["opened_at","2025-10-16T17:00:00.000005Z"],["price",5000000000]]'
        )
    )


@pytest.mark.parametrize(("table", "digest"), DIGESTS.items())
def test_hash_of_a_known_entry_never_changes(table: str, digest: str) -> None:
    assert journal.chained_hash(journal.FIRST_HASH, MAKERS[table]()) == digest


@pytest.mark.parametrize(("table", "field"), FIELDS)
def test_any_changed_field_changes_the_hash(table: str, field: str) -> None:
    make = LATER[table]
    changed = make(**{field: another(getattr(make(), field))})
    assert journal.chained_hash("0" * 64, changed) != journal.chained_hash("0" * 64, make())


def test_hash_depends_on_the_entry_before() -> None:
    assert journal.chained_hash("0" * 64, trade()) != journal.chained_hash("1" * 64, trade())


@pytest.mark.parametrize(
    "same",
    [
        {"quantity": Decimal("1.500000000")},
        {"executed_at": NOON.astimezone(timezone(timedelta(hours=9)))},
        {"side": "buy"},
        {"hash": "whatever stands there"},
    ],
)
def test_same_fact_written_otherwise_has_the_same_hash(same: dict[str, Any]) -> None:
    assert journal.chained_hash("0" * 64, trade(**same)) == journal.chained_hash("0" * 64, trade())
