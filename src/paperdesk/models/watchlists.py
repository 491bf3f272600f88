"""Watchlists: what an account looks at."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, Name, Ticker
from paperdesk.ids import new_id
from paperdesk.models.accounts import DEFAULT_ACCOUNT

PRIMARY_LIST = "primary"


class Watchlist(Base):
    """A named list of tickers of one account. Every account has the list `primary`."""

    __tablename__ = "watchlists"

    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), primary_key=True, server_default=DEFAULT_ACCOUNT
    )
    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[Name]
    created_at: Mapped[Instant] = mapped_column(default=utc_now)


class WatchlistEntry(Base):
    """One ticker on one list; a ticker is on a list at most once."""

    __tablename__ = "watchlist"
    __table_args__ = (UniqueConstraint("user_id", "list_id", "ticker"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[Id] = mapped_column(
        ForeignKey("users_profile.id"), default=DEFAULT_ACCOUNT, server_default=DEFAULT_ACCOUNT
    )
    list_id: Mapped[Id] = mapped_column(default=PRIMARY_LIST, server_default=PRIMARY_LIST)
    ticker: Mapped[Ticker] = mapped_column(index=True)
    added_at: Mapped[Instant] = mapped_column(default=utc_now)
