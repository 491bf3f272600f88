"""Proofs: how far the books of an account were proven, and what they said there."""

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, Json, Money


class Proof(Base):
    """The state that an account's journal leads to at `sequence`, from where a proof may go on.

    `hash` is that of the journal's entry there; `cash_balance` and `realized_pnl` are US dollars
    with 6 places. `holdings` is a JSON object of tickers, each with
    `[quantity, cost_basis, opened_at]`: whole units of 9 and 6 places, and UTC text; and a list of
    its lots, `[number, opened_at, quantity, cost_basis]`, where it has any. `accepted`: a
    proof had failed, and an operator took the books as they stood at that entry for the truth;
    such a row is kept for ever.
    """

    __tablename__ = "proofs"
    __table_args__ = (CheckConstraint("sequence >= 0", name="sequence_not_negative"),)

    user_id: Mapped[Id] = mapped_column(ForeignKey("users_profile.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str]
    cash_balance: Mapped[Money]
    realized_pnl: Mapped[Money]
    holdings: Mapped[Json]
    accepted: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    proven_at: Mapped[Instant] = mapped_column(default=utc_now)
