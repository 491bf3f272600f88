"""The rows that the writer reads and writes in every batch, by prepared statements."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Enum,
    String,
    bindparam,
    delete,
    insert,
    inspect,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from paperdesk.db.prepared import Prepared, PreparedInsert, numbered, padded, unattached
from paperdesk.db.types import FixedPoint, UtcDateTime
from paperdesk.ledger.journal import Entry, PlainTrade
from paperdesk.ledger.lane.account_book import Settlement
from paperdesk.ledger.views import HEAD, AccountView, Head
from paperdesk.models import (
    AccountRules,
    CashMovement,
    Order,
    Position,
    PositionAdjustment,
    PositionLot,
    Trade,
    UserProfile,
)


class _UtcText(UtcDateTime):
    """An instant that is given as its text."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return what the driver stores."""
        if value is None or dialect.name == "sqlite":
            return value
        return datetime.fromisoformat(value)


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
    ["head_sequence", "head_hash", "cash_balance", "realized_pnl", "version", "account_id"],
)
_OPENED = Prepared(
    insert(Position),
    ["quantity", "cost_basis", "avg_cost", "opened_at", "updated_at", "id", "user_id", "ticker"],
)
_UPDATED = Prepared(
    update(Position).where(Position.id == bindparam("position_id")),
    ["quantity", "cost_basis", "avg_cost", "opened_at", "updated_at", "position_id"],
)
ORDER_STATE: Final = (
    "status",
    "ticker",
    "quantity",
    "limit_price",
    "stop_price",
    "trail_price",
    "watermark",
    "filled_quantity",
    "filled_avg_price",
    "reserved_cash",
    "reserved_quantity",
    "replaced_by",
    "reason",
    "triggered_at",
    "filled_at",
    "canceled_at",
    "expired_at",
    "expires_at",
    "closed_at",
    "updated_at",
    "adjusted_by",
)
"""What may change of an order after it was placed."""

_ORDER_STATE = Prepared(
    update(Order).where(Order.id == bindparam("order_id")), [*ORDER_STATE, "order_id"]
)
_STATE_OF: Final = itemgetter(*ORDER_STATE, "id")
_ORDER_KEYS: Final = [column.key for column in inspect(Order).column_attrs]
_LOT_KEY = (
    PositionLot.user_id == bindparam("account"),
    PositionLot.ticker == bindparam("of_ticker"),
    PositionLot.number == bindparam("lot"),
)
_LOT_NAMES: Final = ("account", "of_ticker", "lot")
_LOTS_OPENED = Prepared(
    insert(PositionLot),
    ["user_id", "ticker", "number", "opened_at", "quantity", "cost_basis"],
)
_LOTS_CHANGED = Prepared(
    update(PositionLot).where(*_LOT_KEY), ["quantity", "cost_basis", *_LOT_NAMES]
)
_LOTS_CLOSED = Prepared(delete(PositionLot).where(*_LOT_KEY), _LOT_NAMES)
_CLOSED = Prepared(delete(Position).where(Position.id == bindparam("position_id")), ["position_id"])


def _select_orders(names: Sequence[str], *conditions: ColumnElement[bool]) -> Prepared:
    columns = [getattr(Order, key) for key in _ORDER_KEYS]
    # Ids made by one process sort in the order they were made.
    return Prepared(select(*columns).where(*conditions).order_by(Order.id), names)


def _orders(rows: Sequence[Sequence[Any]]) -> list[Order]:
    return [unattached(Order, **dict(zip(_ORDER_KEYS, row, strict=True))) for row in rows]


class EarlierFill(NamedTuple):
    """A trade of an order: shares, price, fee, and when it was booked."""

    quantity: Decimal
    price: Decimal
    fee: Decimal
    executed_at: datetime


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
    if not keys:
        return []
    accounts, keys = padded(account_ids), padded(keys)
    found = _used(len(accounts), len(keys)).rows(connection, accounts + keys)
    return [(account_id, key) for account_id, key in found]


def entry_keys_used(
    connection: Connection, account_ids: Collection[str], keys: Collection[str]
) -> list[tuple[str, str]]:
    """Return which (account, key) of these a cash movement or a position adjustment has."""
    if not keys:
        return []
    accounts, keys = padded(account_ids), padded(keys)
    found = _entered(len(accounts), len(keys)).rows(connection, accounts + keys)
    return [(account_id, key) for account_id, key in found]


def orders_by_id(connection: Connection, ids: Collection[str]) -> list[Order]:
    """Return those of some orders that there are, in any order."""
    wanted = padded(ids)
    return _orders(_by_id(len(wanted)).rows(connection, wanted)) if wanted else []


def order_under(connection: Connection, account_id: str, client_order_id: str) -> Order | None:
    """Return the order that an account placed under a key."""
    found = _orders(_BY_KEY.rows(connection, [account_id, client_order_id]))
    return found[0] if found else None


