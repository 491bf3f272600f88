"""The answers of the desk that are shown as tables. Members that are not shown are left out."""

from decimal import Decimal

import msgspec


class Quote(msgspec.Struct):
    """A ticker's price."""

    ticker: str
    price: Decimal | None = None
    previous_price: Decimal | None = None
    change: Decimal | None = None
    change_percent: Decimal | None = None
    timestamp: str | None = None
    added_at: str | None = None


class Lot(msgspec.Struct):
    """Shares of a position that were opened together."""

    number: int
    opened_at: str
    quantity: Decimal
    cost_basis: Decimal


class Position(msgspec.Struct):
    """A holding and what it is worth."""

    ticker: str
    quantity: Decimal
    avg_cost: Decimal
    cost_basis: Decimal
    current_price: Decimal
    market_value: Decimal
    unrealized_pnl: Decimal
    pnl_pct: Decimal
    available_quantity: Decimal
    lots: list[Lot] = []


class Trade(msgspec.Struct):
    """A booked trade."""

    id: str
    ticker: str
    side: str
    quantity: Decimal
    price: Decimal
    value: Decimal
    fee: Decimal
    realized_pnl: Decimal
    executed_at: str
    strategy: str | None = None
    note: str | None = None


class Movement(msgspec.Struct):
    """Cash that came or, negative, went."""

    id: str
    kind: str
    amount: Decimal
    created_at: str
    effective_at: str = ""
    note: str | None = None


class Moved(Movement, kw_only=True):
    """A deposit or withdrawal, its amount positive, and the cash after it."""

    cash_balance: Decimal


class Entry(msgspec.Struct):
    """An entry of the journal: a trade, a cash movement or a position adjustment."""

    table: str
    sequence: int
    hash: str
    ticker: str | None = None
    new_ticker: str | None = None
    numerator: int | None = None
    denominator: int | None = None
    kind: str | None = None
    side: str | None = None
    quantity: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    executed_at: str = ""
    effective_at: str = ""


class Portfolio(msgspec.Struct):
    """An account: cash, positions, and their worth."""

    cash_balance: Decimal
    buying_power: Decimal
    positions_value: Decimal
    total_value: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    positions: list[Position]
    reserved_cash: Decimal = Decimal(0)
    short_collateral: Decimal = Decimal(0)
    maintenance_margin: Decimal = Decimal(0)
    unpriced: list[str] = []


class Point(msgspec.Struct):
    """What an account was worth at an instant."""

    recorded_at: str
    total_value: Decimal


class DayReturn(msgspec.Struct):
    """A day and its return."""

    date: str
    change: Decimal = msgspec.field(name="return")


class Contribution(msgspec.Struct):
    """What a ticker made; cash has none."""

    ticker: str | None
    profit: Decimal
    contribution: Decimal | None


class Benchmark(msgspec.Struct):
    """A ticker that performance is compared with."""

    ticker: str
    change: Decimal | None = msgspec.field(name="return")
    beta: Decimal | None
    correlation: Decimal | None
    alpha: Decimal | None


class Performance(msgspec.Struct):
    """The performance of an account, or of a part of it, over a range."""

    start: str
    end: str
    simple: Decimal | None
    twr: Decimal | None
    mwr: Decimal | None
    cagr: Decimal | None
    max_drawdown: Decimal | None
    volatility: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None
    calmar: Decimal | None
    win_rate: Decimal | None
    exposure: Decimal | None
    best_day: DayReturn | None
    worst_day: DayReturn | None
    deposits: Decimal
    withdrawals: Decimal
    profit: Decimal
    realized_pnl: Decimal
    fees: Decimal
    income: Decimal
    start_value: Decimal
    end_value: Decimal
    estimated: bool
    unpriced: list[str]
    contributions: list[Contribution]
    benchmark: Benchmark | None = None


class Part(msgspec.Struct):
    """What the trades of a strategy, or of a source, made."""

    name: str | None
    profit: Decimal
    realized_pnl: Decimal
    income: Decimal
    fees: Decimal
    end_value: Decimal
    trades: int


class Rest(msgspec.Struct):
    """What belongs to no trade."""

    profit: Decimal
    income: Decimal
    fees: Decimal
    end_value: Decimal


class Attribution(msgspec.Struct):
    """What each part of an account made over a range."""

    start: str
    end: str
    profit: Decimal
    parts: list[Part]
    rest: Rest
    unpriced: list[str]


class Booked(Portfolio, kw_only=True):
    """The portfolio after a trade, and the trade."""

    trade: Trade


class Order(msgspec.Struct):
    """An order and what became of it."""

    id: str
    ticker: str
    side: str
    type: str
    time_in_force: str
    status: str
    submitted_at: str
    filled_quantity: Decimal
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    filled_avg_price: Decimal | None = None
    reason: str | None = None
    legs: "list[Order]" = []


class Detail(msgspec.Struct):
    """Why something was refused."""

    detail: str


class OrderResult(msgspec.Struct):
    """What came of one of several orders."""

    status: str
    order: Order | None = None
    problem: Detail | None = None


class Results(msgspec.Struct):
    """What came of each of several orders."""

    results: list[OrderResult]


class ShortSelling(msgspec.Struct):
    """Whether more may be sold than is held, and on what terms."""

    enabled: bool
    margin_percent: Decimal
    maintenance_percent: Decimal
    borrow_percent: Decimal


class Account(msgspec.Struct):
    """A paper account."""

    id: str
    name: str
    cash_balance: Decimal
    created_at: str
    fill_model: dict[str, Decimal | None]
    cost_basis: str
    short_selling: ShortSelling


class Market(msgspec.Struct):
    """Where prices come from, and of when the newest one is."""

    source: str = ""
    as_of: str | None = None


class Health(msgspec.Struct):
    """How the desk is."""

    status: str
    version: str
    market: Market
    leader: bool = True
    read_only: str | None = None


class ActionResult(msgspec.Struct):
    """What a corporate action did to an account."""

    account: str
    status: str
    replayed: bool
    trades: list[Trade]
    orders: list[str]
    canceled: list[str]
    movement: Movement | None = None
    problem: Detail | None = None


class Acted(msgspec.Struct):
    """What a corporate action did to each account."""

    results: list[ActionResult]
