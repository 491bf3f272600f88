"""The bodies of the corporate actions' routes."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, RootModel

from paperdesk.api.codec import AmountIn, Answer, Ask, Label, Note
from paperdesk.api.pages import on_the_calendar
from paperdesk.api.problems import Problem
from paperdesk.corporate.booking import Acted, Notice
from paperdesk.corporate.commands import Dividend, SpinOff, Split, SymbolChange
from paperdesk.ledger.booking import money
from paperdesk.ledger.schemas import JournalAdjustment, JournalMovement, JournalTrade
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import CashMovement
from paperdesk.orders.schemas import Shares, UnitPrice

Command = Split | SymbolChange | SpinOff | Dividend


def _percent(value: Decimal) -> Decimal:
    if not 0 <= value <= 100 or money(value) != value:  # noqa: PLR2004 - the whole
        raise ValueError("must be at least 0 and at most 100, with at most 6 decimal places")
    return value


_Ticker = Annotated[str, Field(max_length=64, examples=["AAPL"])]
_Ratio = Annotated[int, Field(ge=1, le=1_000_000, examples=[2])]
_InLieu = Annotated[
    UnitPrice | None,
    Field(
        description="What a share is paid after it, for the fraction that it leaves; else that "
        "is kept"
    ),
]


class _Action(Ask):
    """What every corporate action says."""

    key: Annotated[
        Label,
        Field(
            description="Of this action, for ever: each account books it once",
            examples=["AAPL split 2026-11-20"],
        ),
    ]
    ticker: _Ticker
    effective_at: Annotated[
        Annotated[AwareDatetime, AfterValidator(on_the_calendar)] | None,
        Field(description="When it took effect; not in the future, and now if it is left out"),
    ] = None
    every_account: Annotated[
        bool, Field(description="Book it on every account that it concerns, not on this one alone")
    ] = False
    note: Note | None = None

    def notice(self, account_id: str, now: datetime) -> Notice:
        """Return the action's notice to an account."""
        return Notice(account_id, self.key, now, self.effective_at or now, self.note)


class SplitRequest(_Action):
    """`numerator` shares take the place of `denominator`."""

    kind: Literal["split"]
    numerator: _Ratio
    denominator: _Ratio = 1
    cash_in_lieu: _InLieu = None

    def command(self, notice: Notice) -> Command:
        """Return the command that books it."""
        ticker = parse_ticker(self.ticker)
        return Split(notice, ticker, self.numerator, self.denominator, self.cash_in_lieu)


class SymbolChangeRequest(_Action):
    """A ticker has a new name."""

    kind: Literal["symbol_change"]
    new_ticker: _Ticker

    def command(self, notice: Notice) -> Command:
        """Return the command that books it."""
        return SymbolChange(notice, parse_ticker(self.ticker), parse_ticker(self.new_ticker))


class SpinOffRequest(_Action):
    """For each `denominator` shares `numerator` of a new ticker are given out."""

    kind: Literal["spin_off"]
    new_ticker: _Ticker
    numerator: _Ratio
    denominator: _Ratio = 1
    cost_percent: Annotated[
        AmountIn, AfterValidator(_percent), Field(description="Of the cost, to the new shares")
    ]
    cash_in_lieu: _InLieu = None

    def command(self, notice: Notice) -> Command:
        """Return the command that books it."""
        return SpinOff(
            notice,
            parse_ticker(self.ticker),
            parse_ticker(self.new_ticker),
            self.numerator,
            self.denominator,
            self.cost_percent,
            self.cash_in_lieu,
        )


class DividendRequest(_Action):
    """A dividend, in cash or reinvested."""

    kind: Literal["dividend"]
    per_share: Annotated[UnitPrice, Field(examples=[0.26])]
    quantity: Annotated[
        Shares | None, Field(description="Of how many shares, where not of all that are held now")
    ] = None
    reinvest_at: Annotated[
        UnitPrice | None, Field(description="The price at which it buys shares; else it is cash")
    ] = None

    def command(self, notice: Notice) -> Command:
        """Return the command that books it."""
        return Dividend(
            notice, parse_ticker(self.ticker), self.per_share, self.quantity, self.reinvest_at
        )


class ActionRequest(
    RootModel[
        Annotated[
            SplitRequest | SymbolChangeRequest | SpinOffRequest | DividendRequest,
            Field(discriminator="kind"),
        ]
    ]
):
    """A corporate action; `kind` says which."""


class ActionResult(Answer):
    """What an action did to an account."""

    account: str
    status: Annotated[
        Literal["booked", "nothing", "refused", "unknown"],
        Field(
            description="nothing: it concerned nothing in this account. unknown: ask again with "
            "the same key",
            examples=["booked"],
        ),
    ]
    replayed: Annotated[
        bool, Field(description="It was booked before under this key; nothing was booked now")
    ] = False
    adjustment: JournalAdjustment | None = None
    movement: JournalMovement | None = None
    trades: Annotated[list[JournalTrade], Field(default_factory=list)]
    orders: Annotated[
        list[str], Field(default_factory=list, description="Open orders that it changed, by id")
    ]
    canceled: Annotated[
        list[str], Field(default_factory=list, description="Open orders that it ended, by id")
    ]
    problem: Annotated[Problem | None, Field(description="Why it was refused")] = None


class ActionAnswer(Answer):
    """A result for each account."""

    results: Annotated[list[ActionResult], Field(examples=[[]])]


def action_result(account_id: str, acted: Acted) -> ActionResult:
    """Return the answer that shows what an action did."""
    entry = acted.entry
    shown = None if entry is None else _shown(entry)
    return ActionResult(
        account=account_id,
        status="nothing" if entry is None else "booked",
        replayed=acted.replayed,
        adjustment=shown if isinstance(shown, JournalAdjustment) else None,
        movement=shown if isinstance(shown, JournalMovement) else None,
        trades=[JournalTrade.model_validate(trade) for trade in acted.trades],
        orders=[order.id for order in acted.orders],
        canceled=[order.id for order in acted.canceled],
    )


def _shown(entry: object) -> JournalAdjustment | JournalMovement:
    if isinstance(entry, CashMovement):
        return JournalMovement.model_validate(entry)
    return JournalAdjustment.model_validate(entry)
