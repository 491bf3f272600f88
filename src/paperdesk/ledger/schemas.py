"""The bodies of the ledger's routes."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from paperdesk.api.codec import Amount, AmountIn, Answer, Ask, Moment, Note
from paperdesk.ledger.holdings import read as read_lots
from paperdesk.ledger.journal import Entry
from paperdesk.models import (
    CashMovement,
    CashMovementKind,
    CostBasis,
    PositionAdjustment,
    PositionAdjustmentKind,
    Side,
    Trade,
)

_Sequence = Annotated[int, Field(description="Its number in the account's journal", examples=[2])]
_Hash = Annotated[str, Field(description="SHA-256 chained to the entry before")]


class TradeAnswer(Answer):
    """A fill as it was booked. Amounts in US dollars."""

    id: Annotated[str, Field(examples=["019a9c3e-8f00-7cc3-9d1e-2f6a0b9d4e11"])]
    order_id: str | None
    ticker: Annotated[str, Field(examples=["AAPL"])]
    side: Side
    quantity: Annotated[Amount, Field(examples=[10])]
    price: Annotated[Amount, Field(examples=[190.25])]
    value: Annotated[Amount, Field(description="quantity x price", examples=[1902.5])]
    fee: Annotated[Amount, Field(examples=[0])]
    realized_pnl: Annotated[
        Amount, Field(description="What the trade made against the cost of what it closed")
    ]
    executed_at: Moment
    opened_at: Annotated[
        Moment | None, Field(description="Since when the oldest was held of what it closed")
    ]


def trade_fields(trade: Trade) -> dict[str, Any]:
    """Return the fields of a TradeAnswer; what the desk booked needs no validation."""
    return {name: getattr(trade, name) for name in TradeAnswer.model_fields}


class ClosedLot(Answer):
    """Shares of one lot that a trade closed; negative where they were sold short."""

    number: Annotated[
        int, Field(description="The number of the entry that opened it; 0: held at average cost")
    ]
    opened_at: Moment
    quantity: Annotated[Amount, Field(examples=[10])]
    cost: Annotated[Amount, Field(description="US dollars", examples=[1902.5])]


def _lots_in(closed: Any) -> Any:
    if not isinstance(closed, str):
        return closed
    return [lot._asdict() for lot in read_lots(closed)]


class JournalTrade(TradeAnswer):
    """A fill with its place in the journal."""

    cost_basis_method: Annotated[
        CostBasis | None, Field(description="Which shares it took; null: at average cost")
    ]
    closed_lots: Annotated[
        list[ClosedLot] | None,
        BeforeValidator(_lots_in),
        Field(description="What it closed, where lots are told apart"),
    ]
    source: Annotated[str, Field(description="The door it came through", examples=["api"])]
    strategy: str | None
    sequence: _Sequence
    hash: _Hash


class CashRequest(Ask):
    """A deposit or a withdrawal, a fee or interest."""

    amount: Annotated[
        AmountIn,
        Field(
            description="US dollars, more than 0, to 6 places; a number or a string", examples=[500]
        ),
    ]
    kind: Annotated[
        Literal["deposit", "withdrawal", "interest", "fee"], Field(examples=["deposit"])
    ]
    note: Note | None = None


class CashAnswer(Answer):
    """What was moved, and the cash that is there now. US dollars."""

    id: Annotated[str, Field(examples=["019a9c3e-8f00-7cc3-9d1e-2f6a0b9d4e11"])]
    kind: Literal["deposit", "withdrawal", "interest", "fee"]
    amount: Annotated[Amount, Field(description="As it was asked for: positive", examples=[500])]
    cash_balance: Annotated[Amount, Field(examples=[10500])]
    created_at: Moment


class JournalMovement(Answer):
    """A cash movement with its place in the journal."""

    id: Annotated[str, Field(examples=["019a9c3e-8f00-7cc3-9d1e-2f6a0b9d4e11"])]
    kind: CashMovementKind
    amount: Annotated[
        Amount, Field(description="US dollars; negative when they went", examples=[-200])
    ]
    key: Annotated[str, Field(description="Its idempotency key; without one its id")]
    note: str | None
    ticker: Annotated[str | None, Field(description="Whose dividend it is")]
    effective_at: Moment
    created_at: Moment
    sequence: _Sequence
    hash: _Hash


class JournalAdjustment(Answer):
    """A change of a position without a trade, with its place in the journal."""

    id: str
    kind: PositionAdjustmentKind
    ticker: Annotated[str, Field(examples=["AAPL"])]
    new_ticker: str | None
    numerator: Annotated[int | None, Field(description="A split multiplies the shares by this")]
    denominator: Annotated[int | None, Field(description="and divides them by this")]
    quantity: Annotated[Amount, Field(description="The change in shares", examples=[10])]
    cost_basis: Annotated[Amount, Field(description="The change in cost, US dollars")]
    amount: Annotated[Amount, Field(description="The change in cash, US dollars")]
    key: str
    note: str | None
    effective_at: Moment
    created_at: Moment
    sequence: _Sequence
    hash: _Hash


_Previous = Annotated[
    str | None,
    Field(description="The hash of the entry before; 64 zeros for the first, null if it is gone"),
]


class TradeEntry(JournalTrade):
    """A trade in the journal."""

    table: Literal["trades"] = "trades"
    previous_hash: _Previous = None


class MovementEntry(JournalMovement):
    """A cash movement in the journal."""

    table: Literal["cash_movements"] = "cash_movements"
    previous_hash: _Previous = None


class AdjustmentEntry(JournalAdjustment):
    """A position adjustment in the journal."""

    table: Literal["position_adjustments"] = "position_adjustments"
    previous_hash: _Previous = None


JournalEntry = Annotated[TradeEntry | MovementEntry | AdjustmentEntry, Field(discriminator="table")]
"""An entry of the journal; `table` says of which kind it is."""

_ENTRIES: dict[type[Entry], type[TradeEntry | MovementEntry | AdjustmentEntry]] = {
    Trade: TradeEntry,
    CashMovement: MovementEntry,
    PositionAdjustment: AdjustmentEntry,
}


def journal_entry(
    entry: Entry, previous_hash: str | None
) -> TradeEntry | MovementEntry | AdjustmentEntry:
    """Return the answer that shows an entry and what it is chained to."""
    shown = _ENTRIES[type(entry)].model_validate(entry)
    return shown.model_copy(update={"previous_hash": previous_hash})
