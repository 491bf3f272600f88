"""What came of the rows of an import, counted, each kind with an example."""

from collections.abc import Sequence
from typing import Final

import msgspec

from paperdesk.cli.job_table import Job, Row
from paperdesk.cli.output import clean, screen, table

_THERE: Final = "ALREADY_DONE"
_NO_EFFECT: Final = "NO_EFFECT"
_WORDS: Final = {
    "completed": "booked",
    "processing": "being booked",
    "pending": "not booked",
    "skipped": "skipped",
    "failed": "failed",
    "needs_review": "needs a review",
}
_ORDER: Final = tuple(_WORDS)


class Outcome(msgspec.Struct):
    """Rows of which the same came."""

    rows: int
    status: str
    error_code: str | None
    example: Row


def show_outcomes(job: Job, found: Sequence[Outcome]) -> None:
    """Print what came of rows, or what would come of those of a job that waits for its start."""
    rows = table("Outcome", ">Rows", "~The first of them", drop=("The first of them",))
    is_estimate = job.status == "pending"
    for outcome in sorted(found, key=_place):
        said = _said_of(outcome, is_estimate=is_estimate)
        rows.add_row(clean(said), f"{outcome.rows:,}", clean(_example(outcome)))
    screen().print(rows)


def _place(outcome: Outcome) -> tuple[int, bool, int]:
    place = _ORDER.index(outcome.status) if outcome.status in _WORDS else len(_ORDER)
    return place, outcome.error_code not in {None, _THERE}, -outcome.rows


def _said_of(outcome: Outcome, *, is_estimate: bool) -> str:
    status, code = outcome.status, outcome.error_code
    if code == _THERE:
        return "already there"
    word = _WORDS.get(status, status)
    if is_estimate and status == "pending":
        if code is None:
            return "would be booked"
        word = "would be skipped" if code == _NO_EFFECT else "would be refused"
    return word if code is None else f"{word}: {code}"


def _example(outcome: Outcome) -> str:
    """Return why, of the first row; that others are booked, or were, needs no reason."""
    row = outcome.example
    if outcome.error_code in {None, _THERE} or not row.error_message:
        return ""
    is_told = row.line is None or row.error_message.startswith("Line ")
    return row.error_message if is_told else f"Line {row.line}: {row.error_message}"
