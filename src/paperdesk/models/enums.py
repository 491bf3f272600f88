"""Every enum of the schema. Members are named as their values; the database stores the value."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order or a trade goes."""

    buy = "buy"
    sell = "sell"


class OrderType(StrEnum):
    """What makes an order fill."""

    market = "market"
    limit = "limit"
    stop = "stop"
    stop_limit = "stop_limit"
    trailing_stop = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order stands."""

    day = "day"
    gtc = "gtc"
    ioc = "ioc"
    fok = "fok"
    opg = "opg"
    cls = "cls"


class OrderClass(StrEnum):
    """How an order is linked with others: not, as an entry with exits, or one or the other."""

    simple = "simple"
    bracket = "bracket"
    oco = "oco"
    oto = "oto"


class OrderLeg(StrEnum):
    """What an order is among linked ones; `single` is the only one that a signal made."""

    entry = "entry"
    take_profit = "take_profit"
    stop_loss = "stop_loss"
    single = "single"


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    new = "new"
    accepted = "accepted"
    partially_filled = "partially_filled"
    filled = "filled"
    canceled = "canceled"
    expired = "expired"
    rejected = "rejected"
    replaced = "replaced"
    held = "held"


class CashMovementKind(StrEnum):
    """Why cash came or went, other than by a trade.

    An `adjustment` takes what an account had when it was reset: with it a new chapter begins.
    """

    deposit = "deposit"
    withdrawal = "withdrawal"
    dividend = "dividend"
    interest = "interest"
    fee = "fee"
    adjustment = "adjustment"


class PositionAdjustmentKind(StrEnum):
    """Why a position changed, other than by a trade."""

    stock_split = "stock_split"
    symbol_change = "symbol_change"
    spin_off = "spin_off"
    transfer = "transfer"
    reset = "reset"


class CostBasis(StrEnum):
    """Which shares a closing trade takes: of all alike, or of which lots first."""

    average = "average"
    fifo = "fifo"
    lifo = "lifo"
    hifo = "hifo"
    named = "named"


class ChatRole(StrEnum):
    """Who wrote a chat message."""

    user = "user"
    assistant = "assistant"


class WebhookMode(StrEnum):
    """What a webhook does with a signal: note it, ask a person, or trade."""

    record = "record"
    propose = "propose"
    execute = "execute"


class SignalStatus(StrEnum):
    """Where a signal is between its arrival and its effect."""

    received = "received"
    queued = "queued"
    executed = "executed"
    rejected = "rejected"
    recorded = "recorded"
    failed = "failed"


class JobStatus(StrEnum):
    """Where a batch job is in its life."""

    pending = "pending"
    running = "running"
    paused = "paused"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


class JobPhase(StrEnum):
    """What is done with a job's rows: read from a file, estimated, booked, or taken back."""

    load = "load"
    preview = "preview"
    run = "run"
    undo = "undo"


class JobMode(StrEnum):
    """Whether a job waits for a person after its preview."""

    confirm = "confirm"
    auto = "auto"


class Atomicity(StrEnum):
    """Whether the good rows of a job are booked when others fail."""

    partial = "partial"
    all = "all"


class RowStatus(StrEnum):
    """The outcome of one row of a job."""

    pending = "pending"
    processing = "processing"
    completed = "completed"
    failed = "failed"
    skipped = "skipped"
    needs_review = "needs_review"


class LogLevel(StrEnum):
    """How much a log line matters."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class EventType(StrEnum):
    """What a log line is about."""

    state_change = "state_change"
    api_call = "api_call"
    row_event = "row_event"
    error = "error"
