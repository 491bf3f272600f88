"""Accounts and the keys that open them."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, Json, Money, Name, Percent, enum_column
from paperdesk.ids import new_id
from paperdesk.models.enums import CostBasis

DEFAULT_ACCOUNT = "default"


class UserProfile(Base):
    """A paper account: its cash and the head of its journal. One person may own several.

    `cash_balance` and `realized_pnl`, since it was last reset, are US dollars with 6 places. Both,
    with the positions, are the materialised view of the journal, and only the ledger's writer
    changes them. `head_sequence`
    and `head_hash` are those of the newest journal entry (0 and 64 zeros before the first).
    `version` grows with what leaves no entry there: open orders and the account's rules.
    """

    __tablename__ = "users_profile"
    __table_args__ = (
        CheckConstraint("cash_balance >= 0", name="cash_not_negative"),
        CheckConstraint("head_sequence >= 0", name="head_sequence_not_negative"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[Name] = mapped_column(default="", server_default="")
    cash_balance: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    realized_pnl: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    head_sequence: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    head_hash: Mapped[str] = mapped_column(default="0" * 64, server_default="0" * 64)
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    version: Mapped[int] = mapped_column(default=0, server_default=text("0"))


class AccountRules(Base):
    """How an account's orders are filled and booked. Without a row: at the quote, at no cost.

    `spread_bps` is the whole distance between bid and ask, `slippage_bps` what a market order pays
    beyond, both in hundredths of a percent of the price. A commission is `commission_per_share`
    (US dollars) for each share plus `commission_percent` of the value, and at least
    `commission_minimum` (US dollars) an order. `volume_percent` is how much of what is traded
    between two prices one order may take; NULL: all it wants. `cost_basis_method` says which shares
    a closing trade takes. With `short_selling` more may be sold than is held: `margin_percent` of
    what that brings is set aside beside it, the account must stay worth `maintenance_percent` of
    what is sold short, and borrowing costs `borrow_percent` a year.
    """

    __tablename__ = "account_rules"
    __table_args__ = (
        CheckConstraint(
            "spread_bps >= 0 AND slippage_bps >= 0 AND commission_per_share >= 0 "
            "AND commission_percent >= 0 AND commission_minimum >= 0",
            name="costs_not_negative",
        ),
        CheckConstraint("margin_percent >= 0", name="margin_not_negative"),
        CheckConstraint("maintenance_percent >= 0", name="maintenance_not_negative"),
        CheckConstraint("borrow_percent >= 0", name="borrow_not_negative"),
        CheckConstraint("volume_percent > 0", name="volume_positive"),
    )

    user_id: Mapped[Id] = mapped_column(ForeignKey("users_profile.id"), primary_key=True)
    spread_bps: Mapped[Percent] = mapped_column(default=Decimal(0), server_default=text("0"))
    slippage_bps: Mapped[Percent] = mapped_column(default=Decimal(0), server_default=text("0"))
    commission_per_share: Mapped[Money] = mapped_column(
        default=Decimal(0), server_default=text("0")
    )
    commission_percent: Mapped[Percent] = mapped_column(
        default=Decimal(0), server_default=text("0")
    )
    commission_minimum: Mapped[Money] = mapped_column(default=Decimal(0), server_default=text("0"))
    volume_percent: Mapped[Percent | None]
    cost_basis_method: Mapped[CostBasis] = mapped_column(
        enum_column(CostBasis), default=CostBasis.average, server_default=CostBasis.average
    )
    short_selling: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    margin_percent: Mapped[Percent] = mapped_column(
        default=Decimal(50), server_default=text("50000000")
    )
    maintenance_percent: Mapped[Percent] = mapped_column(
        default=Decimal(30), server_default=text("30000000")
    )
    borrow_percent: Mapped[Percent] = mapped_column(default=Decimal(0), server_default=text("0"))
    updated_at: Mapped[Instant] = mapped_column(default=utc_now)


class ApiKey(Base):
    """A key to the desk. Only the SHA-256 of its secret is kept; the secret is shown once.

    `scopes` is a JSON array of read, trade, webhook and admin; `user_id` limits the key to one
    account, NULL opens every account that the scopes allow.
    """

    __tablename__ = "api_keys"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id | None] = mapped_column(ForeignKey("users_profile.id"), index=True)
    name: Mapped[Name]
    key_id: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[str]
    scopes: Mapped[Json]
    created_at: Mapped[Instant] = mapped_column(default=utc_now)
    expires_at: Mapped[Instant | None]
    revoked_at: Mapped[Instant | None]
    last_used_at: Mapped[Instant | None]
