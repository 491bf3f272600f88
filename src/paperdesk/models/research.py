"""Research: stocks grouped in domains, and how they scored over time."""

from typing import Any

from sqlalchemy import Double, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paperdesk.clock import utc_now
from paperdesk.db.base import Base
from paperdesk.db.types import Id, Instant, JsonType, Name, Price, Quantity, Ticker
from paperdesk.ids import new_id


class Domain(Base):
    """A field of business whose stocks are ranked against each other, such as `AI/Tech`."""

    __tablename__ = "domains"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[Name] = mapped_column(unique=True)

    stocks: Mapped[list["Stock"]] = relationship(back_populates="domain", lazy="raise")


class Stock(Base):
    """A stock that is followed; `last_updated` is when its price was last fetched."""

    __tablename__ = "stocks"

    ticker: Mapped[Ticker] = mapped_column(primary_key=True)
    name: Mapped[Name]
    domain_id: Mapped[Id] = mapped_column(ForeignKey("domains.id"), index=True)
    last_updated: Mapped[Instant | None]

    domain: Mapped[Domain] = relationship(back_populates="stocks", lazy="raise")


class ScoreSnapshot(Base):
    """How a stock scored at one fetch. `factors` is a JSON object of what the score is made of.

    `close_price` in US dollars, `volume` in shares; `score` is a figure of merit, not an amount.
    """

    __tablename__ = "score_snapshots"

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    ticker: Mapped[Ticker] = mapped_column(ForeignKey("stocks.ticker"), index=True)
    fetched_at: Mapped[Instant] = mapped_column(default=utc_now, index=True)
    close_price: Mapped[Price]
    volume: Mapped[Quantity | None]
    score: Mapped[float | None] = mapped_column(Double)
    rank: Mapped[int | None]
    factors: Mapped[Any | None] = mapped_column(JsonType)
