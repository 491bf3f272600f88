"""Column types: exact decimals, aware UTC times, enums by value, JSON.

No float ever holds an amount: a Decimal is stored as a whole number of its smallest unit, the same
on SQLite and PostgreSQL, so both sum exactly and agree to the last digit.
"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    Column,
    Dialect,
    Enum,
    Integer,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

MONEY_SCALE = 6
PRICE_SCALE = 9
QUANTITY_SCALE = 9

EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""The arithmetic context of every amount: wide enough that products of two amounts stay exact."""

_INT64 = 2**63


def units_of(value: Decimal, scale: int) -> int:
    """Return an amount as a number of its smallest unit, 10 ** -scale.

    Raises TypeError for what is no Decimal or int, ValueError for what has more places, or is
    beyond a 64-bit integer.
    """
    if not isinstance(value, (Decimal, int)) or isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"an amount must be a Decimal, not {type(value).__name__}")
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError(f"{value} is not an amount")
    units = EXACT.scaleb(amount, scale)
    whole = int(units)
    if whole != units:
        raise ValueError(f"{value} has more than {scale} decimal places")
    if not -_INT64 <= whole < _INT64:
        raise ValueError(f"{value} is beyond what a column of {scale} places holds")
    return whole


class FixedPoint(TypeDecorator[Decimal]):
    """A Decimal with `scale` decimal places, stored as a BIGINT of its smallest unit.

    Refuses what it cannot hold exactly: floats, NaN, more places than the scale, and values beyond
    a 64-bit integer. SQL may compare, add and SUM such columns; products and quotients belong in
    Python, because the database would multiply the scales too.
    """

    impl = BigInteger
    cache_ok = True

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the number of smallest units. Raises TypeError or ValueError if inexact."""
        return None if value is None else units_of(value, self.scale)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Return the exact Decimal with all its places."""
        return None if value is None else EXACT.scaleb(Decimal(value), -self.scale)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC instant with microseconds; naive values are refused.

    PostgreSQL stores timestamptz. SQLite has no time type, so it stores text of fixed width
    (`2026-11-22T01:26:00.000000Z`), which a person can read and which sorts by time.
    """

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Choose the type that the database really has."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Return what the driver stores. Raises ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is ambiguous: pass an aware datetime")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else format_utc(utc)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC)


@lru_cache(maxsize=1024)
def format_utc(moment: datetime) -> str:
    """Return an aware instant as RFC 3339 text in UTC with six places and `Z`."""
    # Not strftime, which writes the year 800 with three digits on Linux.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def enum_column(kind: type[StrEnum]) -> Enum:
    """Return the column type of a StrEnum: text of its values, with a named CHECK."""
    return Enum(
        kind,
        name=_snake(kind.__name__),
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
        values_callable=_values,
    )


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


AutoId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is exactly INTEGER."""

JsonType = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

Money = Annotated[Decimal, mapped_column(FixedPoint(MONEY_SCALE))]
Price = Annotated[Decimal, mapped_column(FixedPoint(PRICE_SCALE))]
Quantity = Annotated[Decimal, mapped_column(FixedPoint(QUANTITY_SCALE))]
Percent = Annotated[Decimal, mapped_column(FixedPoint(MONEY_SCALE))]
Instant = Annotated[datetime, mapped_column(UtcDateTime())]
Json = Annotated[Any, mapped_column(JsonType)]
Ticker = Annotated[str, mapped_column(String(24))]
Id = Annotated[str, mapped_column(String(36))]
Name = Annotated[str, mapped_column(String(128))]
Prose = Annotated[str, mapped_column(Text)]


def is_fixed_point(column: Column[Any]) -> bool:
    """Say whether a column holds an exact decimal."""
    return isinstance(column.type, FixedPoint)
