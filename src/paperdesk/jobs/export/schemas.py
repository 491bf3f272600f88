"""The row of an export: which table of the account, in which format."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from paperdesk.api.codec import Ask
from paperdesk.api.pages import on_the_calendar
from paperdesk.market.tickers import parse_ticker

_Instant = Annotated[AwareDatetime, AfterValidator(on_the_calendar)]


class ExportTable(StrEnum):
    """What can be exported of an account."""

    trades = "trades"
    positions = "positions"
    ledger = "ledger"
    """All entries of the journal: trades, cash movements and position adjustments."""
    snapshots = "snapshots"


class ExportFormat(StrEnum):
    """How a file is written; the values are its suffix."""

    csv = "csv"
    jsonl = "jsonl"
    xlsx = "xlsx"


class ExportRow(Ask):
    """What to export: from `since` on and before `until`, of one ticker or of all."""

    table: ExportTable
    format: ExportFormat = ExportFormat.csv
    since: _Instant | None = None
    until: _Instant | None = None
    ticker: Annotated[str, Field(max_length=64), AfterValidator(parse_ticker)] | None = None
    bom: bool = False
    """Begin a CSV with a byte order mark, by which Excel knows UTF-8."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.table is ExportTable.positions and (self.since or self.until):
            raise ValueError("positions are as they are now: leave since and until out")
        if self.table is ExportTable.snapshots and self.ticker:
            raise ValueError("snapshots are of the whole account: leave ticker out")
        if self.bom and self.format is not ExportFormat.csv:
            raise ValueError("bom goes with the format csv alone")
        if _is_empty(self.since, self.until):
            raise ValueError("since must be before until")
        return self


def _is_empty(since: datetime | None, until: datetime | None) -> bool:
    return since is not None and until is not None and since >= until
