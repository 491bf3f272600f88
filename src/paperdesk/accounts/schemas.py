"""The bodies of the accounts' routes."""

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from paperdesk.api.codec import Amount, AmountIn, Answer, Ask, Label, Moment, Note
from paperdesk.ledger import booking
from paperdesk.ledger.rules import PLAIN
from paperdesk.models import CostBasis

_MOST_BPS: Final = 5_000
_MOST_PERCENT: Final = 100
_MOST_MARGIN: Final = 1_000


def _six_places(value: Decimal) -> Decimal:
    if booking.money(value) != value:
        raise ValueError("must have at most 6 decimal places")
    return value


def _cash(value: Decimal) -> Decimal:
    if not 0 <= value <= booking.LARGEST_AMOUNT:
        raise ValueError("must be at least 0 and at most 1000000000 US dollars")
    return _six_places(value)


def _share(value: Decimal) -> Decimal:
    if not 0 < value <= _MOST_PERCENT:
        raise ValueError("must be more than 0 and at most 100")
    return _six_places(value)


def _at_most(most: int) -> AfterValidator:
    """Return the validator of an amount of 0 or more."""

    def check(value: Decimal) -> Decimal:
        if not 0 <= value <= most:
            raise ValueError(f"must be at least 0 and at most {most}")
        return _six_places(value)

    return AfterValidator(check)


_BasisPoints = Annotated[AmountIn, _at_most(_MOST_BPS)]
_Cost = Annotated[AmountIn, _at_most(_MOST_PERCENT)]
_Margin = Annotated[AmountIn, _at_most(_MOST_MARGIN)]
_ZERO: Final = Decimal(0)


class FillModel(Ask):
    """How an account's orders are filled; what is left out is as by default."""

    spread_bps: Annotated[
        _BasisPoints,
        Field(description="From bid to ask, in hundredths of a percent", examples=[4]),
    ] = _ZERO
    slippage_bps: Annotated[
        _BasisPoints, Field(description="What a market order pays beyond bid or ask")
    ] = _ZERO
    commission_per_share: Annotated[_Cost, Field(description="US dollars a share")] = _ZERO
    commission_percent: Annotated[_Cost, Field(description="Percent of the value")] = _ZERO
    commission_minimum: Annotated[_Cost, Field(description="US dollars an order")] = _ZERO
    volume_percent: Annotated[
        Annotated[AmountIn, AfterValidator(_share)] | None,
        Field(description="How much of what is traded between two prices one order may take"),
    ] = None


class ShortSelling(Ask):
    """Whether more may be sold than is held, and on what terms; left out is as by default."""

    enabled: Annotated[bool, Field(examples=[True])]
    margin_percent: Annotated[
        _Margin, Field(description="Of what the sale brought, set aside beside that", examples=[50])
    ] = PLAIN.margin_percent
    maintenance_percent: Annotated[
        _Margin,
        Field(description="Of what is sold short: an account that is worth less gets a call"),
    ] = PLAIN.maintenance_percent
    borrow_percent: Annotated[
        _Margin, Field(description="Of what is sold short, a year; taken as each day ends")
    ] = PLAIN.borrow_percent

    @model_validator(mode="after")
    def _has_room(self) -> "ShortSelling":
        if self.maintenance_percent > self.margin_percent:
            # Each small rise would be another call, of a crumb.
            raise ValueError(
                f"maintenance_percent: must be at most margin_percent, {self.margin_percent}"
            )
        return self


class AccountTerms(Ask):
    """How an account's orders are filled and booked; what is left out stays as it is."""

    fill_model: Annotated[
        FillModel | None, Field(description="Takes the place of the whole of the present one")
    ] = None
    cost_basis: Annotated[
        CostBasis | None, Field(description="Which shares a closing trade takes", examples=["fifo"])
    ] = None
    short_selling: Annotated[
        ShortSelling | None, Field(description="Takes the place of the whole of the present one")
    ] = None

    def changes(self) -> dict[str, Any]:
        """Return the fields of `Rules` that it speaks of."""
        changes: dict[str, Any] = {} if self.fill_model is None else {**vars(self.fill_model)}
        if self.cost_basis is not None:
            changes["cost_basis_method"] = self.cost_basis
        if self.short_selling is not None:
            terms = {**vars(self.short_selling)}
            changes |= terms | {"short_selling": terms.pop("enabled")}
        return changes


class AccountRequest(AccountTerms):
    """A new paper account."""

    name: Annotated[Label, Field(examples=["Momentum"])]
    cash_balance: Annotated[
        AmountIn, AfterValidator(_cash), Field(description="US dollars to begin with")
    ] = Decimal(10_000)


class AccountChange(AccountTerms):
    """What shall be different in an account."""

    name: Annotated[Label | None, Field(examples=["Momentum 2"])] = None


class ResetRequest(Ask):
    """What a reset account begins with."""

    cash_balance: Annotated[
        Annotated[AmountIn, AfterValidator(_cash)] | None,
        Field(description="US dollars; what it was opened with if left out", examples=[10000]),
    ] = None
    note: Note | None = None


class CloneRequest(Ask):
    """An account like another one."""

    name: Annotated[Label, Field(examples=["Momentum, what if"])]
    positions: Annotated[
        bool, Field(description="Whether it holds what the other one holds, lot by lot")
    ] = True
    cash_balance: Annotated[
        Annotated[AmountIn, AfterValidator(_cash)] | None,
        Field(description="US dollars; as much as the other one has if left out"),
    ] = None


class FillModelAnswer(Answer):
    """How an account's orders are filled."""

    spread_bps: Annotated[Amount, Field(examples=[0])]
    slippage_bps: Amount
    commission_per_share: Amount
    commission_percent: Amount
    commission_minimum: Amount
    volume_percent: Amount | None


class ShortSellingAnswer(Answer):
    """Whether more may be sold than is held, and on what terms, in percent."""

    enabled: Annotated[bool, Field(validation_alias="short_selling")]
    margin_percent: Annotated[Amount, Field(examples=[50])]
    maintenance_percent: Annotated[Amount, Field(examples=[30])]
    borrow_percent: Annotated[Amount, Field(examples=[0])]


class AccountAnswer(Answer):
    """A paper account. US dollars."""

    id: Annotated[str, Field(examples=["default"])]
    name: str
    cash_balance: Annotated[Amount, Field(examples=[10000])]
    realized_pnl: Annotated[Amount, Field(description="Since it was opened or last reset")]
    created_at: Moment
    fill_model: FillModelAnswer
    cost_basis: Annotated[CostBasis, Field(examples=["average"])]
    short_selling: ShortSellingAnswer
