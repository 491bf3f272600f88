"""The rows that the writer reads and writes in every batch, by prepared statements."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Enum,
    String,
    bindparam,
    delete,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from paperdesk.db.prepared import Prepared, PreparedInsert, numbered, padded
from paperdesk.db.types import FixedPoint, UtcDateTime
from paperdesk.ledger.journal import Entry, PlainTrade
from paperdesk.ledger.lane.account_book import Settlement
from paperdesk.ledger.views import HEAD, Head
from paperdesk.models import CashMovement, Order, Position, PositionAdjustment, Trade, UserProfile


class _UtcText(UtcDateTime):
    """An instant that is given as its text."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return what the driver stores."""
        return value if dialect.name == "sqlite" else datetime.fromisoformat(value)


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of a column whose values are given as the database has them."""
    match kind:
        case UtcDateTime():
            return _UtcText()
        case FixedPoint():
            return BigInteger()
        case _:
            return String() if isinstance(kind, Enum) else kind


_ORDERS = PreparedInsert(Order)
_ENTRIES: dict[type[Entry], PreparedInsert[Any]] = {
    table: PreparedInsert(table) for table in (Trade, CashMovement, PositionAdjustment)
}
_PLAIN_TRADES = Prepared(
    insert(Trade).values(
        {
            name: bindparam(name, type_=_plain(inspect(Trade).columns[name].type))
            for name in PlainTrade._fields
        }
    ),
    PlainTrade._fields,
)
_BALANCES = Prepared(
    update(UserProfile).where(UserProfile.id == bindparam("account_id")),
    ["head_sequence", "head_hash", "cash_balance", "realized_pnl", "account_id"],
)
_OPENED = Prepared(
    insert(Position),
    ["quantity", "cost_basis", "avg_cost", "opened_at", "updated_at", "id", "user_id", "ticker"],
)
_UPDATED = Prepared(
    update(Position).where(Position.id == bindparam("position_id")),
    ["quantity", "cost_basis", "avg_cost", "opened_at", "updated_at", "position_id"],
)
_CLOSED = Prepared(delete(Position).where(Position.id == bindparam("position_id")), ["position_id"])


def lock_accounts(connection: Connection, account_ids: Collection[str]) -> list[Head]:
    """Lock the rows of accounts until the end of the transaction; return where each stands.

    In the order of their ids, so that two processes never wait for each other in a circle.
    """
    ids = padded(sorted(account_ids))
    return [Head(*row) for row in _lock(len(ids)).rows(connection, ids)]


def keys_used(
    connection: Connection, account_ids: Collection[str], keys: Collection[str]
) -> list[tuple[str, str]]:
    """Return which (account, client_order_id) of these accounts and keys an order has."""
    accounts, keys = padded(account_ids), padded(keys)
    found = _used(len(accounts), len(keys)).rows(connection, accounts + keys)
    return [(account_id, key) for account_id, key in found]


def movement_keys_used(
    connection: Connection, account_ids: Collection[str], keys: Collection[str]
) -> list[tuple[str, str]]:
    """Return which (account, key) of these accounts and keys a cash movement has."""
    if not keys:
        return []
    accounts, keys = padded(account_ids), padded(keys)
    found = _moved(len(accounts), len(keys)).rows(connection, accounts + keys)
    return [(account_id, key) for account_id, key in found]


def trades_by_id(connection: Connection, ids: Collection[str]) -> dict[str, tuple[Any, ...]]:
    """Return what those of some trades say that were booked.

    It is the account, ticker, side, quantity, price, fee and time.
    """
    wanted = padded(ids)
    return {
        trade_id: tuple(said) for trade_id, *said in _trades(len(wanted)).rows(connection, wanted)
    }


def write(
    connection: Connection, orders: Sequence[Order], entries: Sequence[Entry | PlainTrade]
) -> None:
    """Insert new orders, then the entries that refer to them."""
    if orders:
        _ORDERS.run(connection, orders)
    for table, prepared in _ENTRIES.items():
        if of_table := [entry for entry in entries if type(entry) is table]:
            prepared.run(connection, of_table)
    if plain := [entry for entry in entries if type(entry) is PlainTrade]:
        _PLAIN_TRADES.run(connection, plain)


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Bring accounts and positions to where their entries left them."""
    if settlements:
        _BALANCES.run(connection, [(*s.view.head[1:], s.view.id) for s in settlements])
    if closed := [(position.id,) for s in settlements for position in s.closed]:
        _CLOSED.run(connection, closed)
    if updated := [
        (p.quantity, p.cost_basis, p.avg_cost, p.opened_at, at, p.id)
        for s in settlements
        for p, at in s.updated
    ]:
        _UPDATED.run(connection, updated)
    if opened := [
        (p.quantity, p.cost_basis, p.avg_cost, p.opened_at, at, p.id, s.view.id, p.ticker)
        for s in settlements
        for p, at in s.opened
    ]:
        _OPENED.run(connection, opened)


@cache
def _lock(count: int) -> Prepared:
    names = numbered("account", count)
    statement = (
        select(*HEAD)
        .where(UserProfile.id.in_([bindparam(name) for name in names]))
        .order_by(UserProfile.id)
        .with_for_update()
    )
    return Prepared(statement, names)


@cache
def _used(accounts: int, keys: int) -> Prepared:
    return _keys_in(Order.user_id, Order.client_order_id, accounts, keys)


@cache
def _moved(accounts: int, keys: int) -> Prepared:
    return _keys_in(CashMovement.user_id, CashMovement.key, accounts, keys)


def _keys_in(
    account: InstrumentedAttribute[str], key: InstrumentedAttribute[str], accounts: int, keys: int
) -> Prepared:
    account_names = numbered("account", accounts)
    key_names = numbered("key", keys)
    statement = select(account, key).where(
        account.in_([bindparam(name) for name in account_names]),
        key.in_([bindparam(name) for name in key_names]),
    )
    return Prepared(statement, account_names + key_names)


@cache
def _trades(count: int) -> Prepared:
    names = numbered("id", count)
    statement = select(
        Trade.id,
        Trade.user_id,
        Trade.ticker,
        Trade.side,
        Trade.quantity,
        Trade.price,
        Trade.fee,
        Trade.executed_at,
    ).where(Trade.id.in_([bindparam(name) for name in names]))
    return Prepared(statement, names)
