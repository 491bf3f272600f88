"""The declarative base: named constraints, and the CHECK that keeps SQLite's amounts whole."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Column, MetaData, Table, event, inspect
from sqlalchemy.orm import DeclarativeBase

from paperdesk.db.types import is_fixed_point

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Base(DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(naming_convention=NAMING)
    # PostgreSQL's plain integer ends at 2**31; a sequence or a sum of cents must not.
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger}

    def __repr__(self) -> str:
        """Show the primary key alone: showing more could load, and a load may not be possible."""
        keys = ", ".join(
            f"{column.key}={self.__dict__.get(column.key or '')!r}"
            for column in inspect(type(self)).primary_key
        )
        return f"<{type(self).__name__} {keys}>"


@event.listens_for(Table, "after_parent_attach")
def _keep_amounts_whole(table: Table, metadata: Any) -> None:
    """Add `typeof(column) = 'integer'` to the amounts of our tables, on SQLite alone.

    SQLite would take 'abc' or 1.5 in a BIGINT column, and turns an overflowing sum into a float.
    """
    if metadata is Base.metadata:
        for column in table.columns:
            if is_fixed_point(column):
                table.append_constraint(whole_number(column))


def whole_number(column: Column[Any]) -> CheckConstraint:
    """Return the SQLite CHECK that a column holds an integer (or NULL, where it may)."""
    allowed = "('integer', 'null')" if column.nullable else "('integer')"
    return CheckConstraint(
        f"typeof({column.name}) IN {allowed}", name=f"{column.name}_whole"
    ).ddl_if(dialect="sqlite")
