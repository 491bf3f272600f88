"""Market data: the latest quote of a ticker, and its bars."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from paperdesk.db.base import Base
from paperdesk.db.types import Instant, Name, Price, Quantity, Ticker


class Quote(Base):
    """The latest price of a ticker, in US dollars with 9 places.

    `timestamp` is when the market made the price, `received_at` when the source last confirmed it,
    `volume` how many shares were traded since the quote before, NULL where that is not known.
    On PostgreSQL the table is unlogged: after a crash it is empty, and the feed fills it again.
    """

    __tablename__ = "quotes"
    __table_args__ = (CheckConstraint("price > 0", name="price_positive"),)

    ticker: Mapped[Ticker] = mapped_column(primary_key=True)
    price: Mapped[Price]
    previous_price: Mapped[Price]
    volume: Mapped[Quantity | None]
    source: Mapped[Name]
    timestamp: Mapped[Instant]
    received_at: Mapped[Instant]


class PriceBar(Base):
    """Open, high, low and close of a ticker over one `timeframe` (1m) from `start` on, in UTC."""

    __tablename__ = "price_bars"
    __table_args__ = (CheckConstraint("low > 0 AND high >= low", name="prices_sane"),)

    ticker: Mapped[Ticker] = mapped_column(primary_key=True)
    timeframe: Mapped[str] = mapped_column(String(8), primary_key=True)
    start: Mapped[Instant] = mapped_column(primary_key=True)
    open: Mapped[Price]
    high: Mapped[Price]
    low: Mapped[Price]
    close: Mapped[Price]
    volume: Mapped[Quantity] = mapped_column(default=Decimal(0), server_default=text("0"))