def open_orders(connection: Connection, account_id: str, ticker: str | None) -> list[Order]:
    """Return an account's open orders, of one ticker or of all, the first placed first."""
    if ticker is None:
        return _orders(_OPEN.rows(connection, [account_id]))
    return _orders(_OPEN_OF_TICKER.rows(connection, [account_id, ticker]))


def linked_orders(connection: Connection, group_id: str) -> list[Order]:
    """Return the orders of a group, the first placed first."""
    return _orders(_LINKED.rows(connection, [group_id]))


def fills_of(connection: Connection, order_id: str) -> list[EarlierFill]:
    """Return what an order's trades filled."""
    return [EarlierFill(*row) for row in _FILLS.rows(connection, [order_id])]


def trades_by_id(connection: Connection, ids: Collection[str]) -> dict[str, tuple[Any, ...]]:
    """Return what those of some trades say that were booked.

    It is the account, ticker, side, quantity, price, fee and time.
    """
    wanted = padded(ids)
    return {
        trade_id: tuple(said) for trade_id, *said in _trades(len(wanted)).rows(connection, wanted)
    }


def write(
    connection: Connection,
    orders: Sequence[Order],
    changed: Collection[Order],
    entries: Sequence[Entry | PlainTrade],
) -> None:
    """Insert new orders, update those that changed, then insert the entries that refer to them."""
    if orders:
        _ORDERS.run(connection, orders)
    if changed:
        # Not by attribute: each would be looked up as something that may yet be loaded.
        _ORDER_STATE.run(connection, [_STATE_OF(vars(order)) for order in changed])
    for table, prepared in _ENTRIES.items():
        if of_table := [entry for entry in entries if type(entry) is table]:
            prepared.run(connection, of_table)
    if plain := [entry for entry in entries if type(entry) is PlainTrade]:
        _PLAIN_TRADES.run(connection, plain)


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Bring accounts and positions to where their entries left them."""
    if settlements:
        _BALANCES.run(connection, [(*s.view.head[1:], s.view.id) for s in settlements])
    for settlement in settlements:
        if settlement.view.rules != settlement.before.rules:
            _write_rules(connection, settlement.view)
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
    _settle_lots(connection, settlements)


def _settle_lots(connection: Connection, settlements: Sequence[Settlement]) -> None:
    opened: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    closed: list[tuple[Any, ...]] = []
    for settlement in settlements:
        account_id = settlement.view.id
        for ticker, before, after in settlement.lots:
            closed += [(account_id, ticker, number) for number in before.keys() - after.keys()]
            for number, lot in after.items():
                was = before.get(number)
                if was is None:
                    opened.append((account_id, ticker, *lot))
                elif was != lot:
                    changed.append((lot.quantity, lot.cost, account_id, ticker, number))
    for statement, rows in (
        (_LOTS_CLOSED, closed),
        (_LOTS_CHANGED, changed),
        (_LOTS_OPENED, opened),
    ):
        if rows:
            statement.run(connection, rows)


def _write_rules(connection: Connection, view: AccountView) -> None:
    values = {"user_id": view.id, **asdict(view.rules)}
    connection.execute(delete(AccountRules).where(AccountRules.user_id == view.id))
    connection.execute(insert(AccountRules).values(values))


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
    return _keys_in([(Order.user_id, Order.client_order_id)], accounts, keys)


@cache
def _entered(accounts: int, keys: int) -> Prepared:
    tables = (CashMovement, PositionAdjustment)
    return _keys_in([(table.user_id, table.key) for table in tables], accounts, keys)


def _keys_in(
    columns: Sequence[tuple[InstrumentedAttribute[str], InstrumentedAttribute[str]]],
    accounts: int,
    keys: int,
) -> Prepared:
    account_names = numbered("account", accounts)
    key_names = numbered("key", keys)
    queries = [
        select(account, key).where(
            account.in_([bindparam(name) for name in account_names]),
            key.in_([bindparam(name) for name in key_names]),
        )
        for account, key in columns
    ]
    return Prepared(union_all(*queries), account_names + key_names)


_BY_KEY = _select_orders(
    ["account", "key"],
    Order.user_id == bindparam("account"),
    Order.client_order_id == bindparam("key"),
)
_OPEN = _select_orders(
    ["account"], Order.user_id == bindparam("account"), Order.closed_at.is_(None)
)
_OPEN_OF_TICKER = _select_orders(
    ["account", "ticker"],
    Order.user_id == bindparam("account"),
    Order.ticker == bindparam("ticker"),
    Order.closed_at.is_(None),
)
_LINKED = _select_orders(["group"], Order.group_id == bindparam("group"))
_FILLS = Prepared(
    select(Trade.quantity, Trade.price, Trade.fee, Trade.executed_at).where(
        Trade.order_id == bindparam("order")
    ),
    ["order"],
)


@cache
def _by_id(count: int) -> Prepared:
    names = numbered("id", count)
    return _select_orders(names, Order.id.in_([bindparam(name) for name in names]))


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
